"""A simulation's workers: they begin with the first verb, and wait at the turnstile between."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

from docket_sim.simulation import refusals
from docket_sim.simulation.faults.hosts import Host, Power
from docket_sim.simulation.faults.troubles import Troubles
from docket_sim.worker import Worker

_GRACE = timedelta(hours=1)


class Crew:
    """The workers of a simulation, each on a machine of its own.

    Attributes:
        names: what they are called; one that takes over for a machine that has lost power has a
            name of its own, such as `worker-1.2`.
        engaged: is told the name of each worker that takes over, before it begins.
    """

    def __init__(self, size: int, make: Callable[[str], Worker], troubles: Troubles) -> None:
        """
        Args:
            size: how many there are.
            make: makes the worker of a name.
            troubles: what is done to the machines that they run on.

        Raises:
            ValueError: a size below 1.
        """
        if refusals.count("workers", size) < 1:
            raise ValueError(f"a simulation needs at least 1 worker, found {size}")
        self.names = [f"worker-{number}" for number in range(1, size + 1)]
        self.engaged: Callable[[str], None] = _nothing
        self._make = make
        self._hosts = troubles.hosts
        troubles.restart = self.replace
        self._working: dict[Host, asyncio.Task[None]] = {}
        self._workers: dict[Host, Worker] = {}
        self._broken: Callable[[BaseException], None] = _nothing
        self._leaving = False

    @property
    def workers(self) -> list[Worker]:
        """Those that have begun, and whose machines have power."""
        return [self._workers[host] for host in self._powered()]

    @property
    def in_hand(self) -> int:
        """How many attempts are running."""
        return sum(worker.in_hand for worker in self.workers)

    def in_hand_of(self, host: Host) -> int:
        """How many attempts are, or were, running on one machine."""
        worker = self._workers.get(host)
        return 0 if worker is None else worker.in_hand

    async def begin(self, broken: Callable[[BaseException], None]) -> None:
        """Start the workers, if they have not begun; `broken` is told what ends one of them."""
        self._broken = broken
        if not self._workers:
            for lane in self.names:
                await self._start(self._hosts.add(lane, lane))

    def replace(self, host: Host) -> None:
        """Start a worker in the place of one whose machine has lost power."""
        if not self._leaving:
            incarnations = sum(other.lane == host.lane for other in self._hosts.all)
            heir = self._hosts.add(f"{host.lane}.{incarnations + 1}", host.lane)
            self.engaged(heir.name)
            asyncio.get_running_loop().create_task(self._start(heir), name=heir.name)

    async def leave(self) -> None:
        """Stop the workers; what they run is cut short."""
        self._leaving = True
        powered = self._powered()
        for host in reversed(powered):
            await self._workers[host].__aexit__(None, None, None)
        await cancelled([self._working[host] for host in powered if host in self._working])

    async def _start(self, host: Host) -> None:
        worker = host.context.run(self._make, host.name)
        loop = asyncio.get_running_loop()
        # In a task of its own, so that all it begins belongs to its machine.
        await loop.create_task(worker.__aenter__(), context=host.context)
        self._workers[host] = worker
        working = loop.create_task(worker.run_forever(), name=host.name, context=host.context)
        working.add_done_callback(self._ended)
        self._working[host] = working

    def _ended(self, working: "asyncio.Task[None]") -> None:
        if not working.cancelled() and (error := working.exception()) is not None:
            self._broken(error)

    def _powered(self) -> list[Host]:
        return [host for host in self._workers if host.power is not Power.CUT]


def _nothing(_: object) -> None: ...


async def cancelled(tasks: "Sequence[asyncio.Task[None]]") -> None:
    """Cancel `tasks`, in order, and give them a virtual hour to end; some never will."""
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=_GRACE.total_seconds())
