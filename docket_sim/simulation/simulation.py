"""`Simulation`: a docket, workers, a loop and a clock of its own, and the verbs to drive them."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from docket_sim.clock import VirtualClock, as_utc
from docket_sim.clock.virtual import DEFAULT_START
from docket_sim.codec import Codec
from docket_sim.docket import Docket
from docket_sim.entropy import SeededEntropy
from docket_sim.errors import Deadlock, NothingToRun, SimulationError
from docket_sim.events import Event, Finished, Retried, Scheduled
from docket_sim.simulation.crew import Crew, cancelled
from docket_sim.simulation.drive import Drive
from docket_sim.simulation.failures import Failures
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.sleep import SleepGuard
from docket_sim.simulation.tally import Tally
from docket_sim.simulation.timeline import Timeline
from docket_sim.simulation.turnstile import Turnstile
from docket_sim.simulation.wall import FrozenWall
from docket_sim.store import MemoryStore
from docket_sim.task import TaskFunction
from docket_sim.worker import Worker

R = TypeVar("R")

DEFAULT_LIMIT = 10_000


class Simulation:
    """A world of its own: the engine on virtual time.

    Work runs only while one of the verbs drives it: `run_due`, `run_next`, `run_until_idle`,
    `run_for`, `run_until`. Each runs follow-up work as well, and returns a `Tally`. They are
    awaited on the simulation's loop; `run` brings you there from ordinary code:

        with simulate() as sim:
            sim.run(sim.docket.add(charge)(order_id=7))
            assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)

    Attributes:
        docket: where the tasks under test are scheduled.
        clock: the virtual time.
        loop: the event loop, once the simulation is entered.
        timeline: what has happened so far.
        seed: what ids and jitter are drawn from.
        allow_failures: whether executions may end failed without anyone looking.
    """

    loop: VirtualLoop

    def __init__(
        self,
        *,
        start: datetime = DEFAULT_START,
        seed: int = 0,
        tasks: Iterable[TaskFunction] | str = (),
        workers: int = 1,
        concurrency: int = 10,
        dependencies: Mapping[str, Any] | Sequence[Any] | None = None,
        codec: str | Codec = "json",
        execution_ttl: timedelta = timedelta.max,
        freeze: bool = True,
        allow_failures: bool = False,
        patience: float = 5.0,
    ) -> None:
        """
        Args:
            start: the first instant, an aware datetime.
            seed: what ids and jitter are drawn from; the same seed gives the same run.
            tasks: tasks to register, or a collection's path as `module:attribute`.
            workers: how many workers there are.
            concurrency: how many attempts each may run at once.
            dependencies: what each worker adds to every task, as for `Worker`.
            codec: as for `Docket`.
            execution_ttl: as for `Docket`, but by default results are kept for ever, so that a test
                can look at them after any stretch of virtual time.
            freeze: whether user code sees virtual time in `datetime.now()`, `time.time()` and
                `time.monotonic()`; needs freezegun.
            allow_failures: whether executions may end failed without anyone looking.
            patience: how many seconds of real time threads may hold virtual time.

        Raises:
            ValueError: a naive `start`, or no workers.
        """
        self.seed = seed
        self.allow_failures = allow_failures
        self.clock = VirtualClock(start)
        self._patience = patience
        self._turnstile = Turnstile(MemoryStore(execution_ttl=execution_ttl))
        self.docket = Docket(
            "simulation",
            codec=codec,
            clock=self.clock,
            entropy=SeededEntropy(seed),
            store=self._turnstile,
        )
        self.timeline = Timeline(self.clock.start, self.docket.describe)
        self.docket.observe(self)
        self._register(tasks)
        self._crew = Crew(
            workers,
            partial(Worker, self.docket, concurrency=concurrency, dependencies=dependencies),
        )
        self._turnstile.gated.update(self._crew.names)
        self._failures = Failures(self.timeline, self.docket.describe)
        self._drive: Drive | None = None
        self._tallied = 0
        self._entered = False
        self._drained: asyncio.Future[None] | None = None
        self._outside = ExitStack()
        self._context = copy_context()
        self._wall = FrozenWall(self.clock) if freeze else None
        self._patches: list[AbstractContextManager[object]] = [
            *([] if self._wall is None else [self._wall]),
            SleepGuard(self._failures.note_broken),
        ]

    # Entering and leaving.

    def __enter__(self) -> Self:
        if self._entered:
            raise SimulationError("a simulation can be entered once; make another one")
        self._entered = True
        with ExitStack() as entering:
            self.loop = VirtualLoop(self.clock, patience=self._patience)
            entering.callback(self.loop.close)
            for patch in self._patches:
                entering.enter_context(patch)
            self.run(self._enter(entering))
            self._outside = entering.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A world that is stuck cannot be left in order; what it is stuck on was reported.
        with self._outside, contextlib.suppress(SimulationError):
            self.run(self._leave())
        if exc_value is None:
            self.check()

    def run(self, awaitable: Awaitable[R]) -> R:
        """Await something on the simulation's loop, from ordinary code, and return its result.

        Time moves as far as that needs. Tasks of the docket do not run meanwhile, unless what is
        awaited is one of the verbs.

        Raises:
            Deadlock: nothing can ever happen again.
            Spinning: the run goes on, but time does not.
            ClockHeld: a thread or child process took too long.
        """
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
        task = self.loop.create_task(_awaited(awaitable), name="main", context=self._context)
        try:
            result: R = self.loop.run_until_complete(task)
        except BaseException as error:
            self._failures.forget(error)
            if task.done():
                raise
            raise self._stuck(task, error) from None
        return result

    def _stuck(self, task: asyncio.Task[Any], error: BaseException) -> BaseException:
        """What to raise when the loop itself gave up while `task` waited, which ends herewith."""
        if isinstance(error, Deadlock) and self._drive is None:
            error.add_note(
                "No verb drives this simulation, so its workers rest: "
                "await sim.run_until_idle(), or another verb, before waiting for results."
            )
        with contextlib.suppress(SimulationError):
            self.loop.run_until_complete(cancelled([task]))
        # Its traceback leads through the loop, which says nothing that the message does not.
        return error.with_traceback(None) if isinstance(error, SimulationError) else error

    def check(self) -> None:
        """Say so if executions have ended failed and nobody has acknowledged it.

        Raises:
            UnseenFailures: that is so, and `allow_failures` is not set.
        """
        __tracebackhide__ = True
        self._failures.raise_broken()
        if not self.allow_failures:
            self._failures.raise_unseen()

    # Driving.

    async def run_due(self, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run what is due now, and what that schedules for now; the clock stays.

        A body that waits for time to pass is left running: `Tally.running` counts it.

        Args:
            limit: how many follow-up runs there may be.

        Raises:
            EndlessRun: there were more.
        """
        async with self._driving("run_due()", limit, per_instant=True) as drive:
            await drive.until(self.loop.settled())
        return self._tally(drive)

    async def run_next(self) -> Tally:
        """Move to the next due time, and run one attempt to its end.

        Raises:
            NothingToRun: nothing is scheduled.
        """
        outlook = await self._turnstile.outstanding(self.clock.now())
        if outlook.next_due is None:
            raise NothingToRun(
                "run_next() expects something to be scheduled, found "
                + (f"{outlook.outstanding} running" if outlook.outstanding else "nothing")
                + ". Add work first, or use a verb that may find nothing, such as run_due()."
            )
        async with self._driving("run_next()", DEFAULT_LIMIT, tickets=1) as drive:
            while not drive.first_end.done():
                await drive.until(drive.next_change())
                if not (await self._turnstile.outstanding(self.clock.now())).outstanding:
                    break  # it was cancelled before its time
        return self._tally(drive)

    async def run_until_idle(self, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run everything that is scheduled, all of the future included, until nothing is left.

        Args:
            limit: how many follow-up runs (retries, next runs of perpetuals, and what tasks
                schedule) there may be.

        Raises:
            EndlessRun: there were more; the message names the task that keeps coming back.
        """
        async with self._driving("run_until_idle()", limit) as drive:
            await drive.until(self.loop.settled())
            while (await self._turnstile.outstanding(self.clock.now())).outstanding:
                self._drained = self.loop.create_future()
                await drive.until(self._drained)
                await drive.until(self.loop.settled())
        return self._tally(drive)

    async def run_for(self, duration: timedelta, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run what becomes due within `duration`, and move the clock that far.

        Args:
            duration: how much virtual time is to pass.
            limit: how many follow-up runs there may be at one instant.

        Raises:
            ValueError: a negative duration.
            EndlessRun: there were more follow-up runs at one instant.
        """
        if not isinstance(duration, timedelta):
            raise TypeError(f"run_for() takes a timedelta, found {duration!r}")
        if duration < timedelta(0):
            raise ValueError(f"time does not run backwards: expected 0 or more, found {duration}")
        return await self._run_to(self.clock.now() + duration, "run_for(...)", limit)

    async def run_until(self, when: datetime, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run what becomes due until `when`, that instant included, and move the clock there.

        Args:
            when: an aware datetime, not in the past.
            limit: how many follow-up runs there may be at one instant.

        Raises:
            ValueError: a naive datetime, or one in the past.
            EndlessRun: there were more follow-up runs at one instant.
        """
        when = as_utc(when)
        if when < self.clock.now():
            raise ValueError(
                f"expected an instant that is not past, found {when.isoformat()}; "
                f"it is {self.clock.now().isoformat()}"
            )
        return await self._run_to(when, "run_until(...)", limit)

    # Looking.

    @property
    def workers(self) -> list[Worker]:
        """The workers; there are none before the first verb."""
        return list(self._crew.workers)

    @property
    def failures(self) -> list[Finished]:
        """The failures that nobody has acknowledged."""
        return list(self._failures.unseen)

    def acknowledge_failures(self) -> list[Finished]:
        """The failures that nobody has acknowledged, which is done herewith."""
        return self._failures.acknowledge()

    # What the docket and the store tell.

    def notify(self, event: Event) -> None:
        """Take note of what happened."""
        self.timeline.notify(event)
        if isinstance(event, Scheduled | Finished | Retried):
            self.loop.note_progress()
        self._failures.notify(event)
        if self._drive is not None:
            self._drive.notify(event)

    @property
    def worker(self) -> str:
        """The name to listen under: that of no worker."""
        return ""

    def work_due(self, when: datetime) -> None:
        """Nothing to do: the workers are told."""

    def cancel_requested(self, key: str) -> None:
        """Nothing to do: the workers are told."""

    def drained(self) -> None:
        """Nothing is outstanding."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # How it is done.

    async def _run_to(self, when: datetime, verb: str, limit: int) -> Tally:
        async with self._driving(verb, limit, per_instant=True) as drive:
            await drive.until(self.loop.settled())
            await drive.until(self.loop.reached(when))
            await drive.until(self.loop.settled())
        return self._tally(drive)

    @asynccontextmanager
    async def _driving(
        self, verb: str, limit: int, *, per_instant: bool = False, tickets: int | None = None
    ) -> AsyncGenerator[Drive]:
        __tracebackhide__ = True
        if asyncio.get_running_loop() is not self.loop:
            raise SimulationError(
                f"{verb} was awaited on another event loop, such as that of another plugin's "
                f"fixture; the verbs run on the simulation's own. In an async test await them "
                f"there; anywhere else, use sim.run(sim.{verb})."
            )
        if self._wall is not None:
            self._wall.check()
        if self._drive is not None:
            raise SimulationError(
                f"{verb} cannot begin while another verb drives this simulation; "
                f"a task under test must not drive it either"
            )
        drive = Drive(
            verb,
            self.timeline,
            self.loop.create_future,
            first_event=self._tallied,
            limit=limit,
            per_instant=per_instant,
        )
        self._drive = drive
        try:
            await self._crew.begin(drive.stop)
            self._turnstile.let_through(self.clock.now(), tickets)
            yield drive
        finally:
            self._turnstile.shut()
            self._drive = None
        self._failures.raise_broken()

    async def _enter(self, entering: ExitStack) -> None:
        await self.docket.__aenter__()
        entering.enter_context(self.docket.store.listen(self))

    async def _leave(self) -> None:
        self._drive = None
        await self._crew.leave()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await cancelled(sorted(others, key=hash))
        await self.docket.__aexit__(None, None, None)
        await self.loop.shutdown_asyncgens()
        await self.loop.shutdown_default_executor()

    def _tally(self, drive: Drive) -> Tally:
        events = drive.events
        self._tallied += len(events)
        return Tally.of(events, running=self._crew.in_hand)

    def _register(self, tasks: Iterable[TaskFunction] | str) -> None:
        if isinstance(tasks, str):
            self.docket.register_collection(tasks)
            return
        for function in tasks:
            self.docket.register(function)


def _another_loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _awaited(awaitable: Awaitable[R]) -> R:
    return await awaitable
