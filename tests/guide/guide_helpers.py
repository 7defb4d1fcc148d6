"""What the tests of this folder ask a simulation, and a task to ask it about."""

import asyncio
from datetime import timedelta

from docket_sim import Retry, Simulation


def seconds(*numbers: float) -> list[timedelta]:
    """The durations of so many seconds."""
    return [timedelta(seconds=number) for number in numbers]


def starts(sim: Simulation) -> list[timedelta]:
    """When each attempt began, counted from the start of the simulation."""
    return [moment.elapsed for moment in sim.timeline if moment.what == "started"]


def the_failure(sim: Simulation) -> BaseException:
    """The error of the one execution that ended failed, which is acknowledged herewith."""
    [failure] = sim.acknowledge_failures()
    assert failure.error is not None
    return failure.error


class Work:
    """A task that takes its time and notes what it did."""

    def __init__(self, takes: float = 0, fails: int = 0, heeds: bool = True) -> None:
        self.takes = takes
        self.fails = fails
        self.heeds = heeds
        self.log: list[str] = []
        self.at_once = 0

    async def work(
        self, n: int, retry: Retry = Retry(attempts=2, delay=timedelta(minutes=1))
    ) -> int:
        assert self.at_once == 0, "one key runs twice at once"
        self.at_once += 1
        self.log.append(f"{n} began")
        try:
            await asyncio.sleep(self.takes)
        except asyncio.CancelledError:
            self.log.append(f"{n} cancelled")
            if self.heeds:
                raise
        finally:
            self.at_once -= 1
        if self.fails:
            self.fails -= 1
            raise ValueError("no luck")
        self.log.append(f"{n} ended")
        return n
