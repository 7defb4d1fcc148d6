"""Retry: when a failed attempt is followed by another."""

import asyncio
from datetime import datetime, timedelta

import pytest
from guide_helpers import seconds, starts, the_failure

from docket_sim import (
    Entropy,
    ExponentialRetry,
    Retry,
    RetryRequested,
    Tally,
)

SECOND = timedelta(seconds=1)


def failing(policy: Retry, *, times: int = 10**9, takes: float = 0):
    """A task under `policy` that fails so many times, each attempt taking so many seconds."""

    async def task(retry: Retry = policy) -> int:
        await asyncio.sleep(takes)
        if retry.attempt <= times:
            raise ValueError(f"no luck, attempt {retry.attempt}")
        return retry.attempt

    return task


async def test_without_a_policy_a_failure_is_final(sim):
    """A task runs once unless its signature says otherwise."""

    async def task() -> None:
        raise ValueError

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    sim.acknowledge_failures()


async def test_attempts_counts_runs(sim):
    """`Retry(attempts=3)` runs three times in all, and the last error is the result."""
    execution = await sim.docket.add(failing(Retry(attempts=3)))()

    assert await sim.run_until_idle() == Tally(failed=1, retried=2)
    assert str(the_failure(sim)) == "no luck, attempt 3"
    with pytest.raises(ValueError, match="no luck, attempt 3"):
        await execution.get_result()


async def test_a_success_ends_the_attempts(sim):
    """What is left of them is not needed."""
    execution = await sim.docket.add(failing(Retry(attempts=5), times=1))()

    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert await execution.get_result() == 2


async def test_the_delay_counts_from_the_end_of_the_failed_attempt(sim):
    """With attempts that take 3 seconds and a delay of 10, they begin 13 seconds apart."""
    await sim.docket.add(failing(Retry(attempts=3, delay=10 * SECOND), takes=3))()

    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 13, 26)
    sim.acknowledge_failures()


@pytest.mark.parametrize("policy", [Retry(attempts=None), Retry.forever()])
async def test_a_policy_without_a_limit_never_gives_up(sim, policy):
    """`attempts=None` and `.forever()` say the same."""
    await sim.docket.add(failing(policy, times=500))()

    assert await sim.run_until_idle() == Tally(succeeded=1, retried=500)


async def test_attempts_see_their_number_their_limit_and_their_delay(sim):
    """The injected policy is the attempt's own: `attempt`, `attempts`, `delay`."""
    seen: list[tuple[int, int | None, timedelta]] = []
    policy = ExponentialRetry(attempts=3, minimum_delay=SECOND)

    async def task(retry: ExponentialRetry = policy) -> None:
        seen.append((retry.attempt, retry.attempts, retry.delay))
        raise ValueError

    await sim.docket.add(task)()
    await sim.run_until_idle()
    assert seen == [(1, 3, SECOND), (2, 3, 2 * SECOND), (3, 3, 4 * SECOND)]
    sim.acknowledge_failures()


async def test_assigning_the_delay_affects_the_next_one_only(sim):
    """A body that knows better may say how long to wait this time."""

    async def task(retry: Retry = Retry(attempts=4, delay=SECOND)) -> None:
        if retry.attempt == 2:
            retry.delay = timedelta(minutes=1)
        raise ValueError

    await sim.docket.add(task)()
    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 1, 61, 62)
    sim.acknowledge_failures()


async def test_two_executions_of_one_task_do_not_share_their_policy(sim):
    """The instance in the signature serves every attempt, and keeps nothing of any."""

    async def task(n: int, retry: Retry = Retry(attempts=2, delay=SECOND)) -> None:
        retry.delay *= n
        raise ValueError

    await sim.docket.add(task)(10)
    await sim.docket.add(task)(20)
    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 0, 10, 20)
    sim.acknowledge_failures()


# Retries that are asked for.


