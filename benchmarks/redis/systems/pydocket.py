"""pydocket, with the polling interval of its defaults and with that of its tests."""

from collections.abc import Callable
from datetime import timedelta

from docket import Docket, Worker

from benchmarks.redis.sink import Sink

_CONNECTIONS = 500  # with redis-py's default of 100, a worker with concurrency 100 stalls


class Pydocket:
    """pydocket with default settings."""

    interval = timedelta(milliseconds=250)

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        async def noop() -> None:
            sink.hit()

        async def stamped(sent: float) -> None:
            sink.arrived(sent)

        self._noop, self._stamped = noop, stamped
        self._concurrency = concurrency
        self._docket = Docket(name="benchmark", url=f"{url}?max_connections={_CONNECTIONS}")

    async def open(self) -> None:
        await self._docket.__aenter__()
        self._docket.register(self._noop)
        self._docket.register(self._stamped)

    async def close(self) -> None:
        await self._docket.__aexit__(None, None, None)

    async def add(self) -> None:
        await self._docket.add(self._noop)()

    async def add_stamped(self, sent: float) -> None:
        await self._docket.add(self._stamped)(sent)

    async def add_many(self, count: int) -> None:
        docket, noop = self._docket, self._noop
        await docket.add_many([docket.call(noop)() for _ in range(count)])

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        await self.open()
        async with Worker(
            self._docket,
            concurrency=self._concurrency,
            minimum_check_interval=self.interval,
            scheduling_resolution=self.interval,
        ) as worker:
            ready()
            await worker.run_forever()


class Tuned(Pydocket):
    """pydocket that polls as often as its own tests let it."""

    interval = timedelta(milliseconds=5)
