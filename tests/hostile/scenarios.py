"""What the engine is put through: a bit of everything that it does, in one world."""

import asyncio
from datetime import timedelta

from docket_sim import (
    CurrentDocket,
    Depends,
    Docket,
    ExponentialRetry,
    Perpetual,
    Retry,
    Simulation,
    Timeout,
)

SECOND = timedelta(seconds=1)


async def get_till():
    yield "till"


async def plain(number: int, till: str = Depends(get_till)) -> int:
    await asyncio.sleep(0.2)
    return number


async def flaky(
    number: int,
    retry: ExponentialRetry = ExponentialRetry(attempts=3, minimum_delay=SECOND, jitter=0.5),
) -> int:
    if retry.attempt < 3:
        raise ConnectionError(f"attempt {retry.attempt}")
    return number


async def hopeless(retry: Retry = Retry(attempts=2, delay=SECOND)) -> None:
    raise ConnectionError("always")


async def slow(timeout: Timeout = Timeout(2 * SECOND), retry: Retry = Retry(attempts=2)) -> None:
    await asyncio.sleep(10 if retry.attempt == 1 else 1)


async def parent(number: int, docket: Docket = CurrentDocket()) -> None:
    for child in range(2):
        when = docket.now() + child * SECOND
        await docket.add(plain, when=when, key=f"child-{number}-{child}")(child)
    await docket.cancel("to-be-cancelled")


async def steady(perpetual: Perpetual = Perpetual(every=3 * SECOND)) -> None:
    await asyncio.sleep(0.1)


async def everything(sim: Simulation) -> None:
    """Add, replace and cancel; retry, time out and go on; then see that all of it has ended."""
    docket, now = sim.docket, sim.clock.now()
    added = [
        await docket.add(plain, key="now")(1),
        await docket.add(plain, key="later", when=now + 4 * SECOND)(2),
        await docket.add(flaky, key="flaky")(3),
        await docket.add(hopeless, key="hopeless")(),
        await docket.add(slow, key="slow")(),
        await docket.add(parent, key="parent")(4),
        await docket.add(plain, key="to-be-cancelled", when=now + 60 * SECOND)(5),
    ]
    await docket.add(steady, key="steady")()
    sim.at("+1s", lambda: docket.replace(plain, now + 2 * SECOND, "later")(6))
    sim.at("+1.1s", lambda: docket.replace(slow, now + SECOND, "slow")())
    sim.at("+1.2s", lambda: docket.cancel("hopeless"))
    sim.at("+10s", lambda: docket.cancel("steady"))
    await sim.run_for("30s")
    sim.heal()
    await docket.cancel("steady")
    await sim.run_until_idle()
    sim.acknowledge_failures()
    for execution in added:
        await execution.sync()
        assert execution.state.finished, f"{execution.key} is {execution.state}"
