"""Worlds come and go: in scripts, under hypothesis, and whatever is left in them."""

import asyncio
import gc
import os
import subprocess
import sys
import textwrap
import time
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docket_sim import Deadlock, Depends, Retry, Tally, UnseenFailures, simulate

REAL = {"sleep": time.sleep, "time": time.time}
BEFORE_ALL_WORLDS = datetime(2030, 1, 1, tzinfo=UTC)


async def succeeds():
    """Does nothing, well."""


async def fails():
    """Fails for good."""
    raise LookupError("gone")


def python(source, seconds=20):
    """Run a script in a process of its own, and return what it printed."""
    script = textwrap.dedent(source)
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, env=os.environ, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_plain_script_can_make_a_world():
    """Neither pytest nor a loop is needed, and no warning is left behind in development mode."""
    script = """
        import sys
        from datetime import datetime, timedelta, UTC
        from docket_sim import simulate, Perpetual

        async def report(perpetual: Perpetual = Perpetual(every=timedelta(days=7))):
            print(datetime.now(UTC).date())

        with simulate(start=datetime(2031, 1, 6, tzinfo=UTC)) as sim:
            sim.run(sim.docket.add(report, key="weekly")())
            print(sim.run(sim.run_for(timedelta(days=15))))
        print("pytest" in sys.modules)
    """
    assert python(script).splitlines() == [
        *("2031-01-06", "2031-01-13", "2031-01-20"),
        *("Tally(succeeded=3)", "False"),
    ]


def test_worlds_follow_each_other():
    """Each begins at its own start, with nothing scheduled."""
    for year in (2031, 2040, 1999):
        start = datetime(year, 1, 1, tzinfo=UTC)
        with simulate(start=start) as sim:
            assert sim.run(sim.run_until_idle()) == Tally()
            sim.run(sim.docket.add(succeeds, when=start + timedelta(days=1), key="same")())
            assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
            assert sim.clock.now() == start + timedelta(days=1)


@settings(max_examples=50, deadline=None)
@given(delays=st.lists(st.integers(0, 10**6), max_size=5), seed=st.integers(0, 3))
def test_hypothesis_builds_a_world_for_each_example(delays, seed):
    """Nothing of one example reaches the next, and the health checks are satisfied."""
    with simulate(seed=seed) as sim:
        assert sim.clock.now() == BEFORE_ALL_WORLDS
        for delay in delays:
            when = sim.clock.now() + timedelta(seconds=delay)
            sim.run(sim.docket.add(succeeds, when=when)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=len(delays))
        assert sim.clock.elapsed == timedelta(seconds=max(delays, default=0))


def test_unseen_failures_are_raised_when_the_world_is_left():
    """Each is named with its key, its time, its attempt and its error."""

    def two_fail(sim):
        later = sim.clock.now() + timedelta(hours=2)
        sim.run(sim.docket.add(fails, key="order-7")())
        sim.run(sim.docket.add(fails, key="order-8", when=later)())
        sim.run(sim.run_until_idle())

    with pytest.raises(UnseenFailures) as raised, simulate() as sim:
        two_fail(sim)
    message = str(raised.value)
    assert message.startswith("2 executions ended failed")
    assert "fails() [order-7] at +0s, attempt 1: LookupError: gone" in message
    assert "fails() [order-8] at +2h, attempt 1: LookupError: gone" in message
    assert isinstance(raised.value.__cause__, LookupError)


def test_failures_that_are_meant_are_not_raised():
    """They were acknowledged, or they are allowed from the start."""
    with simulate() as sim:
        sim.run(sim.docket.add(fails)())
        sim.run(sim.run_until_idle())
        assert [str(failure.error) for failure in sim.acknowledge_failures()] == ["gone"]
        assert sim.failures == []
    with simulate(allow_failures=True) as sim:
        sim.run(sim.docket.add(fails)())
        sim.run(sim.run_until_idle())
        assert len(sim.failures) == 1


