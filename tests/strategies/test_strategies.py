"""Strategies: what they draw is taken by the engine, and is reduced to what is simple."""

import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from docket_sim import (
    Deadlock,
    ExponentialRetry,
    Hangs,
    InjectedFailure,
    Raises,
    Retry,
    Runs,
    Takes,
    Tally,
    Timeout,
    simulate,
)
from docket_sim.strategies import (
    Schedule,
    Step,
    durations,
    failure_scripts,
    retry_policies,
    schedules,
    timeouts,
)

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
NONE = timedelta(0)

# Health checks stay on: a strategy that filters too much or draws too much fails here.
some = settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],  # it traces every line
)


async def charge(
    order: int = 7, retry: Retry = Retry(attempts=2), timeout: Timeout = Timeout(HOUR)
) -> int:
    return order


def lenient(**options):
    return simulate(allow_failures=True, allow_pending=True, **options)


@some
@given(policy=retry_policies(max_attempts=None, min_delay=SECOND), limit=timeouts())
def test_every_policy_and_timeout_is_taken_by_the_engine(policy, limit):
    """They stand in for those of a task, and decide: three failures need four attempts."""
    with lenient() as sim:
        sim.docket.register(charge)
        sim.override(charge, retry=policy, timeout=limit)
        sim.fail(charge, on_attempts=[1, 2, 3])
        sim.run(sim.docket.add(charge)())
        tally = sim.run(sim.run_until_idle())
    attempts = policy.attempts or 4
    assert tally == Tally(
        retried=min(attempts - 1, 3), succeeded=int(attempts >= 4), failed=int(attempts < 4)
    )


@some
@given(script=failure_scripts(errors=(InjectedFailure, ValueError("no"))))
def test_every_script_is_played_to_its_end(script):
    """As many attempts begin as the script has until one runs and succeeds, or all and one more."""
    with lenient() as sim:
        sim.docket.register(charge)
        sim.override(charge, retry=Retry(attempts=10))
        sim.script(charge, script)
        sim.run(sim.docket.add(charge)())
        tally = sim.run(sim.run_until_idle())
    until_success = script.index(Runs()) if Runs() in script else len(script)
    assert tally.succeeded == 1
    assert tally.retried == until_success
    assert tally.timed_out == sum(one == Hangs() for one in script[:until_success])


@some
@given(schedule=schedules(), again=st.booleans())
def test_every_schedule_is_played(schedule, again):
    """Each of its keys ends, and none runs more often than it was added or replaced."""
    with lenient() as sim:
        sim.docket.register(charge)
        sim.run(schedule.play(sim, charge, 7))
        if again:
            sim.run(schedule.play(sim, charge, order=8))
        sim.run(sim.run_until_idle())
        assert sim.run(sim.docket.snapshot()).total_tasks == 0
        for key in schedule.keys:
            asked = sum(step.key == key and step.operation != "cancel" for step in schedule)
            begun = sum(moment.key == key and moment.what == "started" for moment in sim.timeline)
            assert begun <= asked * (1 + again)


def test_a_schedule_takes_its_steps_at_their_instants():
    """An added key is cancelled in time; a replaced one runs once, when its replacement is due."""
    schedule = Schedule(
        (
            Step("add", "a", when=10 * SECOND),
            Step("add", "b", when=2 * SECOND),
            Step("replace", "b", when=5 * SECOND, after=SECOND),
            Step("cancel", "a", after=SECOND),
        )
    )
    assert (len(schedule), schedule.keys) == (4, ["a", "b"])
    with simulate() as sim:
        sim.run(schedule.play(sim, charge, 7))
        assert sim.clock.elapsed == 2 * SECOND
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, cancelled=1)
        assert [m.elapsed for m in sim.timeline if m.what == "started"] == [6 * SECOND]


def test_a_hanging_attempt_without_a_timeout_is_said_to_be_a_deadlock():
    """The docstring of `failure_scripts` promises it."""

    async def unlimited() -> None: ...

    with lenient() as sim:
        sim.docket.register(unlimited)
        sim.script(unlimited, [Hangs()])
        sim.run(sim.docket.add(unlimited)())
        with pytest.raises(Deadlock):
            sim.run(sim.run_until_idle())


def simplest(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=settings(some, max_examples=300))