async def test_after_asks_for_a_retry_in_a_given_time(sim):
    """As a server does that answers `Retry-After: 90`."""

    async def task(retry: Retry = Retry(attempts=2, delay=SECOND)) -> None:
        if retry.attempt == 1:
            retry.after(timedelta(seconds=90))

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert starts(sim) == seconds(0, 90)


@pytest.mark.parametrize(("minutes", "second_start"), [(30, 1800), (-30, 5)])
async def test_at_asks_for_a_retry_at_a_given_instant(sim, minutes, second_start):
    """An instant that has passed means now."""

    async def task(when: datetime, retry: Retry = Retry(attempts=2, delay=SECOND)) -> None:
        await asyncio.sleep(5)
        if retry.attempt == 1:
            retry.at(when)

    await sim.docket.add(task)(sim.clock.now() + timedelta(minutes=minutes))
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert starts(sim) == seconds(0, second_start)


async def test_a_retry_that_is_asked_for_uses_up_an_attempt(sim):
    """When there is none left, the execution has failed."""

    async def task(retry: Retry = Retry(attempts=3)) -> None:
        retry.after(SECOND)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, retried=2)
    assert isinstance(the_failure(sim), RetryRequested)


async def test_a_retry_can_be_asked_for_from_within_a_task_group(sim):
    """The group wraps the request in an exception group, and the instant holds all the same."""

    async def task(retry: Retry = Retry(attempts=2, delay=SECOND)) -> None:
        async def ask() -> None:
            retry.at(sim.clock.start + timedelta(hours=1))

        if retry.attempt == 1:
            async with asyncio.TaskGroup() as group:
                group.create_task(ask())

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert starts(sim) == seconds(0, 3600)


async def test_each_attempt_receives_the_arguments_that_were_scheduled(sim):
    """What one attempt does to them does not reach the next."""
    received: list[list[int]] = []

    async def task(numbers: list[int], retry: Retry = Retry(attempts=3)) -> None:
        received.append(list(numbers))
        numbers.append(99)
        raise ValueError

    await sim.docket.add(task)([1, 2])
    await sim.run_until_idle()
    assert received == [[1, 2]] * 3
    sim.acknowledge_failures()


# What policies refuse, and one of your own.


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Retry(attempts=0), r"at least 1, found 0; None means no limit"),
        (lambda: Retry(delay=-SECOND), "delay must not be negative"),
        (lambda: ExponentialRetry(attempts=-1), "at least 1, found -1"),
        (lambda: ExponentialRetry(minimum_delay=-SECOND), "minimum_delay must not be negative"),
        (lambda: ExponentialRetry(maximum_delay=-SECOND), "maximum_delay must not be negative"),
        (lambda: ExponentialRetry(jitter=1.5), "jitter must be from 0 to 1"),
        (lambda: Retry().after(-SECOND), "delay must not be negative"),
        (lambda: Retry().at(datetime(2030, 1, 1)), "aware"),
    ],
)
def test_nonsense_is_refused_where_it_is_written(make, complaint):
    """The error says what was expected, at the line that is wrong."""
    with pytest.raises(ValueError, match=complaint):
        make()


async def test_a_subclass_can_have_delays_of_its_own(sim):
    """`delay_after` is all that a policy of your own needs."""

    class LinearRetry(Retry):
        def delay_after(self, attempt: int, entropy: Entropy) -> timedelta:
            return self.delay * attempt

    await sim.docket.add(failing(LinearRetry(attempts=4, delay=SECOND)))()

    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 1, 3, 6)
    sim.acknowledge_failures()


@pytest.mark.parametrize("delay", [timedelta.max, "5 seconds"], ids=["too long", "no duration"])
async def test_a_delay_that_leads_to_no_instant_fails_the_execution_once(sim, delay):
    """What a body assigns may be wrong; it must neither stop the worker nor run the body again."""
    runs: list[int] = []

    async def task(retry: Retry = Retry(attempts=3)) -> None:
        runs.append(retry.attempt)
        retry.delay = delay
        raise ValueError("no luck")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    assert runs == [1]
    sim.acknowledge_failures()
