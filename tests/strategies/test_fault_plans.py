"""`fault_plans`: what is drawn happens as it is said, nothing is lost, and the simplest is none."""

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import Phase, find, given, settings

from docket_sim import Faults, Retry, Tally, simulate
from docket_sim.strategies import fault_plans, schedules

SECOND = timedelta(seconds=1)
some = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


async def charge(retry: Retry = Retry(attempts=2, delay=SECOND)) -> None: ...


def test_every_plan_is_taken_by_the_engine_and_nothing_is_lost():
    """All kinds happen; whatever does, each execution ends, and every invariant holds."""
    happened: Counter[str] = Counter()

    @some
    @given(plan=fault_plans(min_size=1, span=5 * SECOND), schedule=schedules(max_size=3))
    def property_of_the_engine(plan, schedule):
        with simulate(workers=2, faults=plan) as sim:
            sim.run(schedule.play(sim, charge))
            sim.run(sim.run_until_idle())
            assert sim.run(sim.docket.snapshot()).total_tasks == 0
        happened.update(sim.journal.faults)

    property_of_the_engine()
    assert len(happened) >= 7, happened


@some
@given(plan=fault_plans(kinds=["pause", "skew"], workers=["worker-2"], max_size=2))
def test_kinds_workers_and_numbers_are_kept(plan):
    """What is not asked for is not drawn, and chance has no say in it."""
    assert sum(rule.times for rule in plan.rules) <= 2
    for rule in plan.rules:
        assert type(rule.effect).__name__ in {"Pause", "Skew"}
        assert rule.scope.worker in {None, "worker-2"}
        assert rule.odds is None


def simplest(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=settings(some, max_examples=1_000))


def test_a_plan_is_reduced_to_none_or_to_what_is_needed():
    """One rule, at the first place, for anybody."""
    assert simplest(fault_plans()) == Faults()
    found = simplest(fault_plans(), lambda plan: "crash_worker" in repr(plan))
    assert found == Faults.crash_worker(before="settle")
    found = simplest(fault_plans(kinds=["fail"]), lambda plan: plan.rules)
    assert found == Faults.fail("settle")


def test_what_is_drawn_twice_happens_twice():
    """Two failing settlements are one rule that strikes two times."""
    found = simplest(
        fault_plans(kinds=["fail"], min_size=2), lambda plan: plan.rules and len(plan.rules) == 1
    )
    assert found == Faults.fail("settle", times=2)
    with simulate(faults=found) as sim:
        sim.run(sim.docket.add(charge)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert sim.journal.faults == {"fail": 2}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fault_plans(kinds=[]), "expected some of crash_worker, lose_reply"),
        (lambda: fault_plans(kinds=["meteor"]), "found .'meteor'."),
        (lambda: fault_plans(workers=0), "a fault happens to a worker"),
        (lambda: fault_plans(min_size=2, max_size=1), "in order; found 2 and 1"),
        (lambda: fault_plans(span=-SECOND), "from 0 up"),
    ],
)
def test_bounds_that_make_no_sense_are_refused_where_they_are_given(make, message):
    """Not when the first example is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
