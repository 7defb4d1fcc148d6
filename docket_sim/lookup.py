"""What can be looked up in a docket: records, results, calls as they read in code."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from docket_sim.clock import Clock
from docket_sim.errors import ExecutionCancelled, UnknownTask
from docket_sim.events import ErrorRead, Event
from docket_sim.execution import Disposition, Execution, ExecutionState, Record, TaskCall
from docket_sim.store import Store
from docket_sim.task import Registry


class Lookup:
    """Answers the questions of execution handles, from a store and what the tasks know of types."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        notify: Callable[[Event], None],
    ) -> None:
        """
        Args:
            store: where the calls live.
            registry: the tasks by name.
            clock: tells the time.
            notify: is told when somebody reads an error.
        """
        self._store = store
        self._registry = registry
        self._clock = clock
        self._notify = notify

    def now(self) -> datetime:
        """The present instant on the docket's clock."""
        return self._clock.now()

    async def lookup(self, key: str) -> Record | None:
        """What the store knows of `key`."""
        return await self._store.get(key, now=self.now())

    def watch(self, key: str) -> AsyncGenerator[Record | None, None]:
        """What the store knows of `key` now, and again at each change."""
        return self._store.watch(key, now=self.now())

    def result_of(self, record: Record) -> Any:
        """What the ended execution returned.

        Raises:
            Exception: what it raised.
            ExecutionCancelled: it was cancelled.
            UnknownTask: the task is not registered here, so its result cannot be read.
        """
        if record.state is ExecutionState.CANCELLED:
            raise ExecutionCancelled(f"{record.call.key!r} ({record.call.task}) was cancelled")
        codec = self._registry.codec_of(record.call.task)
        if record.error is not None:
            self._notify(ErrorRead(self.now(), record.call))
            raise codec.decode_error(record.error)
        return None if record.result is None else codec.decode_result(record.result)

    def arguments_of(self, call: TaskCall) -> Mapping[str, object]:
        """The arguments of `call` by name.

        Raises:
            UnknownTask: the task is not registered here.
            PayloadError: they cannot be read.
        """
        return self._registry.decode(call.task, call.arguments)

    def describe(self, call: TaskCall) -> str:
        """The call as it reads in code; never raises."""
        try:
            return self._registry.find(call.task).describe(call.arguments)
        except UnknownTask:
            return f"{call.task}(<unknown task>)"

    def handle(self, record: Record, disposition: Disposition = Disposition.LOADED) -> Execution:
        """A user's handle on what `record` tells of."""
        return Execution(
            self,
            record.call,
            record.state,
            disposition,
            worker=record.worker,
            redelivered=record.delivery > 1,
        )

    def running(self, call: TaskCall, worker: str, delivery: int) -> Execution:
        """A handle on what `worker` runs."""
        return Execution(
            self,
            call,
            ExecutionState.RUNNING,
            worker=worker,
            redelivered=delivery > 1,
        )


@dataclass(frozen=True, slots=True)
class DocketSnapshot:
    """A docket at one moment.

    Attributes:
        taken: when, an aware datetime in UTC.
        future: what waits, in the order of due times.
        running: what a worker has.
        finished: what has ended and is still kept.
    """

    taken: datetime
    future: list[Execution]
    running: list[Execution]
    finished: list[Execution]

    @property
    def total_tasks(self) -> int:
        """How many executions have not ended."""
        return len(self.future) + len(self.running)

    @classmethod
    def of(cls, taken: datetime, executions: list[Execution]) -> Self:
        """The executions, sorted out by where they stand."""
        running = [one for one in executions if one.state is ExecutionState.RUNNING]
        finished = [one for one in executions if one.state.finished]
        future = [
            one
            for one in executions
            if not one.state.finished and one.state is not ExecutionState.RUNNING
        ]
        return cls(taken, future, running, finished)
