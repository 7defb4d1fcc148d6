"""Scenarios for `docket-sim explore`: some that hold, and some that do not."""

import asyncio
import os
import signal
from datetime import timedelta

from docket_sim import Depends, ExponentialRetry, Timeout


class Ledger:
    """What was charged, as a payment provider would know it."""

    def __init__(self):
        self.charges = []


async def get_ledger():
    raise AssertionError("every scenario brings its own")


async def charge(order_id: int, ledger: Ledger = Depends(get_ledger)) -> None:
    ledger.charges.append(order_id)
    await asyncio.sleep(1)


async def charge_once(
    order_id: int,
    ledger: Ledger = Depends(get_ledger),
    retry: ExponentialRetry = ExponentialRetry(attempts=3, jitter=True),
    timeout: Timeout = Timeout(timedelta(minutes=5)),
) -> None:
    if order_id not in ledger.charges:
        ledger.charges.append(order_id)
    await asyncio.sleep(1)


async def charged(sim, task):
    print("nobody wants to read this")
    ledger = Ledger()
    sim.override(get_ledger, value=ledger)
    await sim.docket.add(task, key="order-7")(7)
    await sim.run_until_idle()
    times = ledger.charges.count(7)
    assert times == 1, f"charged {times} times"


async def twice(sim):
    """Breaks when a worker dies at the wrong moment."""
    await charged(sim, charge)


async def once(sim):
    """Holds."""
    await charged(sim, charge_once)


async def at_once(sim):
    """Fails in every run."""
    raise ValueError("nothing works")


async def endless(sim):
    """Polls for what never comes."""
    while True:
        await asyncio.sleep(1)


async def by_hash_order(sim):
    """The same in one process, another in the next."""
    names = ["anne", "bob", "carol", "dave", "eve", "frank", "grace", "heidi", "ivan", "judy"]
    for name in set(names):
        await sim.docket.add(charge_once, key=name)(7)
    await sim.docket.cancel("anne")
    sim.override(get_ledger, value=Ledger())
    await sim.run_until_idle()


runs = 0


async def by_state(sim):
    """Another run each time."""
    global runs
    runs += 1
    await charged(sim, charge_once)
    await sim.docket.add(charge_once, key=f"run-{runs}")(7)
    await sim.run_until_idle()


async def interrupted(sim):
    """Ctrl-C is pressed while it runs for the 40th time."""
    global runs
    runs += 1
    if runs == 40:
        signal.raise_signal(signal.SIGINT)
    await charged(sim, charge_once)


async def interrupted_twice(sim):
    """Ctrl-C is pressed while it runs for the 40th time, and again the next time."""
    global runs
    runs += 1
    if runs in {40, 41}:
        signal.raise_signal(signal.SIGINT)
    await charged(sim, charge_once)


def elsewhere():
    return os.environ["CLI_PARENT"] != str(os.getpid())


async def dies_elsewhere(sim):
    """Ends each process but the first."""
    if elsewhere():
        os._exit(7)
    await charged(sim, charge_once)


async def fails_elsewhere(sim):
    """Holds in the first process only."""
    await charged(sim, charge_once)
    assert not elsewhere(), "not at home"


async def idle(sim):
    await sim.run_until_idle()


def takes_two(sim, ledger): ...


def takes_none(): ...


number = 7
