"""A run that would never end is a failure like any other: found, made simpler, replayed."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import EndlessRun, FailureFound, Faults, Perpetual, Retry, explore

# One that nobody replaces: with the last of them, nobody is left to do the work.
LAST_ONE_DIES = Faults.crash_worker(odds=0.05, restart_after=None)


async def charge(order_id: int) -> None:
    await asyncio.sleep(1)


async def tick(perpetual: Perpetual = Perpetual(every=timedelta(seconds=10))) -> None: ...


async def polled(sim):
    """Looks every second whether the order is charged, instead of waiting with a deadline."""
    execution = await sim.docket.add(charge, key="order-7")(7)
    while not execution.state.finished:
        await sim.run_for("1s")
        await execution.sync()


def test_a_fault_that_keeps_a_run_from_ending_is_found():
    """The default run ends after a second; without its only worker, it never would."""
    with pytest.raises(FailureFound) as caught:
        explore(polled, runs=50, faults=LAST_ONE_DIES, workers=1, steps=20_000)
    assert isinstance(caught.value.__cause__, EndlessRun)
    message = str(caught.value)
    assert "broke: EndlessRun: a run without end: it has taken 20,000 steps without" in message
    assert "✗ power cut" in message
    with pytest.raises(FailureFound, match="fails again: EndlessRun: a run without end"):
        explore(polled, replay=caught.value.replay, faults=LAST_ONE_DIES, workers=1, steps=20_000)


def test_it_is_made_simpler_first():
    """Of many deviations one is left, though each of the runs is long."""
    with pytest.raises(FailureFound) as caught:
        explore(
            polled,
            runs=200,
            seed=4,
            workers=1,
            steps=20_000,
            faults=LAST_ONE_DIES + Faults.delay("claim", odds=0.5, times=None) + Faults.none(),
        )
    assert str(caught.value).count("choice    ") == 1


def test_a_scenario_that_makes_progress_for_ever_ends_as_well():
    """Other tasks come and go while it looks in vain; in a search, all steps are bounded."""

    async def never_charges(order_id: int, retry: Retry = Retry(attempts=2)) -> None:
        await asyncio.Event().wait()

    async def scenario(sim):
        await sim.docket.add(tick, key="tick")()
        execution = await sim.docket.add(never_charges, key="order-7")(7)
        while not execution.state.finished:
            await sim.run_for("1m")
            await execution.sync()

    with pytest.raises(FailureFound, match="100,000 steps, the most for a run of a search"):
        explore(scenario, runs=10, steps=10_000)


def test_a_scenario_that_never_ends_is_the_first_failure():
    """The user's own loop in the scenario, and no fault at all."""

    async def scenario(sim):
        while True:
            await asyncio.sleep(1)

    with pytest.raises(FailureFound, match="run 1 of 10 broke: EndlessRun"):
        explore(scenario, runs=10, steps=10_000)


def test_a_search_of_long_runs_that_end_finds_nothing():
    """A day of runs every ten seconds: far more steps than there may be in vain."""

    async def scenario(sim):
        await sim.docket.add(tick, key="tick")()
        await sim.run_for("1h")
        assert sim.steps > 10_000

    assert explore(scenario, runs=3, faults="none", steps=10_000).runs == 3
