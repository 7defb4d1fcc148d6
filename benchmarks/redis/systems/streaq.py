"""streaq, on coredis and Redis functions."""

from collections.abc import Callable

from streaq import Worker

from benchmarks.redis.sink import Sink


class Streaq:
    """streaq with default settings."""

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        worker = Worker(redis_url=url, concurrency=concurrency, handle_signals=False)

        @worker.task(name="noop")
        async def noop() -> None:
            sink.hit()

        @worker.task(name="stamped")
        async def stamped(sent: float) -> None:
            sink.arrived(sent)

        self._worker, self._noop, self._stamped = worker, noop, stamped

    async def open(self) -> None:
        await self._worker.__aenter__()

    async def close(self) -> None:
        await self._worker.__aexit__(None, None, None)

    async def add(self) -> None:
        await self._noop.enqueue()

    async def add_stamped(self, sent: float) -> None:
        await self._stamped.enqueue(sent)

    async def add_many(self, count: int) -> None:
        await self._worker.enqueue_many([self._noop.enqueue() for _ in range(count)])

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        ready()
        await self._worker.run_async()
