"""`Execution`: what a user holds of one scheduled call."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any, Protocol

from docket_sim.clock import as_utc
from docket_sim.errors import ResultExpired
from docket_sim.execution.call import Cause, TaskCall
from docket_sim.execution.record import Record
from docket_sim.execution.state import Disposition, ExecutionState


class Executions(Protocol):
    """Where a handle looks its execution up: a docket."""

    def now(self) -> datetime: ...
    async def lookup(self, key: str) -> Record | None: ...
    def watch(self, key: str) -> AsyncGenerator[Record | None, None]: ...
    def result_of(self, record: Record) -> Any: ...
    def arguments_of(self, call: TaskCall) -> Mapping[str, object]: ...
    def describe(self, call: TaskCall) -> str: ...


class Execution:
    """One scheduled call: what `add()` returns and `CurrentExecution()` injects.

    A handle follows its *key*: after a `replace()` it stands for the replacement. Its attributes
    are those of the moment when it was made or last synced.

    Attributes:
        call: the call as data.
        state: where the execution stands.
        disposition: what the `add()` or `replace()` that made this handle did.
        worker: the name of the worker that runs it, or ran it last.
        redelivered: whether this attempt was handed to a worker before.
    """

    __slots__ = ("_executions", "call", "disposition", "redelivered", "state", "worker")

    def __init__(
        self,
        executions: Executions,
        call: TaskCall,
        state: ExecutionState,
        disposition: Disposition = Disposition.LOADED,
        *,
        worker: str | None = None,
        redelivered: bool = False,
    ) -> None:
        self._executions = executions
        self.call = call
        self.state = state
        self.disposition = disposition
        self.worker = worker
        self.redelivered = redelivered

    @property
    def key(self) -> str:
        """The name of the execution, unique in its docket."""
        return self.call.key

    @property
    def function_name(self) -> str:
        """The name that the task is registered under."""
        return self.call.task

    @property
    def when(self) -> datetime:
        """The due time of the present attempt, an aware datetime in UTC."""
        return self.call.when

    @property
    def attempt(self) -> int:
        """The number of the present attempt, counted from 1."""
        return self.call.attempt

    @property
    def generation(self) -> int:
        """How often this key has been scheduled, this time included."""
        return self.call.generation

    @property
    def cause(self) -> Cause | None:
        """The attempt that scheduled this, or `None` when it came from outside any task."""
        return self.call.cause

    @property
    def arguments(self) -> Mapping[str, object]:
        """The arguments by name, decoded afresh: changing them changes nothing else."""
        return self._executions.arguments_of(self.call)

    def call_repr(self) -> str:
        """The call as it reads in code, such as `charge(order_id=7)`."""
        return self._executions.describe(self.call)

    async def sync(self) -> None:
        """Bring the attributes up to date; they stay as they are when the record is gone."""
        record = await self._executions.lookup(self.key)
        if record is not None:
            self._take(record)

    async def get_result(
        self,
        *,
        timeout: timedelta | None = None,  # noqa: ASYNC109 - a limit that the message can name
        deadline: datetime | None = None,
    ) -> Any:
        """Wait until the execution has ended, and return what its body returned.

        A key that was replaced has not ended until its replacement has; a perpetual ends only when
        it is cancelled.

        Args:
            timeout: how long to wait at most.
            deadline: until when to wait at most, an aware datetime.

        Raises:
            Exception: what the body raised, as far as it can be rebuilt here, else `TaskFailed`.
            ExecutionCancelled: it was cancelled.
            ResultExpired: its record is gone, or it was never scheduled.
            TimeoutError: it has not ended in time.
            ValueError: both limits were given, or a naive deadline.
        """
        if timeout is not None and deadline is not None:
            raise ValueError("give get_result() a timeout or a deadline, not both")
        if deadline is not None:
            timeout = as_utc(deadline, "deadline") - self._executions.now()
        limit = asyncio.timeout(None if timeout is None else timeout.total_seconds())
        try:
            async with limit:
                record = await self._final_record()
        except TimeoutError:
            if not limit.expired():
                raise
            raise TimeoutError(
                f"{self.key!r} ({self.function_name}) has not ended within {timeout}; "
                f"it was {self.state.value} when this handle was last synced"
            ) from None
        self._take(record)
        return self._executions.result_of(record)

    async def subscribe(self) -> AsyncIterator[Record]:
        """What becomes of the execution: its record now, and again at each change until it ends."""
        async with aclosing(self._executions.watch(self.key)) as records:
            async for record in records:
                if record is None:
                    return
                yield record
                if record.state.finished:
                    return

    async def _final_record(self) -> Record:
        async with aclosing(self._executions.watch(self.key)) as records:
            async for record in records:
                if record is None:
                    break
                if record.state.finished:
                    return record
        raise ResultExpired(
            f"the record of {self.key!r} ({self.function_name}) is gone. Results are kept for the "
            f"docket's execution_ttl: ask earlier, or make it longer."
        )

    def _take(self, record: Record) -> None:
        self.call = record.call
        self.state = record.state
        self.worker = record.worker
        self.redelivered = record.delivery > 1

    def __repr__(self) -> str:
        return (
            f"<Execution {self.key!r} {self.function_name} {self.state.value} "
            f"attempt {self.attempt}, due {self.when.isoformat()}>"
        )
