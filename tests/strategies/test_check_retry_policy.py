"""`check_retry_policy`: sound policies pass, and each way to be broken is called by its name."""

import asyncio
import random
import threading
from datetime import timedelta

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st

from docket_sim import ExponentialRetry, Reason, Reschedule, Retry, SimulationError
from docket_sim.strategies import RetryProperty, check_retry_policy, retry_policies
from docket_sim.strategies.properties import Terms, violations
from docket_sim.strategies.trial import Trial, put_through

# What it finds is not reduced, where that does not matter.
searching = settings(
    max_examples=20, derandomize=True, database=None, deadline=None, phases=[Phase.generate]
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class Fibonacci(Retry):
    """The policy of docs/dependencies.md."""

    def delay_after(self, attempt, entropy):
        a, b = 0, 1
        for _ in range(min(attempt, 40)):
            a, b = b, a + b
        return timedelta(seconds=a)


class FullJitter(ExponentialRetry):
    """Any delay from nothing to the exponential one."""

    def delay_after(self, attempt, entropy):
        return super().delay_after(attempt, entropy) * entropy.random()


class Picky(Retry):
    """Gives up at once on a ValueError."""

    def after_failure(self, call, error, now):
        if isinstance(error, ValueError):
            return None
        return super().after_failure(call, error, now)


@pytest.mark.parametrize(
    ("policy", "promised"),
    [
        (Retry(), {}),
        (Retry(attempts=3, delay=SECOND), {"total_delay": 2 * SECOND, "maximum_delay": SECOND}),
        (Retry(attempts=200, delay=SECOND), {}),
        (Retry.forever(MINUTE), {"maximum_delay": MINUTE}),
        (ExponentialRetry(attempts=9), {"total_delay": 64 * SECOND * 8}),
        (ExponentialRetry.forever(jitter=0.3), {}),
        (ExponentialRetry(attempts=5, minimum_delay=MINUTE, maximum_delay=SECOND, jitter=1.0), {}),
        (Fibonacci(attempts=7), {"maximum_delay": 8 * SECOND}),
        (FullJitter(attempts=6), {"jitter": 1.0}),
        (Picky(attempts=4), {"gives_up": True, "errors": [ConnectionError, ValueError]}),
    ],
    ids=repr,
)
def test_a_sound_policy_passes(policy, promised):
    """The built-in ones without a word about them; others with what their attributes do not say."""
    check_retry_policy(policy, **promised, settings=settings(searching, max_examples=12))


def test_every_built_in_policy_passes():
    """A strategy of policies is reduced along with the script."""
    check_retry_policy(retry_policies(max_attempts=None))


class Raising(ExponentialRetry):
    """Has no answer to a sixth failure."""

    def after_failure(self, call, error, now):
        if call.attempt == 6:
            raise LookupError("no sixth delay")
        return super().after_failure(call, error, now)


class Overflowing(ExponentialRetry):
    """Fine for a hundred attempts, and far from a timedelta after ten thousand."""

    def delay_after(self, attempt, entropy):
        return min(self.maximum_delay, self.minimum_delay * 2 ** (attempt - 1))


class Negative(Retry):
    """Subtracts too much."""

    def delay_after(self, attempt, entropy):
        return 3 * SECOND - 2 * SECOND * attempt


class Locking(Retry):
    """Holds what cannot be copied."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.lock = threading.Lock()


class Counting(Retry):
    """Counts failures in the instance, which serves every execution."""

    failures = 0

    def delay_after(self, attempt, entropy):
        self.failures += 1
        return SECOND * self.failures


class Unrepeatable(Retry):
    """Throws dice of its own."""

    def delay_after(self, attempt, entropy):
        return SECOND * random.random()


class Hedging(Retry):
    """Schedules another attempt before it knows what becomes of this one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.hedged = {}

    def provide(self, context, parameter):
        name, key = context.execution.function_name, context.execution.key
        if key not in self.hedged:
            again = context.docket.replace(name, context.now() + SECOND, key)()
            self.hedged[key] = asyncio.ensure_future(again)
        return super().provide(context, parameter)


class OneTooMany(Retry):
    """Counts retries where it should count runs."""

    def after_failure(self, call, error, now):
        if call.attempt > self.attempts:
            return None
        return Reschedule(now + self.delay, call.attempt + 1, Reason.RETRY)


class NeverCounting(Retry):
    """Goes back to the attempt that has failed."""

    def after_failure(self, call, error, now):
        return Reschedule(now + SECOND, call.attempt, Reason.RETRY)


class OneTooFew(Retry):
    """Stops before its last run."""

    def after_failure(self, call, error, now):
        return (
            None if call.attempt + 1 >= self.attempts else super().after_failure(call, error, now)
        )


class Impatient(Retry):
    """Begins before the delay that it shows has passed."""

    def after_failure(self, call, error, now):
        follow_up = super().after_failure(call, error, now)
        if follow_up is None:
            return None
        return Reschedule(now + self.delay / 2, follow_up.attempt, Reason.RETRY)


class Uncapped(ExponentialRetry):
    """Forgets its maximum."""

    def delay_after(self, attempt, entropy):
        return self.minimum_delay * 2 ** min(attempt - 1, 20)


class LateToGrow(Retry):
    """Exceeds its maximum with some chances, and after many attempts."""

    maximum_delay = 5 * MINUTE
    jitter = 0.2

    def delay_after(self, attempt, entropy):
        delay = min(SECOND * attempt**2, self.maximum_delay)
        return delay * (1 + self.jitter * entropy.random())


class Shrinking(Retry):
    """Is quicker each time."""

    def delay_after(self, attempt, entropy):
        return MINUTE / attempt


class Wobbling(ExponentialRetry):
    """Takes its jitter twice."""

    def delay_after(self, attempt, entropy):
        delay = super().delay_after(attempt, entropy)
        return delay - delay * self.jitter * entropy.random()


class Secretive(Retry):
    """Has jitter, and no attribute that says so."""

    def delay_after(self, attempt, entropy):
        return self.delay * (1 + entropy.random())


BROKEN = [
    (Raising(attempts=8), {}, "decides"),
    (Overflowing(attempts=None), {}, "decides"),
    (Negative(attempts=4), {}, "decides"),
    (Counting(attempts=4), {}, "independent"),
    (Unrepeatable(attempts=4), {"jitter": 1.0}, "independent"),
    (Hedging(attempts=3), {}, "ends_on_success"),
    (OneTooMany(attempts=4), {}, "budget"),
    (OneTooMany(attempts=400), {}, "budget"),
    (NeverCounting(attempts=4), {}, "budget"),
    (Retry(attempts=4), {"attempts": 3}, "budget"),
    (OneTooFew(attempts=4), {}, "persistent"),
    (OneTooFew(attempts=400), {}, "persistent"),
    (Picky(attempts=4), {"errors": [ConnectionError, ValueError]}, "persistent"),
    (Impatient(attempts=3, delay=SECOND), {}, "not_early"),
    (Uncapped(attempts=9), {}, "capped"),
    (Uncapped(attempts=400), {"maximum_delay": timedelta(hours=1)}, "capped"),
    (LateToGrow(attempts=25), {}, "capped"),
    (Shrinking(attempts=3), {}, "monotone"),
    (Wobbling(attempts=3, jitter=0.2), {}, "jitter"),
    (Secretive(attempts=3, delay=SECOND), {}, "jitter"),
    (Retry(attempts=10, delay=MINUTE), {"total_delay": 8 * MINUTE}, "total"),
]


@pytest.mark.parametrize(
    ("policy", "promised", "broken"), BROKEN, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_broken_policy_is_told_what_it_breaks(policy, promised, broken):
    """By the property's name, with what was expected and what was found."""
    with pytest.raises(AssertionError) as caught:
        check_retry_policy(policy, **promised, settings=searching)
    message = str(caught.value)
    first, _, rest = message.partition("\n")
    assert first.startswith(f"{type(policy).__name__}(")
    assert f" breaks '{broken}': " in first, message
    assert "\n  expected  " in rest
    assert "\n  found     " in rest


@pytest.mark.parametrize("attempts", [1, 10, 11, 12, 10_000])
def test_no_budget_is_out_of_reach(attempts):
    """Budgets are reached attempt by attempt while they are small, and looked at singly beyond."""
    check_retry_policy(Retry(attempts), settings=settings(searching, max_examples=6))
    with pytest.raises(AssertionError, match="'budget'"):
        check_retry_policy(OneTooMany(attempts), settings=searching)
    if attempts > 1:
        with pytest.raises(AssertionError, match="'persistent'"):
            check_retry_policy(OneTooFew(attempts), settings=searching)


def test_a_policy_of_each_property_is_among_the_broken_ones():
    """A property that has never been seen to fail proves nothing."""
    assert {broken for *_, broken in BROKEN} == {str(one) for one in RetryProperty}


def test_the_message_shows_the_simplest_run_that_breaks_it():
    """Attempt numbers, delays, and nothing that it does not take."""
    with pytest.raises(AssertionError) as caught:
        check_retry_policy(Shrinking(attempts=5))
    assert (
        str(caught.value)
        == """\
Shrinking(attempts=5, delay=0:00:00) breaks 'monotone': with the same chances, no delay is shorter \
than the one before.

  expected  1m or more after attempt 2, as after attempt 1
  found     30s

  a run in which every draw gives 0
        +0s  attempt 1 failed, then 1m passed
        +1m  attempt 2 failed, then 30s passed
    +1m 30s  attempt 3 succeeded"""
    )


def test_a_strategy_of_policies_is_reduced_to_a_simple_one():
    """The fewest attempts and the plainest delay with which it happens."""
    policies = st.builds(OneTooMany, st.integers(1, 9), st.just(SECOND) | st.just(MINUTE))
    with pytest.raises(AssertionError, match=r"^OneTooMany\(attempts=1, delay=0:00:01\) breaks"):
        check_retry_policy(policies)


def test_what_may_be_otherwise_can_be_allowed():
    """Delays that shrink, and a budget that is not used up."""
    check_retry_policy(Shrinking(attempts=5), monotone=False, settings=searching)
    check_retry_policy(OneTooFew(attempts=5), gives_up=True, settings=searching)


def test_the_instance_is_left_as_it_was():
    """It may be that of a task's signature."""
    policy = Counting(attempts=4)
    with pytest.raises(AssertionError):
        check_retry_policy(policy)
    assert policy.failures == 0


def test_what_cannot_be_copied_is_made_by_a_strategy():
    """A fresh one for each script."""
    check_retry_policy(st.builds(Locking, st.just(3)), settings=searching)


async def test_inside_of_a_simulation_there_is_no_room_for_another(sim):
    """The error says so, instead of a policy that seems to be broken."""
    with pytest.raises(SimulationError, match="inside a running one"):
        check_retry_policy(Retry(attempts=3))


def test_hypothesis_can_be_told_how_long_to_search():
    """With its own settings."""
    tried = []

    class Noted(Retry):
        def provide(self, context, parameter):
            tried.append(context.execution.key)
            return super().provide(context, parameter)

    few = settings(max_examples=3, database=None, derandomize=True, phases=[Phase.generate])
    check_retry_policy(Noted(attempts=1), settings=few)
    assert tried.count("first") == 3


def test_the_log_is_left_alone(caplog):
    """Failures that were made on purpose are nobody's concern; others are logged as ever."""
    check_retry_policy(Retry(attempts=3))
    assert not caplog.records


def test_a_trial_shows_each_attempt():
    """An early retry is found by looking at when the next attempt really began."""
    trial = Trial(Impatient(attempts=2, delay=SECOND), 1, (), 0.0, 0.0)
    seen = put_through(trial, ConnectionError)
    first, second = seen.other.tries
    assert (first.number, first.decided, first.wait) == (1, SECOND, SECOND / 2)
    assert (second.number, second.succeeded, second.wait) == (2, True, None)
    terms = Terms(2, None, None, 0.0, True, False, (ConnectionError,))
    assert {str(one.broken) for one in violations(terms, seen)} == {"not_early"}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: check_retry_policy(7), TypeError, "a Retry, or a strategy of them, found 7"),
        (lambda: check_retry_policy(Locking()), TypeError, r"st\.builds\(Locking, \.\.\.\)"),
        (lambda: check_retry_policy(st.just(7)), TypeError, "one of them is 7"),
        (lambda: check_retry_policy(Retry(), attempts=0), ValueError, "at least 1"),
        (lambda: check_retry_policy(Retry(), jitter=2), ValueError, "from 0 to 1, found 2"),
        (lambda: check_retry_policy(Retry(), total_delay=-SECOND), ValueError, "total_delay must"),
        (lambda: check_retry_policy(Retry(), errors=()), ValueError, "errors is empty"),
    ],
)
def test_nonsense_is_refused(make, error, message):
    """With what was expected."""
    with pytest.raises(error, match=message):
        make()
