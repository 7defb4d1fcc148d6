"""saq."""

from collections.abc import Callable

from saq import Queue, Worker

from benchmarks.redis.sink import Sink


class Saq:
    """saq with default settings."""

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        async def noop(_context: object) -> None:
            sink.hit()

        async def stamped(_context: object, *, sent: float) -> None:
            sink.arrived(sent)

        self._functions = [("noop", noop), ("stamped", stamped)]
        self._concurrency = concurrency
        self._queue = Queue.from_url(url)

    async def open(self) -> None:
        await self._queue.connect()

    async def close(self) -> None:
        await self._queue.disconnect()

    async def add(self) -> None:
        await self._queue.enqueue("noop")

    async def add_stamped(self, sent: float) -> None:
        await self._queue.enqueue("stamped", sent=sent)

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        await self.open()
        worker = Worker(self._queue, self._functions, concurrency=self._concurrency)
        ready()
        await worker.start()
