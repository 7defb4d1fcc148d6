"""Outcomes on demand: scripts, single attempts, planted actions, jumps; and what is left behind."""

import asyncio
import time
from datetime import timedelta

import pytest

from docket_sim import (
    Cancelled,
    Deadlock,
    Depends,
    ExecutionCancelled,
    ExecutionState,
    ExponentialRetry,
    Failed,
    Finish,
    Hangs,
    InjectedFailure,
    LeakedTasks,
    Perpetual,
    Raises,
    Reason,
    Reschedule,
    Retry,
    Returns,
    Runs,
    Shared,
    Succeeded,
    Takes,
    Tally,
    Timeout,
    UnfinishedWork,
    current_attempt,
    simulate,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def trace():
    return []


@pytest.fixture
def charge(trace):
    """A task with three attempts, two seconds apart, of 30 seconds at most."""

    async def charge(
        order_id: int,
        retry: Retry = Retry(attempts=3, delay=2 * SECOND),
        timeout: Timeout = Timeout(30 * SECOND),
    ) -> str:
        trace.append(retry.attempt)
        return f"charged {order_id}"

    return charge


async def test_an_attempt_can_be_made_to_fail(sim, charge, trace):
    """By default the first one; its body does not run."""
    failing = sim.fail(charge)
    await sim.docket.add(charge)(7)
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert trace == [2]
    assert [(one.attempt, one.arguments) for one in failing.calls] == [(1, {"order_id": 7})]


@pytest.mark.parametrize(("attempts", "ran"), [((1, 2), [3]), (range(2, 4), [1]), (None, [])])
async def test_which_attempts_fail_is_said_by_number(sim, charge, trace, attempts, ran):
    """Several, or all of them."""
    sim.fail(charge, on_attempts=attempts, exc=ConnectionError("503"), unused_ok=True)
    await sim.docket.add(charge)(7)
    await sim.run_until_idle()
    assert trace == ran
    if attempts is None:
        assert str(sim.assert_failed(charge, error=ConnectionError).error) == "503"


async def test_an_injected_failure_has_a_name_of_its_own(sim, charge):
    """So that nobody takes it for one of the task's."""
    sim.fail(charge, on_attempts=None)
    await sim.docket.add(charge)(7)
    await sim.run_until_idle()
    sim.assert_failed(charge, error=InjectedFailure, match="charge was told to fail")


async def test_a_failure_may_come_after_the_body_has_done_its_work(sim, charge, trace):
    """The crash between charging the customer and saying so; also for one execution only."""
    sim.fail(charge, after_body=True, key="unlucky")
    for key in ("lucky", "unlucky"):
        await sim.docket.add(charge, key=key)(7)
    assert await sim.run_until_idle() == Tally(succeeded=2, retried=1)
    assert sorted(trace) == [1, 1, 2]


async def test_a_script_says_what_each_attempt_comes_to(sim, charge, trace):
    """It raises, it takes too long, it returns; time is virtual, the timeout real."""
    sim.script(charge, [Raises(ConnectionError), Takes(40 * SECOND), Returns("scripted")])
    execution = await sim.docket.add(charge)(7)
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=2, timed_out=1)
    assert (await execution.get_result(), trace) == ("scripted", [])
    assert sim.clock.elapsed == timedelta(seconds=2 + 30 + 2)


async def test_what_a_script_leaves_out_runs_as_usual(sim, charge, trace):
    """Outcomes may be given by number; they may follow one another."""
    sim.script(charge, {1: Takes(SECOND, then=Runs(then=Raises(KeyError("late"))))})
    execution = await sim.docket.add(charge)(7)
    await sim.run_until_idle()
    assert (await execution.get_result(), trace) == ("charged 7", [1, 2])
    sim.assert_retried(charge, delays=["2s"])


async def test_a_body_that_hangs_is_ended_by_its_timeout(sim, charge):
    """As in production."""
    sim.script(charge, [Hangs()])
    await sim.docket.add(charge)(7)
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1, timed_out=1)