def test_a_failing_policy_is_reduced_to_a_simple_one():
    """What remains is what the failure needs, and the bounds of the rest."""
    found = simplest(retry_policies())
    assert (type(found), found.attempts, found.delay) == (Retry, 1, NONE)
    found = simplest(retry_policies(), lambda policy: policy.attempts >= 3)
    assert repr(found) == "Retry(attempts=3, delay=0:00:00)"
    found = simplest(retry_policies(max_attempts=None), lambda policy: policy.attempts is None)
    assert repr(found) == "Retry(attempts=None, delay=0:00:00)"
    found = simplest(retry_policies(), lambda policy: policy.delay > 5 * SECOND)
    assert repr(found) == "Retry(attempts=1, delay=0:00:06)"
    found = simplest(retry_policies(), lambda policy: getattr(policy, "jitter", 0) > 0.25)
    assert isinstance(found, ExponentialRetry)
    assert (found.minimum_delay, found.maximum_delay, found.jitter) == (NONE, NONE, 0.26)


def test_a_failing_timeout_is_reduced_to_the_shortest():
    """In whole seconds, or in what its bounds need."""
    assert simplest(timeouts()).base == SECOND
    assert simplest(timeouts(), lambda one: one.base > 90 * SECOND).base == 91 * SECOND
    short = timeouts(shortest=timedelta(milliseconds=250), longest=SECOND)
    assert simplest(short, lambda one: one.base > SECOND / 2).base == timedelta(milliseconds=501)


def test_a_failing_script_is_reduced_to_the_fewest_and_plainest_attempts():
    """One attempt that fails at once, unless more is needed."""
    assert simplest(failure_scripts()) == [Runs()]
    assert simplest(failure_scripts(min_size=2)) == [Runs(), Runs()]
    assert simplest(failure_scripts(succeeds=False)) == [Raises(ConnectionError)]
    assert simplest(failure_scripts(), lambda script: Hangs() in script) == [Hangs()]
    late = simplest(failure_scripts(), lambda s: any(isinstance(one, Takes) for one in s))
    assert late == [Takes(SECOND, Raises(ConnectionError))]


def test_a_failing_schedule_is_reduced_to_its_steps():
    """A first key, due at once, without pauses."""
    assert simplest(schedules()) == Schedule((Step("add", "a"),))
    found = simplest(
        schedules(), lambda one: {"cancel", "replace"} <= {step.operation for step in one}
    )
    assert sorted(found, key=str) == [Step("cancel", "a"), Step("replace", "a")]


@some
@given(
    st.data(),
    st.sampled_from([NONE, timedelta(microseconds=3), SECOND]),
    st.sampled_from([timedelta(milliseconds=1500), HOUR]),
)
def test_bounds_are_kept(data, shortest, longest):
    """Whatever they are, both belong to what may be drawn."""
    assert shortest <= data.draw(durations(shortest, longest)) <= longest
    policy = data.draw(retry_policies(min_attempts=2, max_attempts=3, jitter=False))
    assert policy.attempts in {2, 3}
    assert not getattr(policy, "jitter", 0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: retry_policies(min_attempts=0), "at least 1"),
        (lambda: retry_policies(min_attempts=3, max_attempts=2), "at least min_attempts, 3"),
        (lambda: retry_policies(min_delay=-SECOND), "from 0 up"),
        (lambda: timeouts(shortest=NONE), "longer than zero"),
        (lambda: timeouts(shortest=HOUR, longest=SECOND), "in order"),
        (lambda: failure_scripts(errors=()), "errors is empty"),
        (lambda: failure_scripts(min_size=0), "from 1 up"),
        (lambda: failure_scripts(min_size=2, max_size=1), "in order; found 2 and 1"),
        (lambda: schedules(keys=()), "a key and an operation"),
        (lambda: schedules(max_size=0), "found 1 and 0"),
    ],
)
def test_bounds_that_make_no_sense_are_refused_where_they_are_given(make, message):
    """Not when the first example is drawn."""
    with pytest.raises(ValueError, match=message):
        make()


def test_a_bound_that_is_no_duration_is_refused():
    """Seconds as a number could be minutes."""
    with pytest.raises(TypeError, match="two timedeltas, found 5"):
        durations(5, HOUR)


def test_without_hypothesis_the_import_says_what_to_install():
    """The error names the extra; another module that is missing is reported as itself."""
    program = """
import sys
for missing in ("hypothesis", "docket_sim.strategies.scripts"):
    sys.modules[missing] = None
    try:
        import docket_sim.strategies
    except ModuleNotFoundError as error:
        print(error)
    del sys.modules[missing]
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    said, itself = done.stdout.splitlines()
    assert "docket_sim.strategies.scripts" in itself
    assert said == (
        "docket_sim.strategies needs hypothesis, which is not installed. "
        "Install docket-sim[test], or hypothesis itself."
    )
