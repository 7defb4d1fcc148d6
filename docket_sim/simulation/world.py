"""A world: the loop of a simulation, what surrounds it, and how one enters and leaves it."""

import asyncio
import contextlib
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import copy_context
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar

from docket_sim.clock import VirtualClock
from docket_sim.docket import Docket
from docket_sim.errors import Deadlock, EndlessRun, SimulationError
from docket_sim.simulation.crew import cancelled
from docket_sim.simulation.driver import Driver
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.sleep import SleepGuard
from docket_sim.simulation.wall import FrozenWall
from docket_sim.store import Listener, is_the_stores_own

R = TypeVar("R")

_THE_WAY_THERE = {__file__, asyncio.base_events.__file__}

Tasks = list["asyncio.Task[Any]"]


class World:
    """Holds the loop of a simulation, and runs things on it.

    Attributes:
        loop: the event loop, once the world is entered.
        context: the context variables in which everything runs.
    """

    loop: VirtualLoop

    def __init__(
        self,
        clock: VirtualClock,
        docket: Docket,
        driver: Driver,
        *,
        freeze: bool,
        guard_sleep: bool,
        patience: float,
    ) -> None:
        """
        Args:
            clock: the virtual time.
            docket: the docket, opened as long as the world is.
            driver: what drives the workers.
            freeze: whether user code sees virtual time.
            guard_sleep: whether `time.sleep()` on the loop is an error.
            patience: how many seconds of real time threads may hold virtual time.
        """
        self.context = copy_context()
        self._clock = clock
        self._docket = docket
        self._driver = driver
        self._patches: list[AbstractContextManager[object]] = []
        if freeze:
            wall = FrozenWall(clock)
            self._patches.append(wall)
            driver.checks.append(wall.check)
        if guard_sleep:
            self._patches.append(SleepGuard(driver.failures.note_broken))
        self._patience = patience
        self._entered = False
        self._outside = ExitStack()

    def enter(self, listener: Listener, made: Callable[[VirtualLoop], None]) -> None:
        """Make the loop, and open everything.

        Args:
            listener: is told what the store tells.
            made: is told of the loop, before anything runs on it.
        """
        if self._entered:
            raise SimulationError("a simulation can be entered once; make another one")
        self._entered = True
        with ExitStack() as entering:
            self.loop = self._driver.loop = VirtualLoop(self._clock, patience=self._patience)
            entering.callback(self.loop.close)
            made(self.loop)
            for patch in self._patches:
                entering.enter_context(patch)
            self.run(self._open(entering, listener))
            self._outside = entering.pop_all()

    def leave(self, describe: Callable[[Tasks], list[str]]) -> list[str]:
        """Close everything, and return what `describe` says of the tasks that were left running."""
        leaked: list[str] = []
        # A world that is stuck cannot be left in order; what it is stuck on was reported.
        with self._outside, contextlib.suppress(SimulationError):
            leaked = self.run(self._close(describe))
        return leaked

    def run(self, awaitable: Awaitable[R]) -> R:
        """Await something on the loop, from ordinary code, and return its result."""
        __tracebackhide__ = True
        if not self._entered or _another_loop_runs():
            if inspect.iscoroutine(awaitable):
                awaitable.close()  # it will not be awaited, and that is said below
            raise SimulationError(
                "sim.run() is for plain functions: in an async test, await the verbs themselves; a "
                "simulation has a loop of its own and cannot be opened inside a running one"
                if self._entered
                else "the simulation is not entered: use `with simulate() as sim:`"
            )
        task = self.loop.create_task(_awaited(awaitable), name="main", context=self.context)
        try:
            result: R = self.loop.run_until_complete(task)
        except BaseException as error:
            self._driver.failures.forget(error)
            if task.done():
                error.__traceback__ = _beyond_the_loop(error.__traceback__)
                raise
            raise self._stuck(task, error) from None
        return result

    def unfinished(self) -> Tasks:
        """The tasks that are not done."""
        if not self._entered:
            return []
        if self.loop.get_task_factory() is None:
            return [*self.loop.unfinished()]
        return sorted(asyncio.all_tasks(self.loop), key=hash)  # some are of a user's own factory

    def _stuck(self, task: "asyncio.Task[Any]", error: BaseException) -> BaseException:
        """What to raise when the loop itself gave up while `task` waited, which ends herewith."""
        if isinstance(error, Deadlock | EndlessRun) and not self._driver.driving:
            error.add_note(
                "No verb drives this simulation, so its workers rest: "
                "await sim.run_until_idle(), or another verb, before waiting for results."
            )
        in_vain = self._driver.journal.in_vain()
        if isinstance(error, EndlessRun) and in_vain:
            error.add_note(f"Of the last calls of the store: {in_vain}.")
        with contextlib.suppress(SimulationError):
            self.loop.run_until_complete(cancelled([task]))
        # Its traceback leads through the loop, which says nothing that the message does not.
        return error.with_traceback(None) if isinstance(error, SimulationError) else error

    async def _open(self, entering: ExitStack, listener: Listener) -> None:
        await self._docket.__aenter__()
        store = self._docket.store
        entering.enter_context(store.listen(listener))
        # Claiming nothing: the answer comes once the listener is heard.
        await store.claim("", limit=0, lease=timedelta(0), now=self._clock.now())

    async def _close(self, describe: Callable[[Tasks], list[str]]) -> list[str]:
        await self._driver.leave()
        others = [
            task
            for task in self.unfinished()
            if task is not asyncio.current_task()
            and not is_the_stores_own(task)
            and not self._driver.hosts.owns_dead(task)
        ]
        leaked = describe(others)
        await cancelled(others)
        await self._docket.__aexit__(None, None, None)
        self._driver.hosts.bury()
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()
        return leaked


def _another_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _beyond_the_loop(traceback: TracebackType | None) -> TracebackType | None:
    """A traceback from where the awaited code begins: how it was run is of no use to the reader."""
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _THE_WAY_THERE:
        traceback = traceback.tb_next
    return traceback


async def _awaited(awaitable: Awaitable[R]) -> R:
    return await awaitable
