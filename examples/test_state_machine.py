"""A docket in the hands of hypothesis: `python -m pytest examples/test_state_machine.py`."""

from collections import Counter
from typing import ClassVar

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from docket_sim import Depends, InvariantBroken, TaskKey
from docket_sim.strategies import DocketMachine, Tasks

few = settings(
    max_examples=100,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


class Gateway:
    """A payment provider; it can be asked not to charge twice for one reference."""

    def __init__(self) -> None:
        self.charges: Counter[str] = Counter()

    def charge(self, reference: str) -> None:
        self.charges[reference] += 1

    def charge_once(self, reference: str) -> None:
        self.charges[reference] = 1


async def get_gateway() -> Gateway:
    raise NotImplementedError("the real one")


async def charge(
    amount: int, gateway: Gateway = Depends(get_gateway), key: str = TaskKey()
) -> None:
    gateway.charge_once(key)


async def charge_carelessly(
    amount: int, gateway: Gateway = Depends(get_gateway), key: str = TaskKey()
) -> None:
    gateway.charge(key)


class Charging(DocketMachine):
    """Whatever happens to the workers, nobody pays for what was not ordered."""

    tasks: ClassVar[Tasks] = {charge: st.tuples(st.integers(1, 3))}

    def __init__(self) -> None:
        super().__init__()
        self.gateway = Gateway()
        self.sim.override(get_gateway, value=self.gateway)
        self.sim.invariant(self.what_is_charged_was_ordered)

    def what_is_charged_was_ordered(self) -> None:
        orders = Counter(one.key for one in self.sim.timeline if one.what == "scheduled")
        assert self.gateway.charges <= orders


class ChargingCarelessly(Charging):
    """The same, but for the reference."""

    tasks: ClassVar[Tasks] = {charge_carelessly: st.tuples(st.integers(1, 3))}


TestCharging = Charging.TestCase
TestCharging.settings = settings(few, max_examples=25)


def test_without_a_reference_a_crash_leads_to_a_second_charge() -> None:
    with pytest.raises(InvariantBroken) as caught:
        run_state_machine_as_test(ChargingCarelessly, settings=few)
    told = "\n".join(caught.value.__notes__)
    assert "state.crash_next(when='before settle')" in told
    assert "state.add(call=charge_carelessly(1), due='0s', key='a')" in told
