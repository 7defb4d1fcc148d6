"""dramatiq: blocking clients and bodies, in threads."""

import asyncio
from collections.abc import Callable

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.redis.sink import Sink


class Dramatiq:
    """dramatiq with its default middleware."""

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        self._broker = RedisBroker(url=url)
        self._concurrency = concurrency

        def noop() -> None:
            sink.hit()

        def stamped(sent: float) -> None:
            sink.arrived(sent)

        self._noop = dramatiq.actor(noop, broker=self._broker, actor_name="noop")
        self._stamped = dramatiq.actor(stamped, broker=self._broker, actor_name="stamped")

    async def open(self) -> None:
        dramatiq.set_broker(self._broker)

    async def close(self) -> None:
        self._broker.close()

    async def add(self) -> None:
        self._noop.send()

    async def add_stamped(self, sent: float) -> None:
        self._stamped.send(sent)

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        await self.open()
        worker = dramatiq.Worker(self._broker, worker_threads=self._concurrency)
        ready()
        worker.start()
        await asyncio.Event().wait()
