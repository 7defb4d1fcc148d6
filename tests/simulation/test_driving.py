"""The verbs that drive a simulation: each has one meaning, and work runs only inside of them."""

import asyncio
from datetime import datetime, timedelta

import pytest

from docket_sim import (
    CurrentDocket,
    Docket,
    ExecutionState,
    NothingToRun,
    Perpetual,
    Retry,
    SimulationError,
    Tally,
    Timeout,
    Worker,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
YEAR = timedelta(days=365)
ran = []


@pytest.fixture(autouse=True)
def _nothing_ran():
    ran.clear()


async def note(what):
    """Notes that it ran."""
    ran.append(what)


async def parent(docket: Docket = CurrentDocket()):
    """Schedules one child for now and one for tomorrow."""
    await docket.add(note)("now")
    await docket.add(note, when=docket.now() + DAY)("tomorrow")


async def takes_an_hour():
    """A body that waits for time to pass."""
    await asyncio.sleep(HOUR.total_seconds())
    ran.append("an hour later")


async def fails_once(retry: Retry = Retry(attempts=2, delay=SECOND)):
    """Succeeds on its second attempt."""
    if retry.attempt == 1:
        raise ConnectionError


async def overruns(timeout: Timeout = Timeout(SECOND)):
    """Never keeps its timeout."""
    await asyncio.sleep(60)


async def hourly(perpetual: Perpetual = Perpetual(every=HOUR)):
    """Runs every hour."""
    ran.append("tick")


async def test_nothing_runs_between_the_verbs(sim):
    """Time may pass in a test: work that is due stays where it is until a verb drives it."""
    await sim.docket.add(note)("due")
    await asyncio.sleep(HOUR.total_seconds())
    assert ran == []
    assert await sim.run_due() == Tally(succeeded=1)


async def test_run_due_runs_what_is_due_and_its_follow_ups_and_leaves_the_clock(sim):
    """What a task schedules for now belongs to now; tomorrow does not."""
    await sim.docket.add(parent)()
    assert await sim.run_due() == Tally(succeeded=2)
    assert (ran, sim.clock.elapsed) == (["now"], timedelta(0))


async def test_run_due_leaves_a_waiting_body_running(sim):
    """It is counted, and goes on when time passes."""
    await sim.docket.add(takes_an_hour)()
    assert await sim.run_due() == Tally(running=1)
    assert sim.clock.elapsed == timedelta(0)
    assert await sim.run_due() == Tally(running=1)
    assert await sim.run_for(HOUR) == Tally(succeeded=1)


async def test_run_due_with_nothing_due_does_nothing(sim):
    """Which is no error."""
    assert await sim.run_due() == Tally()


async def test_run_next_moves_to_the_next_due_time_and_runs_one_attempt(sim):
    """One attempt, to its end, however much else is due."""
    for what in ("first", "second"):
        await sim.docket.add(note, when=sim.clock.now() + DAY)(what)
    assert await sim.run_next() == Tally(succeeded=1)
    assert (ran, sim.clock.elapsed) == (["first"], DAY)
    assert await sim.run_next() == Tally(succeeded=1)
    assert (ran, sim.clock.elapsed) == (["first", "second"], DAY)


async def test_run_next_waits_for_the_end_of_a_body_that_takes_its_time(sim):
    """The clock stands where the attempt ended; other work that became due meanwhile stays."""
    await sim.docket.add(takes_an_hour)()
    await sim.docket.add(note, when=sim.clock.now() + SECOND)("due meanwhile")
    assert await sim.run_next() == Tally(succeeded=1)
    assert (ran, sim.clock.elapsed) == (["an hour later"], HOUR)
    assert await sim.run_next() == Tally(succeeded=1)
    assert sim.clock.elapsed == HOUR


async def test_run_next_takes_retries_one_by_one(sim):
    """An attempt that is to be retried is over; the retry is the next one."""
    await sim.docket.add(fails_once)()
    assert await sim.run_next() == Tally(retried=1)
    assert await sim.run_next() == Tally(succeeded=1)
    assert sim.clock.elapsed == SECOND


async def test_run_next_with_nothing_to_run_says_so(sim):
    """A step was asked for, and there is none: also when something runs already."""
    with pytest.raises(NothingToRun, match="found nothing"):
        await sim.run_next()
    await sim.docket.add(takes_an_hour)()
    await sim.run_due()
    with pytest.raises(NothingToRun, match="found 1 running"):
        await sim.run_next()


async def test_run_until_idle_runs_all_of_the_future(sim):
    """Follow-ups, retries and timeouts included; the clock stands at the last end."""
    sim.allow_failures = True
    for task in (parent, fails_once, overruns, takes_an_hour):
        await sim.docket.add(task)()
    expected = Tally(succeeded=5, retried=1, failed=1, timed_out=1)
    assert await sim.run_until_idle() == expected
    assert (ran, sim.clock.elapsed) == (["now", "an hour later", "tomorrow"], DAY)
    assert await sim.run_until_idle() == Tally()


async def test_run_for_moves_the_clock_that_far(sim):
    """What becomes due on the way runs, its last instant included; the rest waits."""
    for seconds in (1, 10, 11):
        await sim.docket.add(note, when=sim.clock.now() + seconds * SECOND)(seconds)
    assert await sim.run_for(10 * SECOND) == Tally(succeeded=2)
    assert (ran, sim.clock.elapsed) == ([1, 10], 10 * SECOND)
    assert await sim.run_for(timedelta(0)) == Tally()
    assert await sim.run_for(SECOND) == Tally(succeeded=1)


async def test_run_until_moves_the_clock_there(sim):
    """A body that is not over by then goes on afterwards, and is counted."""
    await sim.docket.add(takes_an_hour)()
    noon = sim.clock.start + timedelta(minutes=30)
    assert await sim.run_until(noon) == Tally(running=1)
    assert sim.clock.now() == noon
    assert await sim.run_until(noon) == Tally(running=1)
    assert await sim.run_until(noon + DAY) == Tally(succeeded=1)
    assert sim.clock.now() == noon + DAY


async def test_impossible_times_are_refused(sim):
    """Naive datetimes, the past, and negative durations; the clock stays."""
    with pytest.raises(ValueError, match="timezone-aware"):
        await sim.run_until(datetime(2031, 1, 1))
    with pytest.raises(ValueError, match="not past"):
        await sim.run_until(sim.clock.now() - SECOND)
    with pytest.raises(ValueError, match="backwards"):
        await sim.run_for(-SECOND)
    assert sim.clock.elapsed == timedelta(0)
    assert await sim.run_for(SECOND) == Tally()


async def test_one_verb_drives_at_a_time(sim):
    """A task under test must not drive the world that runs it."""
    refused = []

    async def drives():
        try:
            await sim.run_due()
        except SimulationError as error:
            refused.append(str(error))

    await sim.docket.add(drives)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert refused[0].startswith("run_due() cannot begin while another verb drives")


async def test_what_is_cancelled_between_two_verbs_counts_with_the_second(sim):
    """Whether it waited or ran: a tally is of what happened since the verb before."""
    await sim.docket.add(takes_an_hour, key="running")()
    await sim.docket.add(note, key="waiting", when=sim.clock.now() + DAY)("never")
    assert await sim.run_due() == Tally(running=1)
    await sim.docket.cancel("running")
    await sim.docket.cancel("waiting")
    assert await sim.run_until_idle() == Tally(cancelled=2)
    assert await sim.run_due() == Tally()
    assert ran == []


@pytest.mark.docket(workers=2, concurrency=1)
async def test_several_workers_share_the_work(sim):
    """With a concurrency of one each, two bodies run at once and the third waits."""
    for _ in range(3):
        await sim.docket.add(takes_an_hour)()
    await sim.run_until_idle()
    assert sim.clock.elapsed == 2 * HOUR
    assert {moment.worker for moment in sim.timeline} == {None, "worker-1", "worker-2"}


async def test_an_idle_year_costs_nothing(sim):
    """The clock jumps over it: once to what is due, and once to the end."""
    jumps = []
    advance = sim.clock.advance_to
    sim.clock.advance_to = lambda to: (jumps.append(to), advance(to))
    await sim.docket.add(note, when=sim.clock.now() + YEAR / 2)("half a year later")
    assert await sim.run_for(YEAR) == Tally(succeeded=1)
    assert len(jumps) == 2


async def test_an_hourly_task_runs_every_hour_of_a_year(sim):
    """From the first instant to the last, both included: 24 times 365 and one."""
    await sim.docket.add(hourly, key="hourly")()
    assert await sim.run_for(YEAR) == Tally(succeeded=8_761)
    assert len(ran) == 8_761


async def test_a_worker_of_ones_own_runs_until_all_is_finished(sim):
    """`run_until_finished` waits for the future on virtual time; no verb is needed."""
    await sim.docket.add(parent)()
    await sim.docket.add(fails_once)()
    async with Worker(sim.docket, "mine") as worker:
        await worker.run_until_finished()
    assert (ran, sim.clock.elapsed) == (["now", "tomorrow"], DAY)
    assert {moment.worker for moment in sim.timeline} == {None, "mine"}


async def test_a_worker_of_ones_own_runs_a_perpetual_so_often_at_most(sim):
    """`run_at_most` ends with the last run that it allows."""
    await sim.docket.add(hourly, key="hourly")()
    async with Worker(sim.docket, "mine") as worker:
        await worker.run_at_most({"hourly": 3})
    assert (ran, sim.clock.elapsed) == (["tick"] * 3, 2 * HOUR)


def test_tallies_compare_by_what_they_count():
    """What is not named is expected to be nothing."""
    assert Tally(succeeded=2, running=0) == Tally(succeeded=2)
    assert Tally(succeeded=2) != Tally(succeeded=2, retried=1)


@pytest.mark.parametrize(
    ("tally", "text"),
    [
        (Tally(), "Tally()"),
        (Tally(succeeded=2, lost=1), "Tally(succeeded=2, lost=1)"),
        (Tally(running=1, timed_out=3), "Tally(timed_out=3, running=1)"),
    ],
)
def test_tallies_print_as_they_are_written(tally, text):
    """Only what happened is shown."""
    assert repr(tally) == text


@pytest.mark.docket(inline=True)
async def test_inline_work_runs_when_it_is_added(sim):
    """As in the eager modes of others, but through the engine: with retries, and follow-up work."""

    trace = []

    async def child() -> None:
        trace.append("child")

    async def parent(retry: Retry = Retry(attempts=2)) -> None:
        trace.append(retry.attempt)
        if retry.attempt == 1:
            raise ConnectionError
        await sim.docket.add(child)()

    execution = await sim.docket.add(parent)()
    assert (trace, execution.state) == ([1, 2, "child"], ExecutionState.COMPLETED)
    later = await sim.docket.add(child, when=sim.clock.now() + HOUR)()
    assert later.state is ExecutionState.SCHEDULED
