"""taskiq on a Redis stream, without results and with them."""

from collections.abc import Callable

from taskiq.api import run_receiver_task
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from benchmarks.redis.sink import Sink

_RESULT_SECONDS = 900


class Taskiq:
    """taskiq whose worker reads the stream from its beginning, and keeps no results."""

    results = False

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        broker = RedisStreamBroker(url, consumer_id="0")
        if self.results:
            broker = broker.with_result_backend(
                RedisAsyncResultBackend(url, result_ex_time=_RESULT_SECONDS)
            )

        @broker.task(task_name="noop")
        async def noop() -> None:
            sink.hit()

        @broker.task(task_name="stamped")
        async def stamped(sent: float) -> None:
            sink.arrived(sent)

        self._broker, self._noop, self._stamped = broker, noop, stamped
        self._concurrency = concurrency

    async def open(self) -> None:
        await self._broker.startup()

    async def close(self) -> None:
        await self._broker.shutdown()

    async def add(self) -> None:
        await self._noop.kiq()

    async def add_stamped(self, sent: float) -> None:
        await self._stamped.kiq(sent)

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        self._broker.is_worker_process = True
        await self._broker.startup()
        ready()
        await run_receiver_task(
            self._broker, max_async_tasks=self._concurrency, max_prefetch=self._concurrency
        )


class Results(Taskiq):
    """The same, with results."""

    results = True
