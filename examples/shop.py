"""The background work of a small shop: ordinary application code that knows nothing of tests."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

from docket_sim import CurrentDocket, Depends, Docket, ExponentialRetry, TaskFunction, Timeout


class GatewayDown(Exception):
    """The payment gateway does not take requests."""


class Sandbox:
    """A payment gateway's sandbox: it answers as scripted, and accepts when the script is over."""

    def __init__(self) -> None:
        self.script: list[str] = []
        self.charged: list[int] = []
        self.open_sessions = 0

    async def charge(self, order_id: int) -> str:
        answer = self.script.pop(0) if self.script else "accept"
        if answer == "down":
            raise GatewayDown("503")
        if answer == "hang":
            await asyncio.sleep(3600)
        self.charged.append(order_id)
        return f"receipt-{order_id}"


sandbox = Sandbox()


async def get_gateway() -> AsyncGenerator[Sandbox, None]:
    sandbox.open_sessions += 1
    try:
        yield sandbox
    finally:
        sandbox.open_sessions -= 1


async def place_order(order_id: int, docket: Docket = CurrentDocket()) -> None:
    await docket.add(charge, key=f"charge-{order_id}")(order_id)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    await docket.add(remind, when=tomorrow, key=f"remind-{order_id}")(order_id)


async def charge(
    order_id: int,
    gateway: Sandbox = Depends(get_gateway),
    docket: Docket = CurrentDocket(),
    retry: ExponentialRetry = ExponentialRetry(attempts=5, minimum_delay=timedelta(seconds=1)),
    timeout: Timeout = Timeout(timedelta(seconds=30)),
) -> str:
    receipt = await gateway.charge(order_id)
    await docket.cancel(f"remind-{order_id}")
    await docket.add(ship, key=f"ship-{order_id}")(order_id)
    return receipt


async def ship(order_id: int, docket: Docket = CurrentDocket()) -> None:
    await asyncio.sleep(6 * 3600)  # packing
    in_three_days = datetime.now(UTC) + timedelta(days=3)
    await docket.add(review, when=in_three_days, key=f"review-{order_id}")(order_id)


async def remind(order_id: int) -> None:
    print(f"mail: order {order_id} is not paid yet")


async def review(order_id: int) -> None:
    print(f"mail: how do you like order {order_id}?")


tasks: list[TaskFunction] = [place_order, charge, ship, remind, review]
