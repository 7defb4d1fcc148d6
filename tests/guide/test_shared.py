"""Shared: what is made once in a worker's life."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from guide_helpers import the_failure

from docket_sim import (
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    Depends,
    Docket,
    Execution,
    Retry,
    Shared,
    Tally,
    TaskArgument,
    Worker,
    simulate,
)


class Pool:
    """A resource that takes a second to open, and may fail to."""

    opened = 0
    closed = 0

    def __init__(self, fails: int = 0) -> None:
        self.fails = fails

    async def __call__(self) -> AsyncIterator["Pool"]:
        await asyncio.sleep(1)
        self.opened += 1
        if self.opened <= self.fails:
            raise ConnectionError(f"no luck, {self.opened}. time")
        yield self
        self.closed += 1


async def test_a_shared_instance_is_made_once_for_all_attempts(sim):
    """It is made when an attempt first needs it, and the later ones get the same."""
    pool = Pool()
    received: list[Pool] = []

    async def task(pool: Pool = Shared(pool), retry: Retry = Retry(attempts=2)) -> None:
        received.append(pool)
        if len(received) == 1:
            raise ValueError

    assert pool.opened == 0
    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert received == [pool, pool, pool]
    assert (pool.opened, pool.closed) == (1, 0)


async def test_a_shared_instance_is_made_once_under_concurrency(sim):
    """Attempts that ask for it while it is being made wait for it."""
    pool = Pool()

    async def task(pool: Pool = Shared(pool)) -> None: ...

    for _ in range(5):
        await sim.docket.add(task)()

    assert await sim.run_until_idle() == Tally(succeeded=5)
    assert pool.opened == 1


async def test_two_tasks_share_one_instance(sim):
    """What is shared is known by its factory."""
    pool = Pool()

    async def read(pool: Pool = Shared(pool)) -> None: ...
    async def write(pool: Pool = Shared(pool)) -> None: ...

    await sim.docket.add(read)()
    await sim.docket.add(write)()

    assert await sim.run_until_idle() == Tally(succeeded=2)
    assert pool.opened == 1


async def test_the_same_factory_can_make_an_instance_for_the_attempt_as_well(sim):
    """`Depends` and `Shared` on one factory are two instances with two lives."""
    pool = Pool()

    async def task(shared: Pool = Shared(pool), own: Pool = Depends(pool)) -> None: ...

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert (pool.opened, pool.closed) == (2, 1)


@pytest.mark.docket(workers=2, concurrency=1)
async def test_each_worker_has_an_instance_of_its_own(sim):
    """It lives in the worker's process, which another worker does not share."""
    pool = Pool()

    async def task(pool: Pool = Shared(pool)) -> None:
        await asyncio.sleep(1)

    for _ in range(6):
        await sim.docket.add(task)()

    assert await sim.run_until_idle() == Tally(succeeded=6)
    assert pool.opened == 2


async def test_a_failure_to_make_it_is_not_cached(sim):
    """The next attempt tries again."""
    pool = Pool(fails=2)

    async def task(
        pool: Pool = Shared(pool),
        retry: Retry = Retry(attempts=3, delay=timedelta(seconds=10)),
    ) -> None: ...

    await sim.docket.add(task)()

    assert await sim.run_until_idle() == Tally(succeeded=1, retried=2)
    assert pool.opened == 3


async def test_those_who_waited_for_it_fail_together(sim):
    """A failure is told to everyone who asked meanwhile, with the path of who wanted it."""
    pool = Pool(fails=1)

    async def task(pool: Pool = Shared(pool)) -> None: ...

    for _ in range(3):
        await sim.docket.add(task)()

    assert await sim.run_until_idle() == Tally(failed=3)
    for failure in sim.acknowledge_failures():
        assert "pool ← Pool: ConnectionError: no luck, 1. time" in str(failure.error)


def test_it_is_torn_down_when_the_worker_stops():
    """The last that was made is the first to go."""
    log: list[str] = []

    @asynccontextmanager
    async def get_pool():
        log.append("+pool")
        yield "pool"
        log.append("-pool")

    @asynccontextmanager
    async def get_client(pool: str = Shared(get_pool)):
        log.append(f"+client on {pool}")
        yield "client"
        log.append("-client")

    async def task(client: str = Shared(get_client)) -> None:
        log.append("ran")

    with simulate() as sim:
        sim.run(sim.docket.add(task)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert log == ["+pool", "+client on pool", "ran"]

    assert log[3:] == ["-client", "-pool"]


async def test_what_is_being_made_when_the_worker_stops_is_not_left_behind(sim):
    """Whether it was still made or not, what was opened is closed."""
    pool = Pool()

    async def task(pool: Pool = Shared(pool)) -> None: ...

    await sim.docket.add(task, key="k")()
    async with Worker(sim.docket, "short-lived") as worker:
        working = asyncio.ensure_future(worker.run_until_finished())
        await asyncio.sleep(0.5)
        await sim.docket.cancel("k")
        await working
    await asyncio.sleep(5)

    assert pool.opened == pool.closed


async def test_an_attempt_that_is_cancelled_does_not_take_the_instance_with_it(sim):
    """The worker makes it, not the attempt that happened to ask first."""
    pool = Pool()

    async def task(pool: Pool = Shared(pool)) -> None: ...

    await sim.docket.add(task, key="first")()
    await sim.docket.add(task, key="second")()
    await sim.run_for(timedelta(seconds=0.5))
    await sim.docket.cancel("first")

    assert await sim.run_until_idle() == Tally(succeeded=1, cancelled=1)
    assert pool.opened == 1


async def test_a_shared_factory_may_need_what_lives_as_long(sim):
    """The docket, the worker, and factories that need no more than these."""

    def get_settings(docket: Docket = CurrentDocket()) -> str:
        return f"settings of {docket.name}"

    def get_pool(settings: str = Depends(get_settings), worker: Worker = CurrentWorker()) -> str:
        return f"{settings} for {worker.name}"

    async def task(pool: str = Shared(get_pool)) -> str:
        return pool

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "settings of simulation for worker-1"


def _needs_execution(execution: Execution = CurrentExecution()) -> None: ...
def _needs_argument(n: int = TaskArgument()) -> None: ...
def _needs_it_indirectly(inner: Any = Depends(_needs_execution)) -> None: ...


@pytest.mark.parametrize("factory", [_needs_execution, _needs_argument, _needs_it_indirectly])
async def test_a_shared_factory_cannot_need_what_an_attempt_has(sim, factory):
    """It outlives the attempt, so this is refused at registration."""

    async def task(n: int, shared: Any = Shared(factory)) -> None: ...

    with pytest.raises(ValueError, match=r"shared ← _needs\w+.*outlives the attempt"):
        sim.docket.register(task)


async def test_a_resource_that_fails_to_open_does_not_run_the_body(sim):
    """A shared dependency fails its attempt as any other does."""
    ran: list[bool] = []

    async def task(pool: Pool = Shared(Pool(fails=1))) -> None:
        ran.append(True)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    assert not ran
    assert isinstance(the_failure(sim).exceptions[0], ConnectionError)
