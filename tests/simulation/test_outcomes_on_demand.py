"""Outcomes on demand where they meet: scripts with policies, attempts, actions, and jumps."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from docket_sim import (
    Cancelled,
    CurrentExecution,
    Deadlock,
    Depends,
    Execution,
    ExecutionCancelled,
    ExecutionState,
    Failed,
    Finish,
    Hangs,
    InjectedFailure,
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
trace = []


@pytest.fixture(autouse=True)
def _nothing_happened():
    trace.clear()


async def charge(
    order_id: int,
    note: str = "none",
    retry: Retry = Retry(attempts=3, delay=2 * SECOND),
    timeout: Timeout = Timeout(30 * SECOND),
):
    """Three attempts, two seconds apart, of 30 seconds at most."""
    trace.append(retry.attempt)
    return f"charged {order_id}"


async def plain():
    """Has no policy."""
    trace.append("ran")


async def hourly(perpetual: Perpetual = Perpetual(every=HOUR)):
    """Notes when it ran."""
    trace.append(current_attempt.get().now())


class OutOfStock(Exception):
    """An error of the application's own, with a truth value."""

    def __len__(self):
        return 0


async def run(sim, task, *args, key=None):
    execution = await sim.docket.add(task, key=key)(*args)
    return execution, await sim.run_until_idle()


async def test_a_failure_on_an_attempt_that_is_not_reached_is_unused(sim):
    """The body succeeds at once; the third attempt never comes."""
    stand_in = sim.fail(charge, on_attempts=3, unused_ok=True)
    assert (await run(sim, charge, 7))[1] == Tally(succeeded=1)
    assert (trace, stand_in.uses, stand_in.calls) == ([1], 0, [])


async def test_a_failure_after_the_body_leaves_what_the_body_did(sim):
    """On every attempt: three bodies ran, and yet the execution has failed."""
    stand_in = sim.fail(charge, on_attempts=None, exc=ConnectionError, after_body=True)
    assert (await run(sim, charge, 7))[1] == Tally(failed=1, retried=2)
    assert (trace, [one.attempt for one in stand_in.calls]) == ([1, 2, 3], [1, 2, 3])
    sim.assert_failed(charge, error=ConnectionError)


async def test_a_failure_is_meant_for_one_execution_by_its_key(sim):
    """The calls of the others are not recorded: nothing was decided over them."""
    stand_in = sim.fail(charge, on_attempts=None, key="unlucky")
    await sim.docket.add(charge, key="lucky")(1)
    await sim.docket.add(charge, key="unlucky")(2)
    assert await sim.run_until_idle() == Tally(succeeded=1, failed=1, retried=2)
    assert {one.key for one in stand_in.calls} == {"unlucky"}
    assert sim.assert_failed(charge, error=InjectedFailure).key == "unlucky"


async def test_a_failure_sees_the_teardown_of_real_dependencies(sim):
    """They are resolved, and told what was raised."""

    @asynccontextmanager
    async def transaction():
        try:
            yield
        except InjectedFailure:
            trace.append("rolled back")
            raise

    async def task(db=Depends(transaction)):
        trace.append("ran")

    sim.fail(task)
    assert (await run(sim, task))[1] == Tally(failed=1)
    sim.acknowledge_failures()
    assert trace == ["rolled back"]


async def test_an_exception_without_truth_is_raised_all_the_same(sim):
    """It is the one that was asked for."""
    sim.allow_failures = True
    sim.fail(plain, exc=OutOfStock("socks"))
    execution, _ = await run(sim, plain)
    with pytest.raises(OutOfStock, match="socks"):
        await execution.get_result()


async def test_a_failure_in_a_block_ends_with_the_block(sim):
    """Afterwards the body runs again."""
    with sim.fail(plain):
        assert (await run(sim, plain))[1] == Tally(failed=1)
    sim.acknowledge_failures()
    assert (await run(sim, plain))[1] == Tally(succeeded=1)
    assert trace == ["ran"]


