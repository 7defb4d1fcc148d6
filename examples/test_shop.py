"""How a user tests `shop.py`: `python -m pytest examples/test_shop.py`."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import shop

from docket_sim import Simulation, Tally, call

pytestmark = pytest.mark.docket(tasks=shop.tasks)


@pytest.fixture(autouse=True)
def sandbox() -> Iterator[shop.Sandbox]:
    shop.sandbox = shop.Sandbox()
    yield shop.sandbox
    assert shop.sandbox.open_sessions == 0


async def test_a_flaky_gateway_is_retried_after_one_and_two_seconds(
    sim: Simulation, sandbox: shop.Sandbox
) -> None:
    sandbox.script = ["down", "down"]
    await sim.docket.add(shop.charge, key="order-7")(7)

    assert await sim.run_for(timedelta(minutes=1)) == Tally(succeeded=1, retried=2, running=1)

    # What still runs is the packing: ship() waits for six hours.
    sim.assert_retried(shop.charge, delays=["1s", "2s"])
    sim.assert_chain(call(shop.charge, 7), call(shop.ship, 7))
    assert sandbox.charged == [7]


async def test_an_order_that_stays_unpaid_is_reminded_of(
    sim: Simulation, sandbox: shop.Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox.script = ["down"] * 5
    await sim.docket.add(shop.place_order)(7)

    assert await sim.run_until_idle() == Tally(succeeded=2, retried=4, failed=1)

    sim.assert_failed(call(shop.charge, 7), error=shop.GatewayDown)
    assert capsys.readouterr().out == "mail: order 7 is not paid yet\n"
    assert sim.clock.elapsed == timedelta(days=1)


def test_a_paid_order_is_not_reminded_of(sim: Simulation) -> None:
    sim.run(sim.docket.add(shop.place_order)(7))

    assert sim.run(sim.run_until_idle()) == Tally(succeeded=4, cancelled=1)

    assert [m.task for m in sim.timeline if m.what == "cancelled"] == ["remind"]
    sim.assert_graph({shop.place_order: [shop.charge, shop.remind], shop.charge: [shop.ship]})