def breaks_after(sim, task):
    """Run a task, and raise an error of the user's own."""
    sim.run(sim.docket.add(task)())
    sim.run(sim.run_until_idle())
    raise ZeroDivisionError


def test_an_error_from_inside_is_not_replaced_by_an_unseen_failure():
    """The user's error is raised as it is."""
    with pytest.raises(ZeroDivisionError), simulate() as sim:
        breaks_after(sim, fails)


def test_a_retried_attempt_is_no_failure():
    """Only what ended failed counts."""

    async def recovers(retry: Retry = Retry(attempts=2)):
        if retry.attempt == 1:
            raise LookupError

    with simulate() as sim:
        sim.run(sim.docket.add(recovers)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, retried=1)


def test_a_world_is_left_in_order_after_an_error():
    """The loop is closed, no loop runs, and time is real again."""
    with pytest.raises(ZeroDivisionError), simulate() as sim:
        breaks_after(sim, succeeds)
    assert sim.loop.is_closed()
    assert {"sleep": time.sleep, "time": time.time} == REAL
    with pytest.raises(RuntimeError):
        asyncio.get_running_loop()


@pytest.mark.parametrize("options", [{"codec": "no such codec"}, {"tasks": "no:such"}])
def test_a_world_that_cannot_be_made_leaves_nothing_open(options):
    """What the constructor had opened by then is closed."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with pytest.raises((ValueError, ImportError)):
            simulate(**options)
        gc.collect()
    assert [str(warning.message) for warning in warned] == []


def test_bodies_that_still_run_are_cancelled_and_torn_down():
    """Leaving the world ends them as a stopping worker would, dependencies included."""
    trace = []

    async def connection():
        try:
            yield "connection"
        finally:
            trace.append("disconnected")

    async def hangs(_connection: str = Depends(connection)):
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(1)
            trace.append("body over")

    with simulate() as sim:
        sim.run(sim.docket.add(hangs)())
        assert sim.run(sim.run_due()) == Tally(running=1)
    assert trace == ["body over", "disconnected"]


def test_a_world_can_be_left_while_tasks_of_ones_own_still_wait():
    """They are cancelled."""
    trace = []

    async def waits():
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            trace.append("cancelled")
            raise

    async def program():
        tasks.append(asyncio.create_task(waits()))
        await asyncio.sleep(1)

    tasks = []
    with simulate(allow_leaked_tasks=True) as sim:
        sim.run(program())
    assert (trace, tasks[0].cancelled()) == (["cancelled"], True)


def test_a_world_can_be_left_after_a_deadlock():
    """The one thing that was stuck is given up, and the next world is as good as new."""
    with simulate() as sim, pytest.raises(Deadlock):
        sim.run(asyncio.Event().wait())
    with simulate() as sim:
        sim.run(sim.docket.add(succeeds)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)


@pytest.mark.parametrize(
    "wait",
    ["await asyncio.Event().wait()", "await asyncio.sleep(1)", "await asyncio.sleep(0)"],
    ids=["waiting for ever", "sleeping", "spinning"],
)
def test_a_body_that_swallows_its_cancellation_does_not_keep_the_world_open(wait):
    """Whatever it does instead of ending, the world is left."""
    script = f"""
        import asyncio
        from docket_sim import simulate

        async def stubborn():
            while True:
                try:
                    {wait}
                except asyncio.CancelledError:
                    pass

        with simulate(allow_leaked_tasks=True, allow_pending=True) as sim:
            sim.loop.spin_limit = 1000
            async def program():
                asyncio.create_task(stubborn())
                await sim.docket.add(stubborn)()
                if "sleep(0)" not in {wait!r}:
                    await sim.run_due()
            sim.run(program())
        print("left")
    """
    assert "left" in python_unchecked(script)


def python_unchecked(source):
    """Run a script, and return what it printed; a busy machine may take a while over it."""
    command = [sys.executable, "-c", textwrap.dedent(source)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except subprocess.TimeoutExpired:
        return "still running after 60 s"
    return done.stdout