async def test_of_two_the_newer_decides_and_the_older_sees_the_rest(sim):
    """What the newer says nothing of falls through to the older, and then to the body."""
    sim.fail(charge, on_attempts=2, exc=KeyError("older"))
    sim.fail(charge, on_attempts=1, exc=KeyError("newer"))
    assert (await run(sim, charge, 7))[1] == Tally(succeeded=1, retried=2)
    assert trace == [3]


async def test_a_script_runs_the_body_that_stands_in(sim):
    """An override of the body lies below the script."""
    faked = sim.override(plain, body=lambda: trace.append("fake"))
    sim.script(plain, [Takes(SECOND)])
    assert (await run(sim, plain))[1] == Tally(succeeded=1)
    assert (trace, len(faked.calls), sim.clock.elapsed) == (["fake"], 1, SECOND)


@pytest.mark.parametrize(
    ("attempts", "words"),
    [(0, "found 0"), (-1, "found -1"), ([1, 0], "found 0"), (True, "found True"), (["1"], "'1'")],
)
def test_numbers_that_no_attempt_has_are_refused(attempts, words):
    """They are counted from 1."""
    with simulate() as sim, pytest.raises(ValueError, match=f"counted from 1, .*{words}"):
        sim.fail(plain, on_attempts=attempts)


@pytest.mark.parametrize("nonsense", ["503", int, 7, "an error"])
def test_what_cannot_be_raised_is_refused(nonsense):
    """Where it is written, and not as a failure of the task."""
    with simulate() as sim, pytest.raises(TypeError, match="an exception or a class of them"):
        sim.fail(plain, exc=nonsense)


@pytest.mark.parametrize(
    ("outcomes", "words"),
    [
        ([None], "expected an outcome, .*found None"),
        ([Raises], "expected an outcome"),
        ([Takes(40)], "Takes.. needs a timedelta of 0 or more, found 40"),
        ([Takes(SECOND, then=ConnectionError)], "expected an outcome"),
        ([Runs(then=Raises(int))], "an exception or a class of them, found <class 'int'>"),
        ({"1": Hangs()}, "counted from 1, found '1'"),
    ],
)
def test_nonsense_is_refused_also_deep_inside(outcomes, words):
    """Nothing is in place then."""
    with simulate() as sim:
        with pytest.raises((TypeError, ValueError), match=words):
            sim.script(plain, outcomes)
        assert sim.run(run(sim, plain))[1] == Tally(succeeded=1)


async def test_40_seconds_against_a_timeout_of_30(sim):
    """The timeout is the real one, and ends it after 30; the body does not run."""
    stand_in = sim.script(charge, [Takes(40 * SECOND)])
    assert (await run(sim, charge, 7))[1] == Tally(succeeded=1, retried=1, timed_out=1)
    assert (trace, sim.clock.elapsed) == ([2], 32 * SECOND)
    (one,) = stand_in.calls
    assert (one.at, one.attempt) == (sim.clock.start, 1)
    assert one.arguments == {"order_id": 7, "note": "none"}


async def test_29_seconds_are_within_a_timeout_of_30(sim):
    """Then the body runs."""
    sim.script(charge, [Takes(29 * SECOND)])
    assert (await run(sim, charge, 7))[1] == Tally(succeeded=1)
    assert (trace, sim.clock.elapsed) == ([1], 29 * SECOND)


async def test_time_may_pass_before_a_value_or_an_error(sim):
    """A slow answer, and a slow refusal."""
    sim.script(charge, [Takes(SECOND, then=Raises(KeyError)), Takes(SECOND, then=Returns(42))])
    execution, tally = await run(sim, charge, 7)
    assert (await execution.get_result(), tally) == (42, Tally(succeeded=1, retried=1))
    assert (trace, sim.clock.elapsed) == ([], 4 * SECOND)


async def test_a_body_may_run_and_then_something_else_is_returned(sim):
    """Its own result is dropped."""
    sim.script(charge, [Runs(then=Returns("something else"))])
    execution, _ = await run(sim, charge, 7)
    assert (await execution.get_result(), trace) == ("something else", [1])


