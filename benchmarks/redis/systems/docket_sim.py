"""docket-sim, through its public names only."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from benchmarks.redis.sink import Sink
from benchmarks.redis.sizes import SCALING_WAIT
from docket_sim import Docket, Worker


class DocketSim:
    """docket-sim with default settings."""

    def __init__(self, url: str, concurrency: int, sink: Sink) -> None:
        async def noop() -> None:
            sink.hit()

        async def stamped(sent: float) -> None:
            sink.arrived(sent)

        async def waiting() -> None:
            await asyncio.sleep(SCALING_WAIT)
            sink.hit()

        self._noop, self._stamped, self._waiting = noop, stamped, waiting
        self._concurrency = concurrency
        self._docket = Docket(name="benchmark", url=url)
        for task in (noop, stamped, waiting):
            self._docket.register(task)

    async def open(self) -> None:
        await self._docket.__aenter__()

    async def close(self) -> None:
        await self._docket.__aexit__(None, None, None)

    async def add(self) -> None:
        await self._docket.add(self._noop)()

    async def add_stamped(self, sent: float) -> None:
        await self._docket.add(self._stamped)(sent)

    async def add_many(self, count: int) -> None:
        # The one place that knows how many calls are added at once.
        docket, noop = self._docket, self._noop
        await docket.add_many([docket.call(noop)() for _ in range(count)])

    async def add_waiting(self) -> None:
        await self._docket.add(self._waiting)()

    async def add_later(self, seconds: float) -> None:
        when = datetime.now(UTC) + timedelta(seconds=seconds)
        await self._docket.add(self._noop, when=when)()

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        async with (
            self._docket as docket,
            Worker(docket, concurrency=self._concurrency) as worker,
        ):
            ready()
            await (worker.run_until_finished() if until_finished else worker.run_forever())
