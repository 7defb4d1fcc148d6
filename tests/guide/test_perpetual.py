"""Perpetual: tasks that schedule their own next run."""

import asyncio
from datetime import timedelta

import pytest
from guide_helpers import seconds, starts, the_failure

from docket_sim import Perpetual, Retry, Tally, TaskKey, Timeout

MINUTE = timedelta(minutes=1)


async def test_it_runs_again_and_again_under_one_key(sim):
    """Each run is due `every` after the start of the one before."""
    keys: list[str] = []

    async def poll(key: str = TaskKey(), perpetual: Perpetual = Perpetual(every=MINUTE)) -> None:
        keys.append(key)
        await asyncio.sleep(20)

    await sim.docket.add(poll, key="poll")()
    assert await sim.run_for(timedelta(minutes=3.5)) == Tally(succeeded=4)
    assert starts(sim) == seconds(0, 60, 120, 180)
    assert keys == ["poll"] * 4


async def test_a_run_that_takes_longer_than_its_interval_is_followed_at_once(sim):
    """Two runs never overlap, and missed ones are not made up for."""

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> None:
        await asyncio.sleep(90)

    await sim.docket.add(poll, key="poll")()
    await sim.run_for(timedelta(minutes=5))
    assert starts(sim) == seconds(0, 90, 180, 270)


async def test_a_run_can_be_the_last(sim):
    """`cancel()` ends the execution with this run, as completed."""
    runs: list[int] = []

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> str:
        runs.append(1)
        if len(runs) == 3:
            perpetual.cancel()
        return f"run {len(runs)}"

    execution = await sim.docket.add(poll)()
    assert await sim.run_until_idle() == Tally(succeeded=3)
    assert await execution.get_result() == "run 3"


async def test_a_failed_run_is_followed_by_the_next(sim):
    """One bad poll does not end the polling."""

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> None:
        raise ValueError("no luck")

    await sim.docket.add(poll, key="poll")()
    assert await sim.run_for(timedelta(minutes=2.5)) == Tally(failed=3)
    assert len(sim.acknowledge_failures()) == 3


async def test_retries_come_before_the_next_run(sim):
    """A run's attempts belong to it; the next run's number starts from 1."""
    attempts: list[int] = []

    async def poll(
        perpetual: Perpetual = Perpetual(every=MINUTE),
        retry: Retry = Retry(attempts=2, delay=timedelta(seconds=10)),
    ) -> None:
        attempts.append(retry.attempt)
        raise ValueError("no luck")

    await sim.docket.add(poll, key="poll")()
    assert await sim.run_for(timedelta(seconds=59)) == Tally(failed=1, retried=1)
    assert attempts == [1, 2]
    assert await sim.run_for(timedelta(seconds=15)) == Tally(retried=1)
    assert attempts == [1, 2, 1]
    sim.acknowledge_failures()


async def test_a_run_can_give_the_next_one_other_arguments(sim):
    """`perpetuate(...)` takes what the task takes; without it the arguments stay."""
    received: list[tuple[int, str]] = []

    async def page(
        cursor: int, feed: str = "news", perpetual: Perpetual = Perpetual(every=MINUTE)
    ) -> None:
        received.append((cursor, feed))
        if cursor < 30:
            perpetual.perpetuate(cursor + 10, feed=feed)
        elif len(received) == 5:
            perpetual.cancel()

    await sim.docket.add(page)(10, "sport")
    assert await sim.run_until_idle() == Tally(succeeded=5)
    assert received == [(10, "sport"), (20, "sport"), *[(30, "sport")] * 3]


async def test_arguments_for_the_next_run_are_checked_at_the_call(sim):
    """A mistake in them fails this run, instead of the next."""

    async def page(cursor: int, perpetual: Perpetual = Perpetual(every=MINUTE)) -> None:
        perpetual.cancel()
        perpetual.perpetuate(curser=cursor)

    await sim.docket.add(page)(10)
    assert await sim.run_until_idle() == Tally(failed=1)
    assert "page(cursor: int): missing a required argument" in str(the_failure(sim))


async def test_a_run_can_choose_when_the_next_is_due(sim):
    """`after` counts from the end of this run, `at` names an instant; both hold once."""

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> None:
        await asyncio.sleep(10)
        match len(starts(sim)):
            case 1:
                perpetual.after(timedelta(seconds=5))
            case 2:
                perpetual.at(sim.clock.start + timedelta(hours=1))
            case 4:
                perpetual.cancel()

    await sim.docket.add(poll)()
    assert await sim.run_until_idle() == Tally(succeeded=4)
    assert starts(sim) == seconds(0, 15, 3600, 3660)


async def test_cancelling_its_key_ends_it(sim):
    """Between two runs, a perpetual waits as anything else that is scheduled."""

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> None: ...

    await sim.docket.add(poll, key="poll")()
    await sim.run_for(timedelta(minutes=2.5))
    await sim.docket.cancel("poll")

    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 60, 120)


async def test_cancelling_a_run_ends_it(sim):
    """A run that was cancelled is not followed by another."""

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> None:
        await asyncio.sleep(30)

    await sim.docket.add(poll, key="poll")()
    await sim.run_for(timedelta(seconds=15))
    await sim.docket.cancel("poll")

    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert starts(sim) == seconds(0)


async def test_a_run_that_swallows_its_cancellation_completes_and_is_the_last(sim):
    """Its result is kept, and no run follows it."""

    async def poll(perpetual: Perpetual = Perpetual(every=MINUTE)) -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            return "cut short"

    execution = await sim.docket.add(poll, key="poll")()
    await sim.run_for(timedelta(seconds=15))
    await sim.docket.cancel("poll")

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "cut short"


async def test_a_run_that_times_out_is_followed_by_the_next(sim):
    """A timeout is a failure, and a failure does not end a perpetual."""

    async def poll(
        perpetual: Perpetual = Perpetual(every=MINUTE),
        timeout: Timeout = Timeout(timedelta(seconds=5)),
    ) -> None:
        await asyncio.sleep(3600)

    await sim.docket.add(poll, key="poll")()
    assert await sim.run_for(timedelta(seconds=90)) == Tally(failed=2, timed_out=2)
    sim.acknowledge_failures()


async def automatic(perpetual: Perpetual = Perpetual(every=MINUTE, automatic=True)) -> None:
    await asyncio.sleep(1)
    perpetual.cancel()


@pytest.mark.docket(tasks=[automatic])
async def test_an_automatic_one_is_scheduled_by_the_worker(sim):
    """Its key is its name, so that many workers schedule it once."""
    assert await sim.run_until_idle() == Tally(succeeded=1)

    [started] = [moment for moment in sim.timeline if moment.what == "started"]
    assert (started.key, started.elapsed) == ("automatic", timedelta(0))


@pytest.mark.docket(tasks=[automatic], workers=3)
async def test_an_automatic_one_is_scheduled_once_for_all_workers(sim):
    """The second worker finds the key taken."""
    assert await sim.run_for(timedelta(seconds=30)) == Tally(succeeded=1)
    assert [moment.what for moment in sim.timeline].count("dropped") == 2


def test_an_interval_must_not_be_negative():
    """Nonsense is refused where it is written."""
    with pytest.raises(ValueError, match="every must not be negative"):
        Perpetual(every=-MINUTE)