async def test_a_body_may_run_and_then_hang(sim):
    """Its work is done, its timeout passes, and it is done again."""
    sim.script(charge, {1: Runs(then=Hangs())})
    assert (await run(sim, charge, 7))[1] == Tally(succeeded=1, retried=1, timed_out=1)
    assert trace == [1, 2]


async def test_a_plain_run_in_a_script_changes_nothing(sim):
    """But is recorded, since the script has decided over it."""
    stand_in = sim.script(charge, [Runs()])
    execution, _ = await run(sim, charge, 7)
    assert (await execution.get_result(), len(stand_in.calls)) == ("charged 7", 1)


async def test_a_failure_of_the_body_is_not_what_comes_after_it(sim):
    """What is to follow the body follows one that has returned."""

    async def fails(retry: Retry = Retry(attempts=2)):
        raise LookupError("its own")

    sim.script(fails, [Runs(then=Returns(1)), Runs(then=Raises(KeyError))])
    assert (await run(sim, fails))[1] == Tally(failed=1, retried=1)
    sim.assert_failed(fails, error=LookupError, match="its own")


async def test_a_scripted_value_travels_as_a_real_one(sim):
    """What cannot be encoded fails the attempt, as it would in production."""
    sim.allow_failures = True
    sim.script(plain, [Returns(object())])
    assert (await run(sim, plain))[1] == Tally(failed=1)


async def test_what_hangs_can_be_cancelled(sim):
    """By an action, an hour later."""
    sim.script(plain, [Hangs()])
    await sim.docket.add(plain, key="k")()
    sim.at("+1h", lambda: sim.docket.cancel("k"))
    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert (trace, sim.clock.elapsed) == ([], HOUR)


def test_what_hangs_without_a_timeout_is_a_deadlock_that_names_it():
    """Though nothing fails, the run says that it cannot go on."""
    with simulate() as sim:
        sim.script(plain, [Hangs()])
        sim.run(sim.docket.add(plain, key="k")())
        with pytest.raises(Deadlock, match=r"since 2030-01-01T00:00:00.*[\s\S]*plain"):
            sim.run(sim.run_until_idle())
        assert trace == []


async def test_a_script_for_a_key_leaves_the_others_alone(sim):
    """They run their bodies."""
    sim.script(charge, [Returns("scripted")], key="one")
    one, _ = await run(sim, charge, 1, key="one")
    two, _ = await run(sim, charge, 2, key="two")
    assert (await one.get_result(), await two.get_result()) == ("scripted", "charged 2")


# One attempt.


async def test_a_performed_attempt_leaves_nothing_behind(sim):
    """No record, no event, no failure, no attempt in the test's own context."""

    async def fails(execution: Execution = CurrentExecution()):
        trace.append((execution.key, execution.attempt))
        raise LookupError("no such order")

    performed = await sim.perform(fails, key="k", attempt=5)
    assert isinstance(performed.outcome, Failed)
    assert isinstance(performed.settlement, Finish)
    assert performed.settlement.state is ExecutionState.FAILED
    with pytest.raises(LookupError, match="no such order"):
        performed.result()
    assert trace == [("k", 5)]
    assert (await sim.docket.get_execution("k"), list(sim.timeline)) == (None, [])
    assert (sim.failures, current_attempt.get(None)) == ([], None)
    assert await sim.run_until_idle() == Tally()


@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_failed_attempt_asks_for_the_next(sim, attempt):
    """After the delay, with the next number, counted from when it ended."""
    sim.script(charge, {attempt: Takes(SECOND, then=Raises(ConnectionError))})
    performed = await sim.perform(charge, 7, attempt=attempt)
    when = sim.clock.start + 3 * SECOND
    assert performed.settlement == Reschedule(when, attempt + 1, Reason.RETRY)


async def test_the_last_attempt_asks_for_none(sim):
    """It finishes as failed."""
    sim.fail(charge, on_attempts=3)
    performed = await sim.perform(charge, 7, attempt=3)
    assert isinstance(performed.settlement, Finish)
    assert performed.settlement.state is ExecutionState.FAILED