def test_a_body_that_hangs_without_a_timeout_is_a_deadlock(trace):
    """Nothing could ever happen again, and the run says so."""
    with simulate() as sim:
        sim.script(job, [Hangs()])
        sim.run(sim.docket.add(job)())
        with pytest.raises(Deadlock):
            sim.run(sim.run_until_idle())


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([ConnectionError], "expected an outcome, Raises"),
        ([Raises("503")], "an exception or a class of them, found '503'"),
        ([Takes(-SECOND)], "a timedelta of 0 or more"),
        ({0: Hangs()}, "counted from 1, found 0"),
    ],
)
def test_nonsense_in_a_script_is_refused(charge, outcomes, words):
    """Where it is written."""
    with simulate() as sim, pytest.raises((TypeError, ValueError), match=words):
        sim.script(charge, outcomes)


async def test_one_attempt_is_performed_without_a_queue(sim, charge, trace):
    """What happened and what was decided are returned, and nothing follows from it."""
    performed = await sim.perform(charge, 7, attempt=2, key="k")
    assert performed.outcome == Succeeded("charged 7")
    assert isinstance(performed.settlement, Finish)
    assert performed.settlement.state is ExecutionState.COMPLETED
    assert (performed.result(), trace) == ("charged 7", [2])
    assert (await sim.docket.get_execution("k"), len(sim.timeline)) == (None, 0)
    assert current_attempt.get(None) is None


async def test_the_settlement_is_that_of_the_real_policy(sim, trace):
    """At that attempt: the third delay of an exponential retry, and then no more."""

    async def shaky(
        number: int, retry: ExponentialRetry = ExponentialRetry(attempts=4, minimum_delay=SECOND)
    ) -> None:
        raise ConnectionError("503")

    third = await sim.perform(shaky, number=7, attempt=3)
    assert third.settlement == Reschedule(sim.clock.now() + 4 * SECOND, 4, Reason.RETRY)
    last = await sim.perform("shaky", 7, attempt=4)
    assert isinstance(last.outcome, Failed)
    assert isinstance(last.settlement, Finish)
    with pytest.raises(ConnectionError, match="503"):
        last.result()


async def test_an_attempt_has_its_timeout_and_its_dependencies(sim, trace):
    """They are torn down, shared ones too; overrides hold."""

    def real() -> str:
        return "real"

    async def pool(name: str = Depends(real)):
        yield name
        trace.append(f"{name} closed")

    async def slow(pool: str = Shared(pool), timeout: Timeout = Timeout(SECOND)) -> None:
        await asyncio.sleep(60)

    sim.override(real, value="fake")
    performed = await sim.perform(slow)
    assert isinstance(performed.outcome, Failed)
    assert performed.outcome.timed_out
    assert (trace, sim.clock.elapsed) == (["fake closed"], SECOND)


async def test_an_attempt_can_be_cancelled_while_it_runs(sim, trace):
    """Its cleanup runs, and it is not retried."""

    async def tidy(retry: Retry = Retry(attempts=9)) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(1)
            trace.append(sim.clock.elapsed)

    performed = await sim.perform(tidy, cancel_after="5s")
    assert performed.outcome == Cancelled()
    assert trace == [6 * SECOND]
    with pytest.raises(ExecutionCancelled):
        performed.result()
    with pytest.raises(ValueError, match="counted from 1, found 0"):
        await sim.perform(tidy, attempt=0)


@pytest.mark.parametrize("when", ["+2h", 2 * HOUR, "an instant"])
async def test_an_action_happens_at_its_instant(sim, trace, when):
    """Whatever drives the world then; an awaitable is awaited."""
    instant = sim.clock.start + 2 * HOUR
    sim.at(instant if when == "an instant" else when, lambda: trace.append(sim.clock.elapsed))
    sim.at("+3h", lambda: asyncio.sleep(3600, trace.append("asleep")))
    assert await sim.run_until_idle() == Tally()
    assert trace == [2 * HOUR, "asleep"]
    assert sim.clock.elapsed == 4 * HOUR


async def test_an_action_can_cancel_what_runs(sim):
    """Such as a user who changes their mind."""

    async def long() -> None:
        await asyncio.sleep(7200)

    await sim.docket.add(long, key="k")()
    sim.at("+1h", lambda: sim.docket.cancel("k"))
    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert sim.clock.elapsed == HOUR


async def test_what_an_action_raises_ends_the_verb(sim):
    """An assertion in the middle of a run is one of the test's."""

    def check():
        assert sim.clock.elapsed == 2 * HOUR, "too early"

    sim.at("+1h", check)
    with pytest.raises(AssertionError, match="too early"):
        await sim.run_for("3h")


