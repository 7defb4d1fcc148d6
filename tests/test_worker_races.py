"""Moments at which two things happen to one execution, or to a worker, at once."""

import asyncio
import contextlib
from datetime import timedelta

import pytest

from docket_sim import (
    Depends,
    DocketError,
    MemoryStore,
    NothingToRun,
    Perpetual,
    Retry,
    StoreUnavailable,
    Tally,
    Timeout,
    Worker,
)
from docket_sim.docket import Docket

SECOND = timedelta(seconds=1)


class Slow(MemoryStore):
    """A store whose answers to `claim` take a while to arrive, and whose renewals can fail."""

    latency = 0.0
    renewals_fail = False

    async def claim(self, *args, **kwargs):
        claimed = await super().claim(*args, **kwargs)
        await asyncio.sleep(self.latency)
        return claimed

    async def renew(self, *args, **kwargs):
        if self.renewals_fail:
            raise StoreUnavailable("renew: the line is cut")
        return await super().renew(*args, **kwargs)


@pytest.fixture
def store():
    return Slow()


@pytest.fixture
def docket(sim, store):
    return Docket("races", store=store, clock=sim.clock)


@pytest.mark.parametrize("hops", range(12))
async def test_a_cancellation_between_the_claim_and_the_first_step_is_heeded(sim, docket, hops):
    """However early it comes, the body does not run on until the next renewal."""
    ended = []

    async def job():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(sim.clock.elapsed)

    async with docket, Worker(docket) as worker:
        working = asyncio.create_task(worker.run_forever())
        await asyncio.sleep(1)
        await docket.add(job, key="k")()
        for _ in range(hops):
            await asyncio.sleep(0)
        await docket.cancel("k")
        await asyncio.sleep(1)
        assert ended in ([], [SECOND])
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_work_added_while_a_claim_is_under_way_is_not_overlooked(sim, docket, store):
    """An empty answer that left before the work came does not send the worker to sleep."""
    store.latency = 0.05
    ran = []

    async def job(name: str, seconds: float):
        ran.append((name, sim.clock.elapsed.total_seconds()))
        await asyncio.sleep(seconds)

    async with docket, Worker(docket, "a", concurrency=1) as a, Worker(docket, "b") as b:
        working = [asyncio.create_task(worker.run_forever()) for worker in (a, b)]
        await asyncio.sleep(0.3)
        await docket.add(job)("long", 5)
        await asyncio.sleep(0.02)  # b has asked, and has not heard
        await docket.add(job)("short", 0)
        await asyncio.sleep(2)
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
    assert [name for name, _ in ran] == ["long", "short"]
    assert ran[1][1] < 1


async def test_a_worker_closed_before_an_attempt_began_ends_its_run(docket):
    """Nothing is left that would spin, or wait, for ever."""

    async def job(): ...

    async with docket:
        async with Worker(docket) as worker:
            working = asyncio.create_task(worker.run_forever())
            await docket.add(job)()
            while worker.in_hand == 0:
                await asyncio.sleep(0)
        await asyncio.wait_for(working, 1)


async def test_a_worker_that_cannot_renew_does_not_claim_what_it_has_in_hand(docket, store):
    """One key never runs twice at once on one worker, however long the store is half away."""
    at_once, most = 0, 0

    async def job():
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(300)
        at_once -= 1

    store.renewals_fail = True
    await_lease = 30 * SECOND
    async with docket, Worker(docket, redelivery_timeout=await_lease) as worker:
        await docket.add(job)()
        working = asyncio.create_task(worker.run_until_finished())
        await asyncio.sleep(200)
        store.renewals_fail = False
        await working
    assert most == 1


@pytest.mark.parametrize("hides", ["a failed dependency", "a timeout", "a cancellation"])
@pytest.mark.docket(allow_failures=True)
async def test_no_dependency_can_hide_what_is_not_the_bodys(sim, hides):
    """A context manager may swallow the body's own errors, and those only."""

    async def quiet():
        with contextlib.suppress(BaseException):
            yield

    async def fails():
        if hides == "a failed dependency":
            raise ConnectionError("no route")

    async def job(
        first=Depends(quiet), second=Depends(fails), limit: Timeout = Timeout(60 * SECOND)
    ):
        await asyncio.sleep(3600)

    await sim.docket.add(job, key="k")()
    await sim.run_due()
    if hides == "a cancellation":
        await sim.docket.cancel("k")
    tally = await sim.run_until_idle()
    assert tally == Tally() or (tally.succeeded, tally.failed + tally.cancelled) == (0, 1)
    assert [m.what for m in sim.timeline][-1] in ("failed", "cancelled")


async def test_an_error_of_the_body_may_be_swallowed(sim):
    """As a context manager may for what it surrounds."""

    async def forgiving():
        with contextlib.suppress(LookupError):
            yield

    async def job(shield=Depends(forgiving)):
        raise LookupError("gone")

    await sim.docket.add(job)()
    assert await sim.run_until_idle() == Tally(succeeded=1)


@pytest.mark.docket(allow_failures=True)
async def test_a_call_that_is_refused_has_not_started(sim):
    """The timeline tells of an attempt only where one began."""

    async def job(number: int): ...

    await sim.docket.add(job, key="k")(1)
    sim.docket._registry._by_name.clear()  # as on a worker that was deployed without it
    await sim.run_until_idle()
    told = [moment.what for moment in sim.timeline]
    assert "started" not in told
    assert "released" in told


async def test_the_next_one_may_be_cancelled_before_its_time(sim):
    """`run_next()` ends then: there is nothing to wait for any more."""

    async def job(): ...

    later = sim.clock.now() + 10 * SECOND
    await sim.docket.add(job, when=later, key="k")()
    sim.loop.call_later(5, lambda: asyncio.ensure_future(sim.docket.cancel("k")))
    assert await sim.run_next() == Tally(cancelled=1)
    assert sim.clock.elapsed == 5 * SECOND
    with pytest.raises(NothingToRun):
        await sim.run_next()


async def test_a_worker_is_opened_once(sim):
    """A second opening would lose sight of the first."""
    async with Worker(sim.docket) as worker:
        with pytest.raises(DocketError, match="open already"):
            await worker.__aenter__()


async def test_an_automatic_task_that_needs_arguments_is_refused(sim):
    """A worker schedules it without any, and would fail at its start."""

    async def tick(city: str, perpetual: Perpetual = Perpetual(automatic=True)): ...

    with pytest.raises(ValueError, match=r"automatic=True.*city"):
        sim.docket.register(tick)


async def test_two_policies_of_a_worker_are_refused_without_any_task(sim):
    """The mistake is found where it is made."""
    with pytest.raises(ValueError, match="two"):
        Worker(sim.docket, dependencies={"a": Retry(attempts=2), "b": Retry(attempts=3)})
