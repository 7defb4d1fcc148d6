"""`Simulation`: a docket, workers, a loop and a clock of its own, and the verbs to drive them."""

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from docket_sim.assertions import Assertions, Duration, Evidence, History, Instant, Recording
from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import duration_of
from docket_sim.clock.virtual import DEFAULT_START
from docket_sim.codec import Codec
from docket_sim.dependencies import Perpetual, Retry, Timeout
from docket_sim.events import ErrorRead, Event, Finished, Retried, Scheduled, Source
from docket_sim.perform import Performed
from docket_sim.simulation import refusals
from docket_sim.simulation.backend import backend
from docket_sim.simulation.bound import DEFAULT_STEPS
from docket_sim.simulation.boundary import Boundary
from docket_sim.simulation.choices import Choices
from docket_sim.simulation.crew import Crew
from docket_sim.simulation.driver import DEFAULT_LIMIT, Driver
from docket_sim.simulation.failures import Failure, Failures
from docket_sim.simulation.faults.journal import Journal
from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.invariants.checked import Invariants, Watch
from docket_sim.simulation.leftovers import Leftovers, refuse_all
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.making import make_docket, maker_of_workers
from docket_sim.simulation.planted import Action
from docket_sim.simulation.script import Script, ScriptedOutcome, failing, refuse_attempt
from docket_sim.simulation.stand_ins import StandIn, StandIns
from docket_sim.simulation.tally import Tally
from docket_sim.simulation.timeline import Timeline
from docket_sim.simulation.world import World
from docket_sim.store import Store
from docket_sim.task import TaskFunction
from docket_sim.worker import Worker

R = TypeVar("R")

_NOTHING: Any = object()


