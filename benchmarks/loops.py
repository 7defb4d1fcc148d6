"""The sleepers on each virtual-time loop, and a yardstick for the machine."""

import asyncio
import random
from collections.abc import Callable

from benchmarks import workload
from benchmarks.measure import median_of, seconds


def docket_sim() -> dict[str, float]:
    from docket_sim import VirtualLoop

    return _sleepers(VirtualLoop)


def looptime() -> dict[str, float]:
    import looptime

    return _sleepers(lambda: looptime.new_event_loop(start=0))


def async_solipsism() -> dict[str, float]:
    import async_solipsism

    return _sleepers(async_solipsism.EventLoop)


def yardstick() -> dict[str, float]:
    """What asyncio itself does here with tasks that do nothing: how fast the machine is now."""

    async def nothing() -> None:
        return

    async def tasks() -> float:
        started = seconds()
        await asyncio.gather(*(nothing() for _ in range(workload.SLEEPERS)))
        return workload.SLEEPERS / (seconds() - started)

    return {"per_second": median_of(workload.BATCHES, lambda: asyncio.run(tasks()))}


def _sleepers(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> dict[str, float]:
    def on_a_new_loop() -> float:
        loop = new_loop()
        try:
            return loop.run_until_complete(_sleep_and_wake())
        finally:
            loop.close()

    return {"per_second": median_of(workload.BATCHES, on_a_new_loop)}


async def _sleep_and_wake() -> float:
    """Sleepers per second of real time: their making, their sleep and their waking."""
    loop = asyncio.get_running_loop()
    chances = random.Random(1)
    naps = [chances.random() * workload.SLEEPER_HORIZON for _ in range(workload.SLEEPERS)]
    began = loop.time()
    started = seconds()
    woken = await asyncio.gather(*(asyncio.sleep(nap, result=nap) for nap in naps))
    elapsed = seconds() - started
    assert woken == naps, "everyone slept"
    assert abs(loop.time() - began - max(naps)) < 1, "for as long as was asked"
    return workload.SLEEPERS / elapsed
