"""Timeout: a limit on how long a task's body may run."""

import asyncio
from datetime import timedelta

import pytest
from guide_helpers import seconds, starts, the_failure

from docket_sim import Depends, DocketError, Retry, Tally, Timeout

MINUTE = timedelta(minutes=1)


async def test_a_body_that_ends_in_time_is_left_alone(sim):
    """A timeout costs a punctual task nothing."""

    async def task(timeout: Timeout = Timeout(MINUTE)) -> str:
        await asyncio.sleep(59)
        return "in time"

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "in time"
    assert sim.clock.elapsed == timedelta(seconds=59)


async def test_a_body_that_runs_too_long_is_cancelled_and_its_cleanup_awaited(sim):
    """The outcome is a `TimeoutError` that names task, key and limit."""
    log: list[str] = []

    async def slow(timeout: Timeout = Timeout(MINUTE)) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(5)
            log.append("cleaned up")

    await sim.docket.add(slow, key="order-7")()
    assert await sim.run_until_idle() == Tally(failed=1, timed_out=1)
    assert log == ["cleaned up"]
    assert sim.clock.elapsed == timedelta(seconds=65)
    error = the_failure(sim)
    assert type(error) is TimeoutError
    assert str(error) == "slow ('order-7') ran longer than its timeout of 0:01:00"


async def test_a_body_that_swallows_its_cancellation_has_timed_out_all_the_same(sim):
    """What it returns then is too late."""

    async def stubborn(timeout: Timeout = Timeout(MINUTE)) -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "I was nearly done"

    await sim.docket.add(stubborn)()
    assert await sim.run_until_idle() == Tally(failed=1, timed_out=1)
    assert "ran longer than its timeout" in str(the_failure(sim))


async def test_a_body_that_turns_its_cancellation_into_another_error_has_timed_out(sim):
    """The other error is kept as the cause."""

    async def task(timeout: Timeout = Timeout(MINUTE)) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            raise ValueError("interrupted") from None

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, timed_out=1)
    error = the_failure(sim)
    assert type(error) is TimeoutError
    assert str(error.__cause__) == "interrupted"


async def test_a_timeout_error_of_the_bodys_own_is_a_failure_like_any_other(sim):
    """A socket that timed out is not the task's limit, and must not be mistaken for it."""

    async def task(timeout: Timeout = Timeout(MINUTE), retry: Retry = Retry(attempts=2)) -> None:
        async with asyncio.timeout(1):
            await asyncio.sleep(2)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, retried=1)
    assert "ran longer" not in str(the_failure(sim))


async def test_extend_moves_the_deadline(sim):
    """By a duration, or by the base, however often it was extended before."""

    async def task(timeout: Timeout = Timeout(MINUTE)) -> None:
        timeout.extend(timedelta(seconds=30))
        timeout.extend()
        await asyncio.sleep(3600)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, timed_out=1)
    assert sim.clock.elapsed == timedelta(seconds=150)
    assert "its timeout of 0:02:30" in str(the_failure(sim))


async def test_an_extension_that_comes_too_late_does_not_count(sim):
    """The error names the limit that held, not the one that the body would have liked."""

    async def task(timeout: Timeout = Timeout(MINUTE)) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            timeout.extend()

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, timed_out=1)
    assert "its timeout of 0:01:00" in str(the_failure(sim))


async def test_an_extension_does_not_outlive_its_attempt(sim):
    """The next attempt begins with the base again."""

    async def task(timeout: Timeout = Timeout(MINUTE), retry: Retry = Retry(attempts=2)) -> None:
        if retry.attempt == 1:
            timeout.extend()
        await asyncio.sleep(3600)

    await sim.docket.add(task)()
    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 120)
    assert sim.clock.elapsed == timedelta(seconds=180)
    assert "its timeout of 0:01:00" in str(the_failure(sim))


async def test_a_body_can_ask_how_much_time_remains(sim):
    """`remaining()` counts down on the loop's time, `expired()` tells when it is over."""
    seen: list[tuple[timedelta, bool]] = []

    async def task(timeout: Timeout = Timeout(MINUTE)) -> None:
        seen.append((timeout.remaining(), timeout.expired()))
        await asyncio.sleep(15)
        seen.append((timeout.remaining(), timeout.expired()))
        try:
            await asyncio.sleep(3600)
        finally:
            seen.append((timeout.remaining(), timeout.expired()))

    await sim.docket.add(task)()
    await sim.run_until_idle()
    sim.acknowledge_failures()
    zero = timedelta(0)
    assert seen == [(MINUTE, False), (timedelta(seconds=45), False), (zero, True)]


async def test_resolving_and_tearing_down_do_not_count(sim):
    """The limit is the body's: a slow connection does not use it up."""

    async def connect():
        await asyncio.sleep(300)
        yield
        await asyncio.sleep(300)

    async def task(timeout: Timeout = Timeout(MINUTE), connection: None = Depends(connect)) -> None:
        await asyncio.sleep(59)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert sim.clock.elapsed == timedelta(seconds=659)


async def test_a_timed_out_attempt_is_retried_like_any_failed_one(sim):
    """Attempts, delays and the final failure are the retry policy's."""
    policy = Retry(attempts=3, delay=timedelta(seconds=10))

    async def task(timeout: Timeout = Timeout(MINUTE), retry: Retry = policy) -> None:
        await asyncio.sleep(3600)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, retried=2, timed_out=3)
    assert starts(sim) == seconds(0, 70, 140)
    assert type(the_failure(sim)) is TimeoutError


async def test_a_cancelled_execution_is_cancelled_and_has_not_timed_out(sim):
    """The two do not mistake each other's cancellation."""

    async def task(timeout: Timeout = Timeout(MINUTE)) -> None:
        await asyncio.sleep(3600)

    await sim.docket.add(task, key="k")()
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.cancel("k")
    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert sim.clock.elapsed == timedelta(seconds=30)


async def test_a_teardown_sees_the_timeout(sim):
    """What is let go of learns why."""
    seen: list[str] = []

    async def connect():
        try:
            yield
        except TimeoutError as error:
            seen.append(str(error))
            raise

    async def task(connection: None = Depends(connect), timeout: Timeout = Timeout(MINUTE)) -> None:
        await asyncio.sleep(3600)

    await sim.docket.add(task)()
    await sim.run_until_idle()
    assert seen == [str(the_failure(sim))]


@pytest.mark.parametrize("base", [timedelta(0), -MINUTE])
def test_a_limit_must_be_longer_than_zero(base):
    """Nonsense is refused where it is written."""
    with pytest.raises(ValueError, match="longer than zero"):
        Timeout(base)


async def test_a_limit_cannot_be_shortened(sim):
    """`extend` with a negative duration is a mistake in the body."""

    async def task(timeout: Timeout = Timeout(MINUTE)) -> None:
        timeout.extend(-timedelta(seconds=1))

    await sim.docket.add(task)()
    await sim.run_until_idle()
    assert "can only be extended" in str(the_failure(sim))


def test_a_timeout_can_be_asked_only_while_the_body_runs():
    """The instance in the signature belongs to no attempt."""
    with pytest.raises(DocketError, match="only while the task's body runs"):
        Timeout(MINUTE).remaining()
