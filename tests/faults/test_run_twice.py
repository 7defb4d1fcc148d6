"""`run_twice=True`: an idempotency test for every test that there is."""

from datetime import timedelta

import pytest

from docket_sim import Faults, Perpetual, Retry, Tally, call, simulate

done: list[int] = []


@pytest.fixture(autouse=True)
def _afresh():
    done.clear()


async def task(number: int, retry: Retry = Retry(attempts=2)) -> int:
    done.append(number)
    return number


async def flaky(number: int, retry: Retry = Retry(attempts=2, delay=timedelta(seconds=1))) -> int:
    done.append(number)
    if retry.attempt == 1:
        raise ConnectionError
    return number


async def steady(perpetual: Perpetual = Perpetual(every=timedelta(seconds=1))) -> None:
    done.append(0)


def test_what_succeeds_runs_twice_and_the_test_sees_one_run():
    """The body ran twice; tally, timeline and assertions tell of one run."""
    with simulate(run_twice=True) as sim:
        sim.run(sim.docket.add(task, key="k")(7))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert done == [7, 7]
        sim.assert_ran(call(task, 7), times=1)
        assert [moment.what for moment in sim.timeline] == ["scheduled", "started", "completed"]


def test_what_fails_is_retried_once():
    """Only what has succeeded is delivered once more."""
    with simulate(run_twice=True) as sim:
        sim.run(sim.docket.add(flaky)(7))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, retried=1)
        assert done == [7, 7, 7]


def test_each_run_of_a_perpetual_runs_twice():
    """A run of a perpetual succeeds as any other does."""
    with simulate(run_twice=True) as sim:
        sim.run(sim.docket.add(steady, key="steady")())
        assert sim.run(sim.run_for("2.5s")) == Tally(succeeded=3)
        assert done == [0] * 6


def test_a_single_step_makes_both_runs():
    """`run_next` runs one attempt to its end, the second delivery included."""
    with simulate(run_twice=True) as sim:
        sim.run(sim.docket.add(task)(1))
        sim.run(sim.docket.add(task)(2))
        assert sim.run(sim.run_next()) == Tally(succeeded=1)
        assert done == [1, 1]
        sim.run(sim.run_until_idle())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_single_step_survives_a_crash(workers):
    """The attempt whose machine lost power is claimed again within the same step."""
    crash = Faults.crash_worker(before="settle")
    with simulate(workers=workers, faults=crash) as sim:
        sim.run(sim.docket.add(task)(1))
        assert sim.run(sim.run_next()).succeeded == 1
        assert done == [1, 1]
