"""Proof that the search finds things: each planted bug is found soon, reported shortly, and alone.

A search that finds nothing looks like code in which nothing is wrong. So small bugs are planted, in
the engine and in programs that use it; the tables are in `broken_store`, `broken_engine` and
`broken_programs`. To see one the way a user would:

    with bug.planted():
        explore(bug.scenario, runs=bug.runs, faults=bug.faults, workers=bug.workers)

A bug that needs no fault is found in the first runs. `Bug.runs` is about three times the run that
finds it. Each twin survives ten times as many, but no more than `TWINS_RUNS`, so that this
directory takes less than a minute.
"""

import re
from dataclasses import dataclass
from functools import cache

import pytest

from docket_sim import FailureFound, explore
from docket_sim.simulation.invariants.checked import IDS
from planted import broken_engine, broken_programs, broken_store
from planted.bug import Bug

BUGS = (*broken_store.BUGS, *broken_engine.BUGS, *broken_programs.BUGS)
MOST_EVENTS = 15
TWINS_RUNS = 500

SHOWN = {
    "crash_worker": "power cut",
    "lose_reply": "answer lost",
    "fail": "never arrived",
    "delay": "late",
    "duplicate": "not acknowledged",
    "pause": "stands still",
    "partition": "cut off",
    "skew": "clock set",
    "restart_store": "away",
    "resend": "sent twice",
}
"""How the diagram calls what each kind of fault does."""


@dataclass(frozen=True)
class Report:
    """What a search has reported: in which run, of how many events, in which words."""

    run: int
    headline: str
    events: int
    text: str
    replay: str


def searched(bug: Bug, scenario, *, runs, replay=None):
    return explore(
        scenario, runs=runs, faults=bug.faults, workers=bug.workers, replay=replay, **bug.world
    )


@cache
def report_on(bug_name):
    """What the search says of a bug; each is searched for once."""
    bug = next(bug for bug in BUGS if bug.name == bug_name)
    with bug.planted(), pytest.raises(FailureFound) as caught:
        searched(bug, bug.scenario, runs=bug.runs)
    text = str(caught.value)
    run = re.match(r"run (\d+) of", text)
    events = re.search(r"(\d+) events?:", text)
    return Report(int(run[1]), text.partition("\n")[0], int(events[1]), text, caught.value.replay)


def twins():
    """Each scenario that is to survive, once: many engine bugs share one."""
    kept = {}
    for bug in BUGS:
        world = (bug.twin, repr(bug.faults), bug.workers, repr(bug.world))
        if world not in kept or kept[world].runs < bug.runs:
            kept[world] = bug
    return kept.values()


each_bug = pytest.mark.parametrize("bug", BUGS, ids=str)


@each_bug
def test_the_search_finds_it(bug):
    """The failure is the one that was planted, and no other."""
    report = report_on(bug.name)
    assert bug.says in report.headline
    assert report.run <= bug.runs


@each_bug
def test_the_report_fits_a_screen(bug):
    """Of all that happens in the failing run, what leads to the failure is left."""
    report = report_on(bug.name)
    assert report.events <= MOST_EVENTS, report.text


@each_bug
def test_the_report_shows_the_fault_that_it_takes_and_no_other(bug):
    """One thing that goes wrong is enough for each of these; where none has to, none is shown."""
    text = report_on(bug.name).text
    failed = [line for line in text.splitlines() if "✗" in line]
    shown = {phrase for phrase in SHOWN.values() if any(phrase in line for line in failed)}
    assert shown == ({bug.shows} if bug.shows else set()), text


@each_bug
def test_one_line_replays_it(bug):
    """The token of the report makes that run again, as long as the bug is there."""
    with bug.planted(), pytest.raises(FailureFound, match="fails again"):
        searched(bug, bug.scenario, runs=1, replay=report_on(bug.name).replay)


@pytest.mark.parametrize("bug", twins(), ids=str)
def test_its_twin_survives(bug):
    """The same scenario with nothing planted, searched for ten times as long, does not fail."""
    runs = min(10 * bug.runs, TWINS_RUNS)
    assert searched(bug, bug.twin, runs=runs).runs == runs


def test_each_invariant_is_broken_by_a_bug():
    """An invariant that no bug has ever broken may not be able to see one."""
    broken = {bug.says.removeprefix("invariant ") for bug in BUGS if "invariant" in bug.says}
    assert broken == set(IDS)


def test_each_kind_of_fault_uncovers_a_bug():
    """A fault that no bug needs may not do what it says."""
    assert {bug.shows for bug in BUGS} - {""} == set(SHOWN.values())