async def test_the_run_of_a_perpetual_asks_for_the_next_run(sim):
    """Its number is 1 again."""
    performed = await sim.perform(hourly)
    assert performed.outcome == Succeeded(None)
    assert performed.settlement == Reschedule(sim.clock.start + HOUR, 1, Reason.PERPETUAL)


async def test_the_policy_that_stands_in_decides(sim):
    """And counts as used."""
    stand_in = sim.override(plain, retry=Retry(attempts=2, delay=HOUR))
    sim.fail(plain)
    performed = await sim.perform(plain)
    assert performed.settlement == Reschedule(sim.clock.start + HOUR, 2, Reason.RETRY)
    assert stand_in.uses == 1


async def test_a_performed_attempt_has_its_timeout(sim):
    """It ends it, and the retry is asked for."""
    sim.script(charge, [Hangs()])
    performed = await sim.perform(charge, 7)
    assert isinstance(performed.outcome, Failed)
    assert performed.outcome.timed_out
    assert performed.settlement == Reschedule(sim.clock.start + 32 * SECOND, 2, Reason.RETRY)


async def test_a_shared_instance_lasts_as_long_as_the_attempt(sim):
    """Each attempt that is performed has one of its own, torn down before it is returned."""

    async def pool():
        trace.append("+")
        yield "pool"
        trace.append("-")

    async def task(pool=Shared(pool)):
        return pool

    for _ in range(2):
        assert (await sim.perform(task)).result() == "pool"
    assert trace == ["+", "-"] * 2


async def test_a_cancelled_attempt_has_no_result(sim):
    """Neither retry nor next run is asked for."""
    sim.script(hourly, [Hangs()])
    performed = await sim.perform(hourly, cancel_after=5 * SECOND)
    assert (performed.outcome, sim.clock.elapsed) == (Cancelled(), 5 * SECOND)
    assert isinstance(performed.settlement, Finish)
    assert performed.settlement.state is ExecutionState.CANCELLED
    with pytest.raises(ExecutionCancelled):
        performed.result()


def test_a_cancellation_that_comes_too_late_is_forgotten():
    """The attempt is over; no time has to pass for it any more."""
    with simulate() as sim:
        performed = sim.run(sim.perform(plain, cancel_after="1h"))
        assert performed.outcome == Succeeded(None)
        sim.script(plain, [Hangs()])
        sim.run(sim.docket.add(plain)())
        with pytest.raises(Deadlock, match=r"since 2030-01-01T00:00:00\+00:00 \(\+0s\)"):
            sim.run(sim.run_until_idle())


@pytest.mark.parametrize("attempt", [0, -1, True, "1"])
async def test_attempts_that_do_not_exist_are_not_performed(sim, attempt):
    """They are counted from 1."""
    with pytest.raises(ValueError, match="attempts are counted from 1"):
        await sim.perform(plain, attempt=attempt)
    assert trace == []


async def test_arguments_that_do_not_fit_are_refused(sim):
    """Before anything runs."""
    with pytest.raises(TypeError):
        await sim.perform(charge)
    assert trace == []


# Actions.


@pytest.mark.parametrize("when", ["+2h", 2 * HOUR, datetime.fromisoformat("2030-01-01T02:00Z")])
async def test_an_instant_may_be_said_in_three_ways(sim, when):
    """Since the start, or on the calendar."""
    sim.at(when, lambda: trace.append(sim.clock.elapsed))
    assert await sim.run_until_idle() == Tally()
    assert (trace, sim.clock.elapsed) == ([2 * HOUR], 2 * HOUR)


async def test_an_action_may_be_a_coroutine_function(sim):
    """The verb waits for its end."""

    async def act():
        await asyncio.sleep(3600)
        trace.append(sim.clock.elapsed)

    sim.at("+1h", act)
    await sim.run_until_idle()
    assert trace == [2 * HOUR]


async def test_actions_of_one_instant_happen_in_the_order_of_planting(sim):
    """Before or after each other, but never at once."""
    for number in range(5):
        sim.at("+1h", lambda number=number: trace.append(number))
    await sim.run_for("1h")
    assert trace == [0, 1, 2, 3, 4]


