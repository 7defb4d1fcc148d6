"""Cancelling: what waits never runs, what runs is cancelled, and what has ended stays as it is."""

import asyncio
from datetime import timedelta

import pytest
from guide_helpers import Work, seconds, starts

from docket_sim import Depends, ExecutionCancelled, Retry, Tally


@pytest.mark.parametrize("delay", [0, 60], ids=["queued", "scheduled"])
async def test_what_is_cancelled_before_it_begins_never_runs(sim, delay):
    """Its result is an `ExecutionCancelled`."""
    work = Work()
    when = sim.clock.now() + timedelta(seconds=delay)
    execution = await sim.docket.add(work.work, when=when, key="k")(1)
    await sim.docket.cancel("k")

    await sim.run_until_idle()

    assert work.log == []
    with pytest.raises(ExecutionCancelled, match=r"'k' \(work\) was cancelled"):
        await execution.get_result()


async def test_what_is_cancelled_while_it_runs_is_cancelled_and_not_retried(sim):
    """The body sees a `CancelledError`; its retry policy has no say."""
    work = Work(takes=60)
    execution = await sim.docket.add(work.work, key="k")(1)
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.cancel("k")

    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert work.log == ["1 began", "1 cancelled"]
    assert sim.clock.elapsed == timedelta(seconds=30)
    with pytest.raises(ExecutionCancelled):
        await execution.get_result()


@pytest.mark.docket(workers=3, concurrency=1)
async def test_a_cancellation_reaches_whichever_worker_has_the_execution(sim):
    """Who cancels need not know where it runs, and the others go on."""
    ended: list[int] = []

    async def nap(n: int) -> None:
        await asyncio.sleep(60)
        ended.append(n)

    for n in range(3):
        await sim.docket.add(nap, key=f"k{n}")(n)
    await sim.run_for(timedelta(seconds=30))
    assert {execution.worker for execution in (await sim.docket.snapshot()).running} == {
        "worker-1",
        "worker-2",
        "worker-3",
    }
    await sim.docket.cancel("k1")

    assert await sim.run_until_idle() == Tally(cancelled=1, succeeded=2)
    assert ended == [0, 2]


async def test_a_body_that_swallows_its_cancellation_and_returns_has_completed(sim):
    """What was done is done, and the result is kept."""
    work = Work(takes=60, heeds=False)
    execution = await sim.docket.add(work.work, key="k")(1)
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.cancel("k")

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert work.log == ["1 began", "1 cancelled", "1 ended"]
    assert await execution.get_result() == 1


async def test_what_is_cancelled_while_it_runs_is_torn_down(sim):
    """Its dependencies see the cancellation, and let go of what they hold."""
    log: list[str] = []

    async def connect():
        try:
            yield
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            log.append("closed")

    async def use(connection: None = Depends(connect)) -> None:
        await asyncio.sleep(60)

    await sim.docket.add(use, key="k")()
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.cancel("k")

    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert log == ["cancelled", "closed"]


async def test_cancelling_what_has_ended_or_was_never_there_does_nothing(sim):
    """A cancellation that comes too late changes no result."""
    work = Work()
    execution = await sim.docket.add(work.work, key="k")(1)
    await sim.run_until_idle()

    await sim.docket.cancel("k")
    await sim.docket.cancel("another")

    assert await sim.run_until_idle() == Tally()
    assert await execution.get_result() == 1
    assert await sim.docket.get_execution("another") is None


async def test_a_cancelled_retry_never_runs(sim):
    """An execution that waits for its next attempt can be cancelled as any other."""
    work = Work(fails=1)
    await sim.docket.add(work.work, key="k")(1)
    await sim.run_due()
    await sim.docket.cancel("k")

    await sim.run_until_idle()
    assert work.log == ["1 began"]


async def test_a_body_that_answers_its_cancellation_with_an_error_is_not_retried(sim):
    """Whatever becomes of a cancelled attempt, it is the last."""

    async def task(retry: Retry = Retry(attempts=3)) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise ValueError("interrupted") from None

    await sim.docket.add(task, key="k")()
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.cancel("k")
    await sim.run_until_idle()

    assert starts(sim) == seconds(0)
    sim.acknowledge_failures()


async def test_a_cancellation_comes_too_late_when_the_body_is_over(sim):
    """A teardown is not cut short: the work is done, and is committed."""
    log: list[str] = []

    async def transaction():
        yield
        await asyncio.sleep(60)
        log.append("committed")

    async def task(transaction: None = Depends(transaction)) -> str:
        return "done"

    execution = await sim.docket.add(task, key="k")()
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.cancel("k")

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["committed"]
    assert await execution.get_result() == "done"
