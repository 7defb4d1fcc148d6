"""A worker that lives within the test's process, on a real server, and whoever troubles it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

from redis import Redis
from servers import shared_server

from docket_sim import Docket, Worker
from docket_sim.store.redis import prefix_of

_LEASE = timedelta(seconds=0.4)
_PATIENCE = timedelta(seconds=5)


@dataclass(slots=True)
class Scene:
    """A docket with a task that notes its runs, and a worker on it.

    Attributes:
        docket: the docket.
        client: a client of the server, for a foreign hand.
        prefix: what the docket's keys begin with.
        ran: the numbers with which the task has run.
    """

    docket: Docket
    client: "Redis"
    prefix: str
    ran: list[int] = field(default_factory=list)

    def place(self, key: str) -> str:
        """The server's key of an execution."""
        return f"{self.prefix}x:{key}"

    async def add(self, number: int, **options: object) -> str:
        """Schedule a call with this number, and return its key."""
        execution = await self.docket.add("charge", **options)(number)
        return execution.key

    async def good_work_goes_on(self) -> None:
        """Fail if what is scheduled now does not run soon."""
        for number in (101, 102):
            execution = await self.docket.add("charge")(number)
            assert await execution.get_result(timeout=_PATIENCE) == number

    async def until(self, condition: object, what: str) -> None:
        """Wait until something holds."""
        for _ in range(500):
            if condition():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"waited in vain until {what}")


@asynccontextmanager
async def scene(url: str | None = None) -> AsyncIterator[Scene]:
    """An open docket with the task `charge`; at the end, nothing is left of it on the server."""
    name = f"live-{uuid4()}"
    with shared_server().client() as client:
        async with Docket(name, url or shared_server().url) as docket:
            made = Scene(docket, client, prefix_of(name))

            async def charge(number: int) -> int:
                made.ran.append(number)
                return number

            docket.register(charge)
            try:
                yield made
            finally:
                for key in client.scan_iter(f"{made.prefix}*"):
                    client.delete(key)


@asynccontextmanager
async def at_work(docket: Docket) -> AsyncIterator[Worker]:
    """A worker that works until the context is left; what has ended it before is raised."""
    options = {"redelivery_timeout": _LEASE, "reconnection_delay": timedelta(seconds=0.05)}
    async with Worker(docket, max_deliveries=2, **options) as worker:
        working = asyncio.ensure_future(worker.run_forever())
        yield worker
        if working.done():
            await working
        working.cancel()
        await asyncio.wait([working])


def run(main: object) -> None:
    """Run an async test on an event loop in real time."""
    asyncio.run(asyncio.wait_for(main(), 20))