async def test_an_action_at_the_present_instant_waits_for_a_verb(sim):
    """And happens in it, though the clock stands."""
    sim.at("+0s", lambda: trace.append("acted"))
    assert trace == []
    assert await sim.run_due() == Tally()
    assert (trace, sim.clock.elapsed) == (["acted"], timedelta(0))


async def test_an_action_may_plant_another_and_schedule_work(sim):
    """The verb runs on until both are done."""

    async def first():
        await sim.docket.add(plain)()
        sim.at("+2h", lambda: trace.append(sim.clock.elapsed))

    sim.at("+1h", first)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert trace == ["ran", 2 * HOUR]


async def test_an_error_of_an_action_ends_the_verb_at_that_instant(sim):
    """With that very exception; a further verb takes the run up where it stands."""
    error = LookupError("gone")

    def act():
        raise error

    sim.at("+1h", act)
    await sim.docket.add(plain, when=sim.clock.now() + 2 * HOUR)()
    with pytest.raises(LookupError) as caught:
        await sim.run_for("3h")
    assert (caught.value, sim.clock.elapsed, trace) == (error, HOUR, [])
    assert await sim.run_until_idle() == Tally(succeeded=1)


async def test_an_error_of_an_asynchronous_action_ends_the_verb(sim):
    """When it is raised, not when the action began; what pytest itself raises counts as well."""

    async def act():
        await asyncio.sleep(60)
        pytest.fail("not yet")

    sim.at("+1h", act)
    with pytest.raises(pytest.fail.Exception, match="not yet"):
        await sim.run_until_idle()
    assert sim.clock.elapsed == HOUR + 60 * SECOND


async def test_of_two_errors_at_one_instant_the_second_is_not_lost(sim):
    """The first ends the verb, the second the next one."""
    sim.at("+1h", lambda: {}["first"])
    sim.at("+1h", lambda: {}["second"])
    for gone in ("first", "second"):
        with pytest.raises(KeyError, match=gone):
            await sim.run_for("2h")


async def test_an_error_while_no_verb_is_under_way_is_raised_by_the_next(sim):
    """It is not lost, though the test itself let time pass."""
    sim.at("+1h", lambda: {}["gone"])
    await asyncio.sleep(7200)
    with pytest.raises(KeyError, match="gone"):
        await sim.run_due()


async def test_what_no_action_can_be_is_refused(sim):
    """The past, naive datetimes, and what is not a function; no coroutine is left unawaited."""
    await sim.run_for("1h")
    for when in ("+59m", sim.clock.now() - SECOND, datetime(2031, 1, 1)):
        with pytest.raises(ValueError):
            sim.at(when, plain)
    with pytest.raises(TypeError, match=r"write sim\.at\(when, lambda: \.\.\.\)"):
        sim.at("+2h", plain())
    with pytest.raises(TypeError, match="takes a function to call"):
        sim.at("+2h", None)
    assert await sim.run_until_idle() == Tally()


def test_an_action_whose_time_never_came_is_reported_in_these_words():
    """With its line, and with where it was planted."""

    def act(): ...

    refused = pytest.raises(UnfinishedWork)
    with refused as caught, simulate() as sim:
        sim.at("+2h", act)
        sim.run(sim.run_for("1h"))
    head, line, _ = str(caught.value).split("\n")
    assert head == "the test ended with work left over:"
    assert line.startswith("  act, planted for 2030-01-01 02:00:00Z at test_outcomes_on_demand.py:")
    assert line.endswith(", whose time never came")


# Jumps.


async def test_eight_hours_in_one_stroke_run_an_hourly_task_once(sim):
    """Late; the next run is an hour after that."""
    await sim.docket.add(hourly, key="hourly")()
    await sim.run_due()
    sim.clock.jump(8 * HOUR)
    assert await sim.run_for("1h") == Tally(succeeded=2)
    assert trace == [sim.clock.start + hours * HOUR for hours in (0, 8, 9)]


