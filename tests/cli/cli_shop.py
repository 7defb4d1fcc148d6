"""The tasks of the tests of the command line."""

import asyncio
import dataclasses
import os
import signal
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from docket_sim import (
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    Docket,
    Execution,
    ExponentialRetry,
    Perpetual,
    Retry,
    Timeout,
    Worker,
)

OUT = os.environ.get("CLI_SHOP_OUT")


def note(text: str) -> None:
    """Tell the test what has happened."""
    if OUT is not None:
        with Path(OUT).open("a") as file:
            file.write(f"{text}\n")


async def charge(order_id: int, when: datetime | None = None) -> str:
    """Charge an order.

    More of this is shown nowhere.
    """
    if order_id == 13:
        raise ValueError("unlucky")
    return f"receipt {order_id}"


async def policed(
    retry: Retry = Retry(attempts=3, delay=timedelta(seconds=2)),
    timeout: Timeout = Timeout(timedelta(seconds=30)),
) -> None: ...


async def spread(*rest: datetime, **extra: int) -> None: ...


async def tick(perpetual: Perpetual = Perpetual(timedelta(hours=1), automatic=True)) -> None:
    note("ticked")


async def nap(seconds: float) -> None:
    note("napping")
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        note("woken")
        raise
    note("rested")


async def stubborn() -> None:
    """Will not be cancelled."""
    note("digging in")
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)


async def block() -> None:
    """Holds up the event loop."""
    note("blocking")
    time.sleep(60)


async def _draining() -> None:
    """Return once the worker that runs here has been told to claim nothing more."""
    claiming = next(task for task in asyncio.all_tasks() if task.get_name() == "docket worker")
    while not claiming.cancelling():
        await asyncio.sleep(0.001)


async def quit_work(
    signals: int,
    seconds: float = 0.0,
    execution: Execution = CurrentExecution(),
    docket: Docket = CurrentDocket(),
) -> str:
    """Sends signals to its own worker, schedules more work, and works on for a while."""
    if execution.redelivered:
        return "taken over"
    for _ in range(signals):
        os.kill(os.getpid(), signal.SIGTERM)
        await _draining()
    await docket.add(charge, key="late")(7)
    await asyncio.sleep(seconds)
    return "drained"


async def settings(worker: Worker = CurrentWorker()) -> dict[str, float]:
    """What the worker goes by, with durations in seconds."""
    told = dataclasses.asdict(worker.settings)
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value
        for name, value in told.items()
    }


async def chain(docket: Docket = CurrentDocket()) -> None:
    await docket.add(charge, datetime.now(UTC) + timedelta(hours=1), key="chained")(1)


async def backed_off(retry: ExponentialRetry = ExponentialRetry(attempts=2)) -> None: ...


print("imported", file=sys.stdout)  # what some modules do, and must not stain a command's output
tasks = [charge, policed, spread, tick, nap, stubborn, block, quit_work, settings, chain]
more = [backed_off]
nothing = None
wrong = [print]