async def test_an_action_that_cannot_happen_is_refused(sim):
    """In the past, or no function."""
    await sim.run_for("1h")
    with pytest.raises(ValueError, match="an instant that is not past"):
        sim.at("+30m", print)
    with pytest.raises(TypeError, match="takes a function to call at that time"):
        sim.at("+2h", sim.docket.cancel("k"))
    with pytest.raises(ValueError, match="expected a duration such as"):
        sim.at("tomorrow", print)


async def test_a_clock_that_jumps_runs_what_was_due_late_and_once(sim, trace):
    """A laptop that was shut for the night: an hourly task does not make up for eight hours."""

    async def tick(perpetual: Perpetual = Perpetual(every=HOUR)) -> None:
        trace.append(sim.clock.elapsed)

    await sim.docket.add(tick, key="tick")()
    await sim.run_due()
    sim.clock.jump(8 * HOUR)
    assert await sim.run_due() == Tally(succeeded=1)
    assert trace == [timedelta(0), 8 * HOUR]
    sim.assert_scheduled(tick, due_in="1h")
    assert sim.clock.jumps == [(sim.clock.start, sim.clock.start + 8 * HOUR)]
    with pytest.raises(ValueError, match="jumps forward only"):
        sim.clock.jump(-HOUR)


async def test_a_sleeping_body_wakes_up_late_after_a_jump(sim, trace):
    """Also when it is an action that lets the machine sleep."""

    async def nap() -> None:
        await asyncio.sleep(60)
        trace.append(sim.clock.elapsed)

    await sim.docket.add(nap)()
    sim.at("+10s", lambda: sim.clock.jump(HOUR))
    await sim.run_until_idle()
    assert trace == [HOUR + 10 * SECOND]


async def job() -> None: ...


def test_due_work_that_nobody_ran_is_an_error():
    """The verb was forgotten. What an assertion was about is no surprise, nor is the future."""
    world = simulate()
    with pytest.raises(UnfinishedWork, match=r"job\(\) \[k\]: due now, scheduled at"), world as sim:
        sim.run(sim.docket.add(job, key="k")())
    with simulate() as sim:
        sim.run(sim.docket.add(job)())
        sim.assert_scheduled(job)
        sim.run(sim.docket.add(job, when=sim.clock.now() + HOUR)())
    with simulate(allow_pending=True) as sim:
        sim.run(sim.docket.add(job)())


def test_work_of_the_future_may_be_refused_too():
    """With `allow_pending=False`; nor may a body be left running."""

    async def nap() -> None:
        await asyncio.sleep(60)

    async def program() -> None:
        await sim.docket.add(nap)()
        await sim.run_due()
        await sim.docket.add(job, when=sim.clock.now() + HOUR)()

    both = pytest.raises(UnfinishedWork, match=r"nap\(\) .*running.*\n.*job\(\) .*due in 1h")
    with both, simulate(allow_pending=False) as sim:
        sim.run(program())
    with pytest.raises(ValueError, match="True, False or 'future', found 3"):
        simulate(allow_pending=3)


def test_an_action_whose_time_never_came_is_an_error():
    """The test ended before it."""
    never = pytest.raises(
        UnfinishedWork, match=r"print, planted for 2030-01-01 01:00:00Z at .*never"
    )
    with never, simulate() as sim:
        sim.at("+1h", print)


def test_a_task_that_outlives_the_test_is_an_error():
    """With the line where it stands."""

    async def forget() -> None:
        forgotten.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))
        await asyncio.sleep(0)

    forgotten = []
    with pytest.raises(LeakedTasks, match="forgotten: sleep, at"), simulate() as sim:
        sim.run(forget())
    with simulate(allow_leaked_tasks=True) as sim:
        sim.run(forget())


def test_real_sleeping_can_be_allowed():
    """Where a body has to be as slow as it is."""

    async def slow() -> None:
        time.sleep(0.001)

    with simulate(allow_blocking_sleep=True) as sim:
        sim.run(sim.docket.add(slow)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)


async def test_a_failure_whose_error_was_read_is_acknowledged(sim):
    """Whoever handles the error has seen it."""

    async def fails() -> None:
        raise LookupError("no such order")

    execution = await sim.docket.add(fails)()
    await sim.run_until_idle()
    with pytest.raises(LookupError):
        await execution.get_result()
    assert sim.failures == []


@pytest.mark.docket(inline=True)
async def test_inline_work_runs_when_it_is_added(sim, trace):
    """As in the eager modes of others, but through the engine: with retries, and follow-up work."""

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
