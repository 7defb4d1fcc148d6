"""`DocketMachine`: hypothesis uses a docket and makes trouble; what breaks reads like a story."""

from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from docket_sim import Depends, InvariantBroken, TaskKey, UnseenFailures
from docket_sim.strategies import Call, DocketMachine

some = settings(
    max_examples=60,
    stateful_step_count=12,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[],  # a machine that filters or draws too much fails here
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


async def get_ledger():
    raise AssertionError("each machine brings its own")


async def charge(order: int, key: str = TaskKey(), ledger: list = Depends(get_ledger)) -> None:
    ledger.append(key)


async def charge_once(order: int, key: str = TaskKey(), ledger: list = Depends(get_ledger)) -> None:
    if key not in ledger:
        ledger.append(key)


class Charging(DocketMachine):
    tasks: ClassVar = {charge_once: st.just((7,))}
    keys: ClassVar = ["a", "b"]

    def __init__(self):
        super().__init__()
        self.ledger = []
        self.extra = 0
        self.ended = False
        self.sim.override(get_ledger, value=self.ledger)

        @self.sim.invariant
        def charged_as_often_as_ordered():
            for key in self.ledger:
                orders = [m for m in self.sim.timeline if (m.what, m.key) == ("scheduled", key)]
                assert self.ledger.count(key) <= len(orders)

    @rule()
    def a_rule_of_ones_own(self):
        self.extra += 1
        self.sim.run(self.sim.run_due())

    @invariant()
    def an_invariant_of_ones_own(self):
        assert self.troubles <= self.most_troubles


class ChargingCarelessly(Charging):
    tasks: ClassVar = {charge: st.just((7,))}


def test_a_planted_bug_is_found_and_told_as_a_story():
    """A crash before the worker could report, and the order is charged again."""
    with pytest.raises(InvariantBroken) as caught:
        # It took 4 to 76 examples with six seeds of hypothesis; it stops with the first it finds.
        run_state_machine_as_test(ChargingCarelessly, settings=settings(some, max_examples=400))
    told = "\n".join(caught.value.__notes__)
    steps = [line for line in told.splitlines() if line.startswith("state.")]
    assert set(steps) == {
        "state.an_invariant_of_ones_own()",
        "state.crash_next(when='before settle')",
        "state.add(call=charge(7), due='0s', key='a')",
        "state.teardown()",
    }
    assert "✗ power cut before settle of a" in told


def test_its_twin_passes_and_hypothesis_has_nothing_to_complain_of():
    """No health check is suppressed; crashes, pauses, partitions and restarts all happen."""
    happened = set()

    class Watched(Charging):
        def at_end(self):
            happened.update(self.sim.journal.faults)
            assert self.sim.run(self.sim.docket.snapshot()).total_tasks == 0

    run_state_machine_as_test(Watched, settings=some)
    assert happened >= {"crash_worker", "pause", "partition", "restart_store"}
    assert HealthCheck.filter_too_much not in some.suppress_health_check


def test_a_machine_can_be_driven_by_hand():
    """Its rules are methods: a story can be told again without hypothesis."""
    machine = ChargingCarelessly()
    machine.crash_next(when="before settle")
    machine.add(key="a", call=Call(charge, (7,)), due="0s")
    with pytest.raises(InvariantBroken):
        machine.teardown()

    machine = Charging()
    machine.add(key="a", call=Call(charge_once, (7,)), due="0s")
    machine.replace(key="a", call=Call(charge_once, (7,)), due="5s")
    machine.add(key="b", call=Call(charge_once, (7,)), due="5s")
    machine.cancel(key="b")
    machine.pause(worker="worker-1", span="lease")
    machine.partition(worker="worker-2", span="lease")
    machine.restart_store(away="30s")
    machine.advance(by="10s")
    machine.heal()
    machine.teardown()
    assert machine.ledger == ["a"]


async def fail() -> None:
    raise ConnectionError("503")


def test_what_fails_without_anyone_looking_fails_the_machine():
    """As at the end of any simulation; `world` allows it."""

    class Failing(DocketMachine):
        tasks: ClassVar = [fail]

    machine = Failing()
    machine.add(key="a", call=Call(fail), due="0s")
    with pytest.raises(UnseenFailures):
        machine.teardown()

    class Allowed(Failing):
        world: ClassVar = {"allow_failures": True}

    machine = Allowed()
    machine.add(key="a", call=Call(fail), due="0s")
    machine.teardown()
