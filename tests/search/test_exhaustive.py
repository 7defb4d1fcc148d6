"""Small scopes: every run with up to so many deviations, and nothing left to chance."""

import asyncio

import pytest

from docket_sim import FailureFound, Faults, explore

CRASHES = Faults.crash_worker(before="settle", odds=0.1, times=None)


async def task(number: int) -> int:
    await asyncio.sleep(1)
    return number


def lives(at_most):
    async def scenario(sim):
        await sim.docket.add(task, key="k")(1)
        tally = await sim.run_until_idle()
        assert tally.redelivered <= at_most, f"redelivered {tally.redelivered} times"

    return scenario


def test_what_takes_one_deviation_is_found_at_depth_one():
    """A crash before the settlement, in one run of the few that there are."""
    with pytest.raises(FailureFound, match="redelivered 1 times"):
        explore(lives(0), runs=100, faults=CRASHES, depth=1)


def test_what_takes_two_deviations_is_found_at_depth_two():
    """At depth one, everything is tried and nothing found: that is a proof, for this scope."""
    seen = explore(lives(1), runs=100, faults=CRASHES, depth=1)
    assert seen.exhausted
    assert seen.runs < 10
    with pytest.raises(FailureFound, match="redelivered 2 times"):
        explore(lives(1), runs=100, faults=CRASHES, depth=2)


def test_a_budget_that_is_too_small_is_told():
    """Then it is no proof."""
    assert not explore(lives(2), runs=2, faults=CRASHES, depth=2).exhausted


def test_calls_that_commute_are_not_combined():
    """Two workers that only look for work do not get into each other's way."""

    async def scenario(sim):
        await sim.docket.add(task, key="k")(1)
        await sim.run_until_idle()

    seen = explore(scenario, runs=5_000, faults="none", depth=2, determinism=False)
    choices = explore(scenario, runs=5_000, faults="none", depth=1, determinism=False).runs - 1
    assert seen.exhausted
    assert seen.runs < choices * choices / 4
