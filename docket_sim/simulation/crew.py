"""A simulation's workers: they begin with the first verb, and wait at the turnstile between."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from docket_sim.worker import Worker

_GRACE = timedelta(hours=1)


class Crew:
    """The workers of a simulation.

    Attributes:
        names: what they are called.
        workers: those that have begun.
    """

    def __init__(self, size: int, make: Callable[[str], Worker]) -> None:
        """
        Args:
            size: how many there are.
            make: makes the worker of a name.

        Raises:
            ValueError: a size below 1.
        """
        if size < 1:
            raise ValueError(f"a simulation needs at least 1 worker, found {size}")
        self.names = [f"worker-{number}" for number in range(1, size + 1)]
        self.workers: list[Worker] = []
        self._make = make
        self._working: list[asyncio.Task[None]] = []

    @property
    def in_hand(self) -> int:
        """How many attempts are running."""
        return sum(worker.in_hand for worker in self.workers)

    async def begin(self, broken: Callable[[BaseException], None]) -> None:
        """Start the workers, if they have not begun; `broken` is told what ends one of them."""
        if self._working:
            return

        def ended(working: "asyncio.Task[None]") -> None:
            if not working.cancelled() and (error := working.exception()) is not None:
                broken(error)

        for name in self.names:
            worker = self._make(name)
            self.workers.append(await worker.__aenter__())
            working = asyncio.get_running_loop().create_task(worker.run_forever(), name=name)
            working.add_done_callback(ended)
            self._working.append(working)

    async def leave(self) -> None:
        """Stop the workers; what they run is cut short."""
        for worker in reversed(self.workers):
            await worker.__aexit__(None, None, None)
        await cancelled(self._working)


async def cancelled(tasks: "Sequence[asyncio.Task[None]]") -> None:
    """Cancel `tasks`, in order, and give them a virtual hour to end; some never will."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_GRACE.total_seconds())