class Simulation(Assertions):
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
        allow_pending: whether work may be left over: all of it, none, or what is not due yet.
        allow_leaked_tasks: whether asyncio tasks may be left running.
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
        store: str | Store = "memory",
        execution_ttl: timedelta = timedelta.max,
        freeze: bool = True,
        inline: bool = False,
        allow_failures: bool = False,
        allow_pending: bool | Literal["future"] = "future",
        allow_leaked_tasks: bool = False,
        allow_blocking_sleep: bool = False,
        patience: float = 5.0,
        steps: int = DEFAULT_STEPS,
        faults: str | Faults | Iterable[Faults] | None = None,
        choices: Choices | None = None,
        unchecked: Collection[str] = (),
        run_twice: bool = False,
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
            store: where its docket lives: `memory`, `fakeredis`, or a URL as for `Docket`, which
                gives a docket of its own on that server for as long as the simulation lasts; or a
                store. On each of them the run is in virtual time.
            execution_ttl: as for `Docket`, but by default results are kept for ever, so that a test
                can look at them after any stretch of virtual time.
            freeze: whether user code sees virtual time in `datetime.now()`, `time.time()` and
                `time.monotonic()`; needs freezegun.
            inline: whether each `add()` and `replace()` of the test itself runs what is due before
                it returns, as the eager modes of other task systems do.
            allow_failures: whether executions may end failed without anyone looking.
            allow_pending: whether work may be left over at the end: `"future"` allows what is not
                due yet or waits for time to pass, `True` everything, `False` nothing. What an
                assertion was about, and the next runs of perpetuals, may always be.
            allow_leaked_tasks: whether asyncio tasks may be left running at the end.
            allow_blocking_sleep: whether `time.sleep()` may block the event loop for real.
            patience: how many seconds of real time threads may hold virtual time.
            steps: how many callbacks the loop may run without any call being scheduled, retried or
                ended, before the run counts as endless; a call of the store counts as 20. In a
                search, a run may take ten times as many altogether.
            faults: what is done to workers and store calls: `none`, `rough`, `hostile`, rules such
                as `Faults.crash_worker(before="settle")`, or several of these.
            choices: what decides where rules with odds strike, how long store calls take, and
                jitter; without, no such rule strikes, and jitter follows from the seed.
            unchecked: the ids of invariants that are not to be checked, or `all`.
            run_twice: whether what has succeeded is delivered once more before it is acknowledged:
                a test of whether tasks are idempotent. Timeline and assertions see the first run.

        Raises:
            ValueError: a naive `start`, no workers, or no steps.
            TypeError: a flag that is neither true nor false, a count or a seed that is no whole
                number, an `execution_ttl` that is no timedelta, or `tasks` that are no list of
                tasks.
        """
        self.seed = refusals.count("seed", seed)
        self.allow_failures = refusals.flag("allow_failures", allow_failures)
        self.allow_pending: bool | Literal["future"] = refusals.pending(allow_pending)
        self.allow_leaked_tasks = refusals.flag("allow_leaked_tasks", allow_leaked_tasks)
        self.clock = VirtualClock(start)
        behind = backend(store, execution_ttl=refusals.ttl(execution_ttl))
        rules = Faults.of(faults, run_twice=refusals.flag("run_twice", run_twice))
        self._boundary = Boundary(self.clock, behind, rules, choices, seed, refusals.steps(steps))
        after_submit = self._run_inline if refusals.flag("inline", inline) else None
        self.docket = make_docket(self.clock, self._boundary, codec, after_submit, tasks)
        self.timeline = Timeline(self.clock.start, self.docket.describe)
        self.docket.observe(self)
        self._shape = f"{workers} {concurrency} {execution_ttl} {inline} {run_twice}"
        self._make_worker = maker_of_workers(self.docket, concurrency, dependencies)
        self._crew = Crew(workers, self._make_worker, self._boundary.court.troubles)
        self._failures = Failures(self.timeline, self.docket.describe)
        seen = self._failures.acknowledge_run
        super().__init__(Evidence(self.docket, self.clock, History(self.timeline.events), seen))
        self._stand_ins = StandIns(self.docket, dependencies)
        self._driver = Driver(self.clock, self._boundary, self._crew, self.timeline, self._failures)
        self._invariants = Invariants(self._boundary, unchecked, self._driver, self.docket)
        self._leftovers = Leftovers(self.evidence, self._driver.planted)
        self._world = self._surroundings(
            patience, freeze=freeze, allow_blocking_sleep=allow_blocking_sleep
        )

    # Entering and leaving.

    def __enter__(self) -> Self:
        self._world.enter(self._driver, self._boundary.use)
        self.loop = self._world.loop
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        leaked = self._world.leave(self._leftovers.described)
        if exc_value is None:
            allowed = [] if self.allow_leaked_tasks else leaked
            refuse_all([self.check, lambda: self._leftovers.refuse_leaked(allowed)])

    def run(self, awaitable: Awaitable[R]) -> R:
        """Await something on the simulation's loop, from ordinary code, and return its result.

        Time moves as far as that needs. Tasks of the docket do not run meanwhile, unless what is
        awaited is one of the verbs.

        Raises:
            Deadlock: nothing can ever happen again.
            Spinning: the run goes on, but time does not.
            EndlessRun: time goes on, but nothing comes of it.
            ClockHeld: a thread or child process took too long.
        """
        __tracebackhide__ = True
        return self._world.run(awaitable)

    def check(self) -> None:
        """Say so if something was left behind that nobody has looked at. Each is reported once.

        Where there are several kinds, the first is raised, with a note for each of the others.

        Raises:
            UnseenFailures: executions have ended failed, and nobody has acknowledged it.
            NeverAwaited: what `docket.add()` or the like returned was not awaited.
            UnusedOverride: something stands in for what nothing has used.
            UnfinishedWork: work is left over.
        """
        __tracebackhide__ = True
        self._invariants.look()
        self._failures.raise_broken()
        pending = True if self._driver.broken else self.allow_pending
        outstanding = self._driver.outstanding
        checks = [
            lambda: self._boundary.unawaited.refuse(self._world.unfinished()),
            self._stand_ins.check,
            lambda: self._leftovers.refuse_pending(pending, outstanding=outstanding),
        ]
        if not self.allow_failures:
            checks.insert(0, self._failures.raise_unseen)
        refuse_all(checks)

    # Driving.

    async def run_due(self, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run what is due now, and what that schedules for now; the clock stays.

        A body that waits for time to pass is left running: `Tally.running` counts it.

        Args:
            limit: how many follow-up runs there may be.

        Raises:
            EndlessRun: there were more.
        """
        __tracebackhide__ = True
        return await self._driver.run_due(limit)

    async def run_next(self) -> Tally:
        """Move to the next due time, and run one attempt to its end.

        Raises:
            NothingToRun: nothing is scheduled.
        """
        __tracebackhide__ = True
        return await self._driver.run_next()

    async def run_until_idle(self, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run everything that is scheduled, all of the future included, until nothing is left.

        What was planted with `at` counts as well.

        Args:
            limit: how many follow-up runs (retries, next runs of perpetuals, and what tasks
                schedule) there may be.

        Raises:
            EndlessRun: there were more; the message names the task that keeps coming back.
        """
        __tracebackhide__ = True
        return await self._driver.run_until_idle(limit)

    async def run_for(self, duration: Duration, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run what becomes due within `duration`, and move the clock that far.

        Args:
            duration: how much virtual time is to pass: a timedelta, or a text such as `1d 2h`.
            limit: how many follow-up runs there may be at one instant.

        Raises:
            ValueError: a negative duration.
            EndlessRun: there were more follow-up runs at one instant.
        """
        __tracebackhide__ = True
        span = duration_of(duration)
        if span < timedelta(0):
            raise ValueError(f"time does not run backwards: expected 0 or more, found {span}")
        return await self._driver.run_to(self.clock.now() + span, "run_for(...)", limit)

    async def run_until(self, when: Instant, *, limit: int = DEFAULT_LIMIT) -> Tally:
        """Run what becomes due until `when`, that instant included, and move the clock there.

        Args:
            when: an aware datetime, not in the past, or the time since the start, such as `+2h`.
            limit: how many follow-up runs there may be at one instant.

        Raises:
            ValueError: a naive datetime, or one in the past.
            EndlessRun: there were more follow-up runs at one instant.
        """
        __tracebackhide__ = True
        instant = refusals.instant_to_come(when, self.clock)
        return await self._driver.run_to(instant, "run_until(...)", limit)

    def at(self, when: Instant, action: Action) -> None:
        """Let `action` happen at an instant of virtual time, whatever drives the simulation then.

            sim.at("+2h", lambda: sim.docket.cancel("order-7"))

        What the action raises ends the verb that is under way.

        Args:
            when: an aware datetime, not in the past, or the time since the start, such as `+2h`.
            action: called without arguments; an awaitable that it returns is awaited.

        Raises:
            ValueError: a naive datetime, or one in the past.
            TypeError: `action` cannot be called.
        """
        __tracebackhide__ = True
        source = Source.of_caller(inspect.currentframe())
        self._driver.planted.plant(
            self.loop,
            refusals.instant_to_come(when, self.clock),
            action,
            source=source,
            context=self._world.context.copy(),
        )

    async def perform(
        self,
        task: TaskFunction | str,
        /,
        *args: Any,
        attempt: int = 1,
        key: str | None = None,
        cancel_after: Duration | None = None,
        **kwargs: Any,
    ) -> Performed:
        """Run one attempt at one call, without a queue, and return what became of it.

        Dependencies, timeout and policies are the real ones, or what stands in for them. Nothing
        is settled: what the settlement says does not happen.

        Args:
            task: the task, or its name.
            args, kwargs: the call's arguments; those of the names below go by position.
            attempt: which attempt it is, counted from 1.
            key: the key of the execution.
            cancel_after: when the execution is cancelled while it runs.

        Returns:
            What happened, and what was decided: `.outcome`, `.settlement`, and `.result()`, which
            returns what the body returned or raises what it raised.

        Raises:
            UnknownTask: a name that no task has.
            ValueError: an attempt below 1.
            TypeError: the arguments do not fit, or the task has one of a name that is taken here.
        """
        __tracebackhide__ = True
        refuse_attempt(attempt)
        call = self.docket.unscheduled_call(task, args, kwargs, key=key, attempt=attempt)
        after = None if cancel_after is None else duration_of(cancel_after)
        taken = {"attempt": attempt != 1, "key": bool(key), "cancel_after": after is not None}
        refusals.refuse_swallowed(self.docket.task(task), args, kwargs, taken)
        with self.evidence.performing(call):
            return await self._make_worker("bench").perform_once(call, cancel_after=after)

    # Standing in.

    @overload
    def override(
        self, target: Callable[..., Any], factory: Callable[..., Any], /, *, unused_ok: bool = False
    ) -> StandIn: ...
    @overload
    def override(
        self, target: Callable[..., Any], /, *, value: object, unused_ok: bool = False
    ) -> StandIn: ...
    @overload
    def override(
        self,
        task: TaskFunction | str,
        /,
        *,
        body: Callable[..., Any] = ...,
        retry: Retry = ...,
        timeout: Timeout = ...,
        perpetual: Perpetual = ...,
        unused_ok: bool = False,
    ) -> StandIn: ...
    def override(
        self,
        target: Any,
        factory: Callable[..., Any] = _NOTHING,
        /,
        *,
        value: object = _NOTHING,
        unused_ok: bool = False,
        **for_a_task: Any,
    ) -> StandIn:
        """Let something stand in: for a dependency, or for a task's body or policies.

            sim.override(get_gateway, value=gateway)       # what get_gateway would have made
            sim.override(get_gateway, get_fake_gateway)    # a factory, with dependencies if need be
            sim.override(charge, retry=Retry(attempts=2))  # also timeout=, perpetual=
            sim.override(charge, body=fake_charge)         # called with what it has parameters for

        It is in force from now on, until the end of the test or, as a context manager, of its
        block. Overrides nest; the newest counts. A factory that stands in and itself depends on
        what it stands in for is given the real thing.

        Args:
            unused_ok: whether it may remain unused.

        Returns:
            The stand-in; its `calls` are those of a body that it stood in for.

        Raises:
            TypeError: it does not fit.
            UnknownTask: the name of a task that no task has.
            UnusedOverride: no registered task needs `target`, but one needs its namesake; at the
                end of the block or the test, also that nothing has used it.
        """
        __tracebackhide__ = True
        source = Source.of_caller(inspect.currentframe())
        offered: dict[str, Any] = {"factory": factory, "value": value, **for_a_task}
        given = {name: one for name, one in offered.items() if one is not _NOTHING}
        return self._stand_ins.override(target, given, source=source, unused_ok=unused_ok)

    def script(
        self,
        task: TaskFunction | str,
        outcomes: Sequence[ScriptedOutcome] | Mapping[int, ScriptedOutcome],
        /,
        *,
        key: str | None = None,
        unused_ok: bool = False,
    ) -> StandIn:
        """Say what each attempt at a task comes to; those of which nothing is said run as usual.

            sim.script(charge, [Raises(GatewayDown), Takes(timedelta(seconds=40)), Runs()])

        Args:
            outcomes: what the attempts come to, in order, or by number, counted from 1: `Raises`,
                `Returns`, `Hangs`, `Takes`, `Runs`.
            key: the execution that is meant; all of the task's by default.
            unused_ok: whether it may remain unused.

        Raises:
            UnknownTask: a name that no task has.
            TypeError, ValueError: something in `outcomes` is no outcome.

        Returns:
            The stand-in; its `calls` are those that it has decided over. It ends as that of
            `override` does.
        """
        __tracebackhide__ = True
        source = Source.of_caller(inspect.currentframe())
        known = self.docket.task(task)
        return self._stand_ins.script(
            known.function,
            Script(outcomes, key=key),
            f"sim.script({known.name}, ...)",
            source=source,
            unused_ok=unused_ok,
        )

    def fail(
        self,
        task: TaskFunction | str,
        /,
        *,
        on_attempts: int | Iterable[int] | None = 1,
        exc: BaseException | type[BaseException] | None = None,
        after_body: bool = False,
        key: str | None = None,
        unused_ok: bool = False,
    ) -> StandIn:
        """Let some attempts at a task fail.

        Args:
            on_attempts: the number of the attempt, or several; `None` for all of them.
            exc: what is raised; by default an `InjectedFailure`.
            after_body: whether the body runs first, so that all it does has happened.
            key: the execution that is meant; all of the task's by default.
            unused_ok: whether it may remain unused.

        Returns:
            The stand-in, as for `script`.
        """
        __tracebackhide__ = True
        source = Source.of_caller(inspect.currentframe())
        known = self.docket.task(task)
        return self._stand_ins.script(
            known.function,
            failing(known.name, on_attempts, exc, after_body=after_body, key=key),
            f"sim.fail({known.name}, ...)",
            source=source,
            unused_ok=unused_ok,
        )

    # Looking.

    @property
    def journal(self) -> Journal:
        """What passed between the workers and the store, and what was done to them."""
        return self._boundary.court.troubles.journal

    @property
    def described(self) -> str:
        """The world as far as its choices depend on it: those of another mean something else."""
        faults = self._boundary.faults
        return f"{self._shape} {faults.rules} {faults.latencies} {faults.limit}"

    @property
    def repeatable(self) -> bool:
        """Whether the same choices make the same run; on a server, one instant has no order."""
        return self._boundary.scene.memory is not None

    @property
    def steps(self) -> int:
        """How many callbacks the loop has run so far, counted as for the bound of that name."""
        return self._boundary.bound.steps

    @property
    def workers(self) -> list[Worker]:
        """The workers; there are none before the first verb."""
        return list(self._crew.workers)

    @property
    def failures(self) -> list[Failure]:
        """The failures that nobody has acknowledged."""
        return list(self._failures.unseen)

    def acknowledge_failures(self) -> list[Failure]:
        """The failures that nobody has acknowledged, which is done herewith."""
        return self._failures.acknowledge()

    def excuse_overrides(self) -> None:
        """What stands in for something need not have been used: the test has ended before it."""
        self._stand_ins.excuse()

    def strike(self, faults: Faults) -> None:
        """Let something go wrong now: `sim.strike(Faults.crash_worker(worker="worker-1"))`.

        Args:
            faults: what happens to workers or to the store happens at once; what is to happen at
                a call of the store, as with `before="settle"`, happens at the next ones.

        Raises:
            TypeError: a fault with odds.
        """
        self._boundary.court.strike(faults)

    def heal(self) -> None:
        """Let what stands still go on, and reconnect what is cut off, the store included."""
        self._boundary.court.troubles.heal()

    def invariant(self, watch: Watch) -> Watch:
        """Check something at every event of the run, and when it ends; also as a decorator.

            @sim.invariant
            def nobody_is_charged_twice():
                assert ledger.charges(7) <= 1

        Args:
            watch: called without arguments; it is broken when it raises, or returns something false
                that is not `None`. The verb that is under way then ends with `InvariantBroken`.

        Raises:
            TypeError: a coroutine function.
        """
        self._invariants.add(watch)
        return watch

    def recording(self) -> Recording:
        """Record what happens in a block: `with sim.recording() as rec`; it has all assertions."""
        return Recording(self.evidence, self.timeline.events)

    # What the docket tells.

    def notify(self, event: Event) -> None:
        """Take note of what happened."""
        if isinstance(event, ErrorRead):
            self._failures.acknowledge_read(event)
            return
        self.journal.notify(event)
        if self._boundary.rehearsal.hides(event):
            return
        self.timeline.notify(event)
        if isinstance(event, Scheduled | Finished | Retried):
            self.loop.note_progress()
        self._failures.notify(event)
        self._driver.notify(event)
        self._invariants.event(event)

    # How it is done.

    def _surroundings(self, patience: float, *, freeze: bool, allow_blocking_sleep: bool) -> World:
        return World(
            self.clock,
            self.docket,
            self._driver,
            freeze=refusals.flag("freeze", freeze),
            guard_sleep=not refusals.flag("allow_blocking_sleep", allow_blocking_sleep),
            patience=patience,
        )

    async def _run_inline(self) -> None:
        if not self._driver.driving:
            await self._driver.run_due(DEFAULT_LIMIT)
