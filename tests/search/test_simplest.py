"""The simplest run: what of a failing run is left when it fails in the same way with less."""

import asyncio
from datetime import timedelta

from docket_sim import Faults
from docket_sim.search.explore import Search
from docket_sim.search.shrink import Shrinker
from docket_sim.search.silence import silenced
from docket_sim.simulation.choices import Choices, Replay


async def task() -> None:
    await asyncio.sleep(1)


async def several_in_a_row(sim):
    """Five executions, ten seconds apart, none of which begins late or twice."""
    dues = [sim.clock.now() + number * timedelta(seconds=10) for number in range(5)]
    for number, due in enumerate(dues):
        await sim.docket.add(task, key=f"task-{number}", when=due)()
    await sim.run_until_idle()
    begun = [moment.at for moment in sim.timeline if moment.what == "started"]
    assert len(begun) == 5, "something has run twice"
    late = [at - due for at, due in zip(begun, dues, strict=True)]
    assert max(late) < timedelta(milliseconds=10), "something began late"


def simplest(choices, *, faults):
    """The choices that are left of a failing run with those choices."""
    search = Search(several_in_a_row, {"faults": faults, "workers": 1})
    with silenced():
        found = search.attempt(Choices(Replay(choices)))
        assert isinstance(found.error, AssertionError)
        assert found.choices.deviations == choices
        return Shrinker(found, search.attempt, limit=200).shrink().choices.deviations


def test_what_goes_wrong_goes_wrong_as_early_as_it_can():
    """A reader need not ask what the four settlements before have to do with it."""
    faults = Faults.duplicate(odds=0.1, times=None)
    choices = {("worker-1 settle: fault", 5): 1}
    assert simplest(choices, faults=faults) == {("worker-1 settle: fault", 1): 1}


def test_what_is_late_is_no_later_than_it_has_to_be():
    """Where a smaller value does as well, the larger one would be taken for a cause."""
    faults = Faults(latencies=("1ms", "5ms", "20ms", "1s", "1m"))
    choices = {("worker-1 claim: latency", 1): 5}
    assert simplest(choices, faults=faults) == {("worker-1 claim: latency", 1): 3}
