"""`Docket`: where tasks are registered and calls of them are scheduled."""

import dataclasses
import importlib
import inspect
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, MutableMapping
from datetime import datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast, overload

from docket_sim.clock import Clock, SystemClock
from docket_sim.codec import Codec, TaskCodec, codec_for
from docket_sim.dependencies import Factory, FactoryOverrides, Overrides, current_attempt
from docket_sim.entropy import Entropy, SystemEntropy
from docket_sim.errors import DocketError
from docket_sim.events import (
    CancelledWaiting,
    CancelRequested,
    Dropped,
    Event,
    Observer,
    Scheduled,
    Source,
)
from docket_sim.execution import Cause, Disposition, Execution, ExecutionState, TaskCall
from docket_sim.logs import LogObserver
from docket_sim.lookup import DocketSnapshot, Lookup
from docket_sim.scheduling import Returned, Scheduling, ToAwait, due_time
from docket_sim.store import Store, Submitted, open_store
from docket_sim.task import Registry, Task, TaskFunction, name_of

P = ParamSpec("P")
R = TypeVar("R")

_logger = logging.getLogger(__name__)
_CLEARED_AT_ONCE = 1_000


class Docket:
    """Schedules calls of tasks, and looks up what became of them.

    Open it before use:

        async with Docket(name="shop") as docket:
            await docket.add(charge)(order_id=7)

    Attributes:
        name: names the docket; two with the same name and URL share what is scheduled.
        clock: tells the time.
        entropy: where ids and jitter come from.
        overrides: what stands in for dependencies, policies and bodies of tasks.
    """

    def __init__(
        self,
        name: str = "docket",
        url: str | None = None,
        *,
        codec: str | Codec = "json",
        execution_ttl: timedelta = timedelta(minutes=15),
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        store: Store | None = None,
        observers: Iterable[Observer] = (),
        after_submit: Callable[[], Awaitable[None]] | None = None,
        returned: Returned | None = None,
    ) -> None:
        """
        Args:
            name: names the docket.
            url: where it lives; by default the environment's DOCKET_URL, else `memory://`, which
                needs nothing and lasts as long as the process.
            codec: `"json"`, typed by each task's signature; `"pickle"`; or an object with the
                `Codec` protocol.
            execution_ttl: how long results are kept after an execution has ended.
            clock: tells the time; by default the machine's.
            entropy: where ids and jitter come from; by default the operating system.
            store: a store to use instead of the one at `url`.
            observers: who sees every event, besides the log.
            after_submit: awaited after each `add()` and `replace()` that comes from outside of
                tasks, before it returns.
            returned: is told what `add()` and its like return, and to which line of code: all of it
                has to be awaited.

        Raises:
            ValueError: an unknown codec, an unknown URL scheme, or a negative `execution_ttl`.
        """
        if not isinstance(execution_ttl, timedelta):
            raise TypeError(f"execution_ttl must be a timedelta, found {execution_ttl!r}")
        if execution_ttl < timedelta(0):
            raise ValueError(f"execution_ttl must not be negative, found {execution_ttl}")
        self.name = name
        self.clock: Clock = clock or SystemClock()
        self.entropy: Entropy = entropy or SystemEntropy()
        if store is None:
            at = url or os.environ.get("DOCKET_URL") or "memory://"
            # A clock of the user's own is there to be obeyed.
            store = open_store(at, name, execution_ttl=execution_ttl, servers_clock=clock is None)
        self._store = store
        self._codec = codec_for(codec)
        self._registry = Registry(self._codec)
        self._lookup = Lookup(self._store, self._registry, self.clock, self.notify)
        self.overrides = Overrides()
        self._observers: list[Observer] = [LogObserver(self.describe), *observers]
        self._after_submit = after_submit
        self._to_await = ToAwait(returned)
        self._open = 0

    async def __aenter__(self) -> Self:
        """Reach the store.

        Raises:
            StoreUnavailable: it does not answer.
        """
        if self._open == 0:
            await self._store.open()
        self._open += 1
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open -= 1
        if self._open == 0:
            await self._store.close()

    @property
    def store(self) -> Store:
        """Where the docket's calls live; open.

        Raises:
            DocketError: the docket was not opened.
        """
        if not self._open:
            raise DocketError(
                f"the docket {self.name!r} is not open: use `async with Docket(...) as docket:`"
            )
        return self._store

    @property
    def tasks(self) -> Mapping[str, TaskFunction]:
        """The registered functions by name."""
        return {task.name: task.function for task in self._registry}

    @property
    def dependency_overrides(self) -> MutableMapping[Factory, Factory]:
        """What stands in for dependencies, by factory: `[get_gateway] = get_sandbox_gateway`.

        What stands in may have dependencies of its own; attempts that begin after a change see it.
        """
        return FactoryOverrides(self.overrides)

    def register(self, function: TaskFunction, names: Iterable[str] | None = None) -> None:
        """Make `function` a task of this docket, under its own name or under `names`.

        Raises:
            TypeError: it does not return an awaitable.
            ValueError: another function has the name, or it has two policies of one kind.
            CycleError: its dependencies need each other.
        """
        for name in names or [name_of(function)]:
            self._registry.add(function, name)

    def register_collection(self, path: str) -> None:
        """Register every function of a collection, given as `module:attribute`.

        Raises:
            ValueError: the path is not of that form.
            TypeError: it names nothing that can be walked through.
            ImportError: there is no such module.
        """
        module_name, _, attribute = path.partition(":")
        if not module_name or not attribute:
            raise ValueError(f"expected a collection as 'module:attribute', found {path!r}")
        collection = getattr(importlib.import_module(module_name), attribute, None)
        if not isinstance(collection, Iterable):
            raise TypeError(f"expected {path!r} to be a list of tasks, found {collection!r}")
        for function in cast("Iterable[TaskFunction]", collection):
            self.register(function)

    def task(self, function: TaskFunction | str) -> Task:
        """The task that `function` is, registered if need be.

        Raises:
            UnknownTask: a name that no task has.
        """
        return self._registry.task_of(function)

    def unscheduled_call(
        self,
        function: TaskFunction | str,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] = MappingProxyType({}),
        *,
        key: str | None = None,
        attempt: int = 1,
    ) -> TaskCall:
        """A call of a task as data, which is not scheduled.

        Raises:
            UnknownTask: no task has that name.
            TypeError: the arguments do not fit or cannot travel.
        """
        __tracebackhide__ = True
        call = self._call(self.task(function), args, kwargs, None, key)
        return dataclasses.replace(call, attempt=attempt)

    def untyped_codec(self, task: str) -> TaskCodec:
        """The codec for a task of that name, untyped where it is not known here."""
        return self._registry.codec_of(task)

    def unregistered_task(self, function: TaskFunction) -> Task:
        """`function` as a task that stands under no name of its own."""
        return Task(function, name_of(function), self._codec)

    @overload
    def add(
        self,
        function: Callable[P, Awaitable[R]],
        when: datetime | None = None,
        key: str | None = None,
    ) -> Callable[P, Coroutine[Any, Any, Execution]]: ...
    @overload
    def add(
        self, function: str, when: datetime | None = None, key: str | None = None
    ) -> Callable[..., Coroutine[Any, Any, Execution]]: ...
    def add(
        self,
        function: TaskFunction | str,
        when: datetime | None = None,
        key: str | None = None,
    ) -> Callable[..., Coroutine[Any, Any, Execution]]:
        """Schedule a call: `await docket.add(charge, key="order-7")(order_id=7)`.

        Arguments are checked where they are passed. A key that has not ended keeps what it has:
        the handle then has `Disposition.ALREADY_SCHEDULED`.

        Args:
            function: a task, registered if need be, or the name of a registered one.
            when: the due time, an aware datetime; now by default, and for one in the past.
            key: names the execution; a fresh UUIDv7 by default.

        Returns:
            A callable with the task's own signature; awaiting its result schedules the call.

        Raises:
            UnknownTask: no task has that name.
            ValueError: `when` is naive.
            TypeError: `when` is no datetime, or `key` no string with something in it.
            TypeError (of the returned callable): the arguments do not fit or cannot travel.
        """
        return self._scheduler(function, when, key, replace=False)

    @overload
    def replace(
        self, function: Callable[P, Awaitable[R]], when: datetime, key: str
    ) -> Callable[P, Coroutine[Any, Any, Execution]]: ...
    @overload
    def replace(
        self, function: str, when: datetime, key: str
    ) -> Callable[..., Coroutine[Any, Any, Execution]]: ...
    def replace(
        self, function: TaskFunction | str, when: datetime, key: str
    ) -> Callable[..., Coroutine[Any, Any, Execution]]:
        """Schedule a call in place of whatever `key` stands for.

        What waits gives way. What runs goes on to its end, but decides nothing any more, and the
        replacement runs only after it.

        Args, returns and raises: as `add`.
        """
        return self._scheduler(function, when, key, replace=True)

    @overload
    def call(
        self,
        function: Callable[P, Awaitable[R]],
        when: datetime | None = None,
        key: str | None = None,
    ) -> Callable[P, TaskCall]: ...
    @overload
    def call(
        self, function: str, when: datetime | None = None, key: str | None = None
    ) -> Callable[..., TaskCall]: ...
    def call(
        self,
        function: TaskFunction | str,
        when: datetime | None = None,
        key: str | None = None,
    ) -> Callable[..., TaskCall]:
        """A call for `add_many`, which is checked like that of `add` but not scheduled yet.

        Args, returns and raises: as `add`, but for a value in place of something to await.
        """
        task, due = self._task_and_due(function, when, key)

        def prepare(*args: Any, **kwargs: Any) -> TaskCall:
            __tracebackhide__ = True
            return self._call(task, args, kwargs, due, key)

        return prepare

    def add_many(
        self, calls: Iterable[TaskCall], *, replace: bool = False
    ) -> Coroutine[Any, Any, list[Execution]]:
        """Schedule many calls at once, in a fraction of the time of one `add` after another.

            await docket.add_many(docket.call(charge)(order_id) for order_id in orders)

        Each is accepted or not on its own: a key that has not ended keeps what it has.

        Args:
            calls: what `call` has made.
            replace: whether they take the place of what their keys stand for.

        Returns:
            The handles, in the order of the calls.

        Raises:
            TypeError: something else than a call is among them.
            StoreUnavailable: the store went away; some of them may have been accepted.
        """
        source = Source.of_caller(inspect.currentframe())
        submitting = self._submit_many(list(calls), source, replace=replace)
        return self._to_await(submitting, "docket.add_many(...)", source)

    def cancel(self, key: str) -> Coroutine[Any, Any, None]:
        """Cancel an execution: one that waits never runs, one that runs is cancelled.

        An unknown key, or one that has ended, is left as it is. Awaiting the answer does it.
        """
        source = Source.of_caller(inspect.currentframe())
        return self._to_await(self._cancel(key, source), "docket.cancel(...)", source)

    async def get_execution(self, key: str) -> Execution | None:
        """A handle on the execution `key`, or `None` when nothing is known of it."""
        record = await self.store.get(key, now=self.now())
        return self._lookup.handle(record) if record is not None else None

    async def snapshot(self) -> DocketSnapshot:
        """Everything in the docket at one moment."""
        snapshot = await self.store.snapshot(now=self.now())
        handles = [self._lookup.handle(record) for record in snapshot.records]
        return DocketSnapshot.of(snapshot.taken, handles)

    async def clear(self, *, progress: Callable[[int], None] | None = None) -> int:
        """Cancel everything that waits, and say how many that were; what runs goes on.

        Args:
            progress: told every now and then how many have been cancelled so far.
        """
        count = 0
        while True:
            removed = await self.store.clear(now=self.now(), limit=_CLEARED_AT_ONCE)
            for record in removed:
                self.notify(CancelledWaiting(self.now(), record.call, _current_cause()))
            count += len(removed)
            if progress is not None:
                progress(count)
            if len(removed) < _CLEARED_AT_ONCE:
                return count

    def observe(self, observer: Observer) -> None:
        """Let `observer` see every event from now on."""
        self._observers.append(observer)

    def notify(self, event: Event) -> None:
        """Tell the observers. What one of them raises is logged, and ends nothing."""
        for observer in self._observers:
            try:
                observer.notify(event)
            except Exception:
                _logger.exception(
                    "an observer failed at %s of %r", type(event).__name__, event.call.key
                )

    def now(self) -> datetime:
        """The present instant on the docket's clock."""
        return self.clock.now()

    def describe(self, call: TaskCall) -> str:
        """The call as it reads in code, such as `charge(order_id=7)`; never raises."""
        return self._lookup.describe(call)

    def running(self, call: TaskCall, worker: str, delivery: int) -> Execution:
        """A handle on what `worker` runs."""
        return self._lookup.running(call, worker, delivery)

    def _scheduler(
        self, function: TaskFunction | str, when: datetime | None, key: str | None, *, replace: bool
    ) -> Callable[..., Coroutine[Any, Any, Execution]]:
        task, due = self._task_and_due(function, when, key)
        shown = f"docket.{'replace' if replace else 'add'}({task.name})(...)"

        def schedule(
            source: Source | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
        ) -> Coroutine[Any, Any, Execution]:
            __tracebackhide__ = True
            call = self._call(task, args, kwargs, due, key)
            submitting = self._submit(call, source, replace=replace)
            return self._to_await(submitting, shown, source)

        return Scheduling(schedule, shown)

    def _task_and_due(
        self, function: TaskFunction | str, when: datetime | None, key: str | None
    ) -> tuple[Task, datetime | None]:
        return self.task(function), due_time(when, key)

    def _call(
        self,
        task: Task,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        due: datetime | None,
        key: str | None,
    ) -> TaskCall:
        __tracebackhide__ = True
        arguments = task.encode(args, kwargs)
        now = self.clock.now()
        return TaskCall(
            key=self.entropy.new_id(now) if key is None else key,
            task=task.name,
            arguments=arguments,
            when=now if due is None else max(now, due),
            cause=_current_cause(),
        )

    async def _cancel(self, key: str, source: Source | None) -> None:
        before = await self.store.cancel(key, now=self.now())
        if before is None or before.state.finished:
            return
        running = before.state is ExecutionState.RUNNING
        event = CancelRequested if running else CancelledWaiting
        self.notify(event(self.now(), before.call, _current_cause(), source))

    async def _submit(self, call: TaskCall, source: Source | None, *, replace: bool) -> Execution:
        now = self.clock.now()
        submitted = await self.store.submit(call, now=now, replace=replace)
        handle = self._accepted(call, submitted, source, replace=replace)
        if self._after_submit is not None and call.cause is None:
            await self._after_submit()
            await handle.sync()
        return handle

    async def _submit_many(
        self, calls: list[TaskCall], source: Source | None, *, replace: bool
    ) -> list[Execution]:
        for call in calls:
            if not isinstance(call, TaskCall):
                raise TypeError(
                    f"add_many() takes what docket.call(task)(...) makes, found {call!r}"
                )
        now = self.clock.now()
        answers = await self.store.submit_many(calls, now=now, replace=replace)
        handles = [
            self._accepted(call, submitted, source, replace=replace)
            for call, submitted in zip(calls, answers, strict=True)
        ]
        if self._after_submit is not None and _current_cause() is None:
            await self._after_submit()
            for handle in handles:
                await handle.sync()
        return handles

    def _accepted(
        self, call: TaskCall, submitted: Submitted, source: Source | None, *, replace: bool
    ) -> Execution:
        if submitted.disposition is Disposition.SCHEDULED:
            self.notify(Scheduled(self.clock.now(), submitted.record.call, source, replace))
        else:
            self.notify(Dropped(self.clock.now(), call, source))
        return self._lookup.handle(submitted.record, submitted.disposition)


def _current_cause() -> Cause | None:
    context = current_attempt.get(None)
    if context is None:
        return None
    return Cause(context.execution.key, context.execution.attempt)
