"""How often, and after how many steps, a fault strikes: what was asked for, and no more."""

import pytest

from docket_sim import Faults, explore, simulate
from docket_sim.simulation.faults.journal import Began


async def short() -> None: ...


async def several(sim):
    """Settlements enough for many faults."""
    for _ in range(6):
        await sim.docket.add(short)()
    await sim.run_until_idle()


def attempts_begun(*, steps):
    """How many attempts begin where the machine loses power for good, so soon after a claim."""
    crash = Faults.crash_worker(steps=steps, restart_after=None)
    with simulate(faults=crash, allow_pending=True) as sim:
        sim.run(sim.docket.add(short)())
        sim.run(sim.run_for("1s"))
        assert sim.journal.faults == {"crash_worker": 1}
        return sum(isinstance(entry, Began) for entry in sim.journal.entries)


def test_a_machine_takes_as_many_steps_as_it_was_given():
    """With none, what was claimed does not begin; with one, it begins, and gets no further."""
    assert attempts_begun(steps=0) == 0
    assert attempts_begun(steps=1) == 1


def most_strikes(faults):
    """How often the rules have struck in that run of a search in which they did so most often."""
    strikes = []

    async def scenario(sim):
        await several(sim)
        strikes.append(sum(sim.journal.faults.values()))

    explore(scenario, runs=30, faults=faults, determinism=False)
    return max(strikes)


likely = Faults.fail("settle", odds=0.2, times=None)


def test_without_a_limit_what_is_likely_strikes_often():
    """What the next tests bound would not be bounded by itself."""
    assert most_strikes(likely) > 6


@pytest.mark.parametrize("limit", [1, 3])
def test_a_run_has_as_many_faults_by_chance_as_its_limit(limit):
    """Some run has that many; none has one more."""
    assert most_strikes(likely + Faults(limit=limit)) == limit


def test_of_two_limits_the_higher_holds():
    """Who adds rules to a set of rules does not take from it."""
    assert most_strikes(likely + Faults(limit=3) + Faults(limit=1)) == 3


def test_a_rule_with_odds_strikes_as_often_as_it_says():
    """`times` bounds each rule for itself, whatever the limit of the run."""
    twice = Faults.fail("settle", odds=0.2, times=2)
    assert most_strikes(twice) == 2
    assert most_strikes(twice + Faults.lose_reply("settle", odds=0.2)) == 3