async def test_all_that_became_due_in_a_jump_runs_late_in_order(sim):
    """The one that was due first, first; each once."""

    async def note(what):
        trace.append((what, sim.clock.elapsed))

    for hours in (3, 1, 2):
        await sim.docket.add(note, when=sim.clock.now() + hours * HOUR)(hours)
    sim.clock.jump(8 * HOUR)
    assert await sim.run_due() == Tally(succeeded=3)
    assert trace == [(hours, 8 * HOUR) for hours in (1, 2, 3)]


async def test_an_action_whose_time_lay_in_a_jump_happens_late(sim):
    """As a timer of a machine that slept."""
    sim.at("+1h", lambda: trace.append(sim.clock.elapsed))
    sim.clock.jump(8 * HOUR)
    await sim.run_due()
    assert trace == [8 * HOUR]


async def test_a_timeout_whose_time_lay_in_a_jump_ends_its_body(sim):
    """At once when the machine is awake again."""

    async def slow(timeout: Timeout = Timeout(60 * SECOND)):
        await asyncio.sleep(7 * 3600)

    await sim.docket.add(slow)()
    await sim.run_due()
    sim.clock.jump(HOUR)
    assert await sim.run_due() == Tally(failed=1, timed_out=1)
    sim.acknowledge_failures()


async def test_a_jump_in_an_action_past_the_end_of_the_verb(sim):
    """What became due runs, and the clock stays where it jumped to."""
    await sim.docket.add(plain, when=sim.clock.now() + 2 * HOUR)()
    sim.at("+30m", lambda: sim.clock.jump(8 * HOUR))
    assert await sim.run_for("1h") == Tally(succeeded=1)
    assert sim.clock.elapsed == timedelta(hours=8, minutes=30)
    half_past = sim.clock.start + timedelta(minutes=30)
    assert sim.clock.jumps == [(half_past, half_past + 8 * HOUR)]


async def test_a_jump_while_a_body_runs_does_not_run_it_twice(sim):
    """Its lease ran out, but no other worker has taken it over meanwhile."""

    async def nap():
        trace.append("began")
        await asyncio.sleep(60)
        trace.append(sim.clock.elapsed)

    await sim.docket.add(nap)()
    sim.at("+10s", lambda: sim.clock.jump(8 * HOUR))
    await sim.run_until_idle()
    assert trace == ["began", 8 * HOUR + 10 * SECOND]


@pytest.mark.parametrize(
    ("delta", "error"), [(-HOUR, ValueError), (3600, TypeError), ("1h", TypeError)]
)
def test_a_jump_is_a_span_of_time_and_goes_forward(delta, error):
    """The clock stays."""
    with simulate() as sim:
        with pytest.raises(error):
            sim.clock.jump(delta)
        assert (sim.clock.elapsed, sim.clock.jumps) == (timedelta(0), [])


class Declined(Exception):
    """An error that needs an argument."""

    def __init__(self, code):
        super().__init__(code)


async def test_an_error_that_cannot_be_made_is_refused_when_it_is_asked_for(sim):
    """In the attempt, it would be a TypeError in place of the error that is meant."""
    for ask in (
        lambda: sim.fail(plain, exc=Declined),
        lambda: sim.fail(plain, exc=Declined, after_body=True),
        lambda: sim.script(plain, [Takes(SECOND, then=Raises(Declined))]),
    ):
        with pytest.raises(
            TypeError, match=r"Declined, which cannot: .*'code'.*: Declined\(\.\.\.\)"
        ):
            ask()
    sim.fail(plain, exc=Declined(3))
    assert (await sim.perform(plain)).outcome.error.args == (3,)


async def test_a_parameter_of_the_task_is_not_taken_for_one_of_perform(sim):
    """Where both have the name, the task's own goes by position."""

    async def issue(key: str = "default", attempt: int = 0, cancel_after: str = "never"):
        return f"{key}, {attempt}, {cancel_after}"

    for given in ({"key": "brass"}, {"attempt": 2}, {"cancel_after": "1h"}):
        with pytest.raises(TypeError, match="for itself, and issue has an argument of that name"):
            await sim.perform(issue, **given)
    assert (await sim.perform(issue, "brass", key="k")).result() == "brass, 0, never"
