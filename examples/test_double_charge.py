"""A double charge, found by a search and mended: `pytest examples/test_double_charge.py`.

The first task charges a card and is done. When its worker loses power before it could report that,
the task runs again, on another worker, and charges again. No test of a single run shows it.

The second one gives the bank an idempotency key, and survives whatever goes wrong.
"""

import asyncio

import pytest

from docket_sim import Depends, FailureFound, Simulation, TaskFunction, TaskKey, explore
from docket_sim.search import Scenario


class Bank:
    """What the bank knows in the end; it outlives every worker."""

    def __init__(self) -> None:
        self.charges: list[int] = []
        self._keys: set[str] = set()

    async def charge(self, order_id: int, idempotency_key: str | None = None) -> None:
        """Charge for an order; with a key, once at most."""
        await asyncio.sleep(0.3)
        if idempotency_key is None or idempotency_key not in self._keys:
            self.charges.append(order_id)
        if idempotency_key is not None:
            self._keys.add(idempotency_key)


async def get_bank() -> Bank:
    raise LookupError("each test brings its own bank")


async def charge(order_id: int, bank: Bank = Depends(get_bank)) -> None:
    await bank.charge(order_id)


async def charge_once(order_id: int, bank: Bank = Depends(get_bank), key: str = TaskKey()) -> None:
    await bank.charge(order_id, idempotency_key=key)


def an_order_is_charged_once(task: TaskFunction) -> Scenario:
    """What is to hold, as a function of a world."""

    async def scenario(sim: Simulation) -> None:
        bank = Bank()
        sim.override(get_bank, value=bank)
        await sim.docket.add(task, key="order-7")(7)
        await sim.run_until_idle()
        assert bank.charges == [7]

    return scenario


def test_the_search_finds_the_double_charge() -> None:
    """The report shows the fewest events that lead to it."""
    with pytest.raises(FailureFound) as found:
        explore(an_order_is_charged_once(charge), runs=300, faults="rough")
    print(found.value)
    assert "power cut before settle of order-7" in str(found.value)
    assert "charge(order_id=7) runs, delivery 2" in str(found.value)


def test_the_mended_task_survives() -> None:
    """The same faults and orders of events, and others, do no harm."""
    seen = explore(an_order_is_charged_once(charge_once), runs=300, faults="rough")
    assert seen.faults["crash_worker"]
    assert seen.coverage.counts["charge_once"]["redelivered"]


@pytest.mark.docket(seeds=200, workers=2, faults="rough")
async def test_the_same_as_an_ordinary_test(sim: Simulation) -> None:
    """A marker is all it takes; `--docket-replay` makes a failing run again."""
    bank = Bank()
    sim.override(get_bank, value=bank)
    await sim.docket.add(charge_once, key="order-7")(7)
    await sim.run_until_idle()
    assert bank.charges == [7]
