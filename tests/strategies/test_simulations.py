"""`simulations` and `run_schedules`: hypothesis owns the workload, the engine its order."""

from datetime import timedelta

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from docket_sim import Depends, FailureFound, Faults, Hangs, Retry, Timeout, simulate
from docket_sim.strategies import (
    Call,
    Plan,
    Schedule,
    Step,
    failure_scripts,
    run_schedules,
    schedules,
    simulations,
    timeouts,
)

SECOND = timedelta(seconds=1)
some = settings(
    max_examples=15,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


async def get_ledger():
    raise AssertionError("every scenario brings its own")


async def charge(order: int, ledger: list = Depends(get_ledger)) -> None:
    ledger.append(order)


async def charge_once(order: int, ledger: list = Depends(get_ledger)) -> None:
    if order not in ledger:
        ledger.append(order)


async def send(retry: Retry = Retry(attempts=2)) -> None: ...


def charged_once(plan):
    """A scenario; its ledger is made anew for each run."""

    async def scenario(sim):
        ledger = []
        sim.override(get_ledger, value=ledger)
        await plan.play(sim)
        assert len(ledger) <= 1, f"charged {len(ledger)} times"

    return scenario


def one_order(task, **options):
    added_once = schedules(keys=["order-7"], operations=["add"], max_size=1)
    return simulations({task: st.just((7,))}, schedule=added_once, **options)


@some
@given(
    plan=simulations(
        {charge_once: st.tuples(st.integers(1, 3)), send: st.just(())},
        scripts=failure_scripts(),
        timeouts=timeouts(longest=60 * SECOND),
    )
)
def test_every_plan_is_played_to_its_end(plan):
    """Settings, scripts and timeouts are those of the plan; nothing is left over."""

    async def played(sim):
        sim.override(get_ledger, value=[])
        if not all(call.name in plan.timeouts for call in plan.calls.values()):
            assume(not any(Hangs() in script for script in plan.scripts.values()))
        await plan.play(sim)
        assert len(sim.workers) == plan.workers
        assert (await sim.docket.snapshot()).total_tasks == 0

    seen = plan.check(played, schedules=1)
    assert seen.runs == 2


def test_a_task_that_is_not_idempotent_is_found_and_its_twin_is_not():
    """The property is the same; the report has the plan, the run as a diagram, and a token."""
    failing: list[Plan] = []

    @some
    @given(plan=one_order(charge))
    def property_of_charge(plan):
        failing.append(plan)
        plan.check(charged_once(plan), schedules=2)

    with pytest.raises(FailureFound) as caught:
        property_of_charge()
    plan, message = failing[-1], str(caught.value)
    assert (plan.workers, plan.concurrency, len(plan.faults.rules)) == (1, 1, 1)
    assert plan.schedule == Schedule((Step("add", "order-7"),))
    assert "charged 2 times" in message
    assert "leased to worker-1" in message
    assert isinstance(caught.value.__cause__, AssertionError)

    with pytest.raises(FailureFound, match="fails again"):
        plan.check(charged_once(plan), replay=caught.value.replay)

    @some
    @given(plan=one_order(charge_once))
    def property_of_its_twin(plan):
        plan.check(charged_once(plan), schedules=2)

    property_of_its_twin()


def test_a_failure_that_needs_another_order_is_shrunk_after_the_workload():
    """Hypothesis reduces the amounts to the simplest; the order of events is reduced by itself."""

    async def in_order(sim, amounts):
        ledger = []
        sim.override(get_ledger, value=ledger)
        for amount in amounts:
            await sim.docket.add(charge, key=f"order-{amount}")(amount)
        await sim.run_until_idle()
        assert ledger == amounts, "out of order"

    failing = []

    @some
    @given(amounts=st.lists(st.integers(1, 9), unique=True, min_size=1, max_size=4))
    def property_of_two_workers(amounts):
        failing.append(amounts)
        run_schedules(lambda sim: in_order(sim, amounts), workers=2, concurrency=1, schedules=8)

    with pytest.raises(FailureFound, match="out of order") as caught:
        property_of_two_workers()
    assert failing[-1] == [1, 2]
    assert "choice    " in str(caught.value)
    assert "run_schedules(..., replay='ds1-" in str(caught.value)


def test_a_scenario_is_run_in_the_same_few_orders_each_time():
    """The default one and as many others as are asked for; without any choice, one is enough."""

    async def scenario(sim):
        await sim.docket.add(send)()
        await sim.run_until_idle()

    seen = run_schedules(scenario, schedules=3)
    assert (seen.runs, seen.timelines) == (4, run_schedules(scenario, schedules=3).timelines)
    assert run_schedules(lambda sim: None).runs == 1
    with pytest.raises(ValueError, match="0 or more, found -1"):
        run_schedules(scenario, schedules=-1)


def test_a_failure_outside_of_hypothesis_is_shrunk_and_told_at_once():
    """The function needs hypothesis for nothing."""

    async def scenario(sim):
        ledger = []
        sim.override(get_ledger, value=ledger)
        await sim.docket.add(charge)(7)
        await sim.run_until_idle()
        assert ledger == [7]

    with pytest.raises(FailureFound, match="power cut before settle"):
        run_schedules(scenario, faults=Faults.crash_worker(before="settle"))


def test_a_plan_reads_as_it_is_written():
    """One thing a line; what is as usual is left out."""
    plan = Plan(
        calls={"a": Call(charge, (7,))},
        schedule=Schedule((Step("add", "a", after=SECOND), Step("cancel", "a"))),
        workers=2,
        timeouts={"charge": Timeout(SECOND)},
        faults=Faults.fail("settle"),
    )
    assert repr(plan).splitlines() == [
        "Plan(",
        "    calls={'a': charge(7)},",
        "    schedule=Schedule((",
        "        Step('add', 'a', after=timedelta(seconds=1)),",
        "        Step('cancel', 'a'),",
        "    )),",
        "    workers=2,",
        f"    timeouts={plan.timeouts!r},",
        "    faults=Faults.fail('settle'),",
        ")",
    ]
    with simulate(**plan.world) as sim:
        sim.override(get_ledger, value=[])
        sim.run(plan.play(sim))


def test_a_failing_plan_is_reduced_to_the_simplest():
    """It adds the first task once, to one worker, and nothing goes wrong."""
    found = find(simulations([send]), lambda _: True, settings=settings(some, max_examples=300))
    assert found == Plan(calls={"a": Call(send)}, schedule=Schedule((Step("add", "a"),)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: simulations([]), "a call needs a task"),
        (lambda: simulations([send], keys=[]), "a key and an operation"),
        (lambda: simulations([send], workers=0), "workers: expected at least 1"),
        (lambda: simulations([send], concurrency=0), "concurrency: expected at least 1"),
    ],
)
def test_bounds_that_make_no_sense_are_refused_where_they_are_given(make, message):
    """Not when the first example is drawn."""
    with pytest.raises(ValueError, match=message):
        make()
