"""One attempt at one call, from its arguments to a settlement. Nothing here writes to the store."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from docket_sim.codec import TaskCodec
from docket_sim.dependencies import (
    AttemptContext,
    Perpetual,
    Plan,
    Retry,
    Timeout,
    current_attempt,
    resolve,
)
from docket_sim.errors import ExecutionCancelled
from docket_sim.execution import (
    Cancelled,
    ExecutionState,
    Failed,
    Finish,
    Outcome,
    Reason,
    Refused,
    Reschedule,
    Settlement,
    Succeeded,
)
from docket_sim.store import Claim


class Interruption(Enum):
    """Why a worker cancels an attempt."""

    CANCELLED = "cancelled"
    """The execution was cancelled: the attempt ends, and is settled so."""

    LOST = "lost"
    """The claim has gone to another worker: the attempt ends, and nothing is settled."""

    STOPPED = "stopped"
    """The worker stops without waiting: the attempt ends, and nothing is settled."""


_ABANDONED = (Interruption.LOST, Interruption.STOPPED)


@dataclass(frozen=True, slots=True)
class Assignment:
    """What is to be run for a claim.

    Attributes:
        body: the task's function.
        plan: how its dependencies are resolved.
        codec: turns its result to bytes.
        context: what the attempt knows of itself, its arguments included.
        spread: turns arguments and dependencies by name into those of a call.
        given: the arguments as the caller gave them, without defaults.
    """

    body: Callable[..., Awaitable[Any]]
    plan: Plan
    codec: TaskCodec
    context: AttemptContext
    spread: Callable[[Mapping[str, object]], tuple[list[Any], dict[str, Any]]]
    given: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Performed:
    """What became of an attempt.

    Attributes:
        outcome: what happened.
        settlement: what was decided.
        policy: the retry policy of the attempt, if it has one.
    """

    outcome: Outcome
    settlement: Settlement
    policy: Retry | None = None

    def result(self) -> Any:
        """What the body returned.

        Raises:
            BaseException: what failed the attempt, or refused it.
            ExecutionCancelled: it was cancelled.
        """
        match self.outcome:
            case Succeeded(value=value):
                return value
            case Failed(error=error) | Refused(error=error):
                raise error
            case Cancelled():
                raise ExecutionCancelled("the attempt was cancelled")


class Attempt:
    """One attempt at one call.

    Attributes:
        claim: the claim that it runs under.
        interrupted: why the worker cancelled it, or `None`.
        last_run: whether no perpetual may follow it.
        retry, perpetual, timeout: the policies as resolved for this attempt.
    """

    def __init__(self, claim: Claim, assignment: Assignment | Refused) -> None:
        self.claim = claim
        self.interrupted: Interruption | None = None
        self.last_run = False
        self.retry: Retry | None = None
        self.perpetual: Perpetual | None = None
        self.timeout: Timeout | None = None
        self._assignment = assignment
        self._task: asyncio.Task[Any] | None = None
        self._body_began = False
        self._body_over = False

    @property
    def refused(self) -> bool:
        """Whether the call cannot be run, so that the attempt will not begin."""
        return isinstance(self._assignment, Refused)

    def interrupt(self, why: Interruption) -> None:
        """Cancel what is running.

        A cancellation comes too late once the body is over; only an abandoned attempt is cut short
        in its teardown.
        """
        if self.interrupted in _ABANDONED:
            return
        if why in _ABANDONED or not (self._body_over or self.interrupted):
            self.interrupted = why
            if self._task is not None:  # otherwise it has yet to begin, and will see it then
                self._task.cancel()

    async def run(self) -> Outcome:
        """Resolve, call the body, tear down. What goes wrong is returned, not raised.

        Raises:
            CancelledError: the attempt was abandoned; its dependencies are torn down.
        """
        if isinstance(self._assignment, Refused):
            return self._assignment
        if self._is_interrupted():  # while the attempt had yet to begin
            return self._end_interrupted()
        self._task = task = asyncio.current_task()
        assert task is not None
        try:
            return Succeeded(await self._call(self._assignment))
        except asyncio.CancelledError as error:
            if self._is_interrupted():
                task.uncancel()
                return self._end_interrupted()
            if task.cancelling():
                raise
            return Failed(error)  # the body's own: it awaited something that was cancelled
        except BaseException as error:  # noqa: BLE001 - nothing a task raises may end its worker
            return Failed(error, timed_out=self.timeout is not None and self.timeout.expired())
        finally:
            self._task = None

    def _is_interrupted(self) -> bool:
        return self.interrupted is not None

    def _end_interrupted(self) -> Outcome:
        if self.interrupted in _ABANDONED:
            raise asyncio.CancelledError
        return Cancelled()

    async def _call(self, assignment: Assignment) -> Any:
        value = None
        failure: BaseException | None = None
        current_attempt.set(assignment.context)
        if not assignment.plan.steps:
            return await self._call_alone(assignment)
        async with assignment.context.docket.overrides.exit_stack() as stack:
            try:
                value = await self._call_body(assignment, await self._resolve(assignment, stack))
            except BaseException as error:
                failure = error
                raise
            finally:
                self._body_over = True
        if failure is not None and not self._may_be_swallowed(failure):
            raise failure
        return value

    async def _call_alone(self, assignment: Assignment) -> Any:
        """Call a body without dependencies: nothing is torn down, no error swallowed."""
        try:
            return await self._call_body(assignment, {})
        finally:
            self._body_over = True

    def _may_be_swallowed(self, failure: BaseException) -> bool:
        """Whether a dependency that swallowed `failure` has thereby mended it.

        As a context manager may for what it surrounds: an error of the body. That dependencies are
        missing, that time is up, or that the execution was cancelled is no business of one of them.
        """
        timed_out = self.timeout is not None and self.timeout.expired()
        return (
            self._body_began
            and isinstance(failure, Exception)
            and not timed_out
            and self.interrupted is None
        )

    async def _call_body(self, assignment: Assignment, dependencies: dict[str, Any]) -> Any:
        self._body_began = True
        args, kwargs = assignment.spread({**assignment.given, **dependencies})
        body = assignment.body(*args, **kwargs)
        return await (body if self.timeout is None else self.timeout.run(body))

    async def _resolve(self, assignment: Assignment, stack: AsyncExitStack) -> dict[str, Any]:
        plan = assignment.plan
        values: list[Any] = []
        try:
            await resolve(plan, assignment.context, stack, values)
        finally:  # a failure to resolve is a failure that these policies decide on, too
            self.retry = _in_slot(values, plan.retry)
            self.perpetual = _in_slot(values, plan.perpetual)
            self.timeout = _in_slot(values, plan.timeout)
        return {name: values[slot] for name, slot in plan.parameters.items()}


def _in_slot(values: list[Any], slot: int | None) -> Any:
    return values[slot] if slot is not None and slot < len(values) else None


async def perform(attempt: Attempt, codec: TaskCodec, now: Callable[[], datetime]) -> Performed:
    """Run `attempt` to its end, and decide what follows."""
    outcome = await attempt.run()
    result: bytes | None = None
    if isinstance(outcome, Succeeded):
        try:
            result = codec.encode_result(outcome.value)
        except Exception as error:  # noqa: BLE001 - encoding calls the user's own code
            outcome = Failed(error, retryable=False)
    try:
        settlement = decide(attempt, outcome, result, codec, now())
    except Exception as error:  # noqa: BLE001 - a user's policy, or an instant past all datetimes
        outcome, settlement = Failed(error, retryable=False), _failed(codec, error)
    return Performed(outcome, settlement, attempt.retry)


def decide(
    attempt: Attempt, outcome: Outcome, result: bytes | None, codec: TaskCodec, now: datetime
) -> Settlement:
    """What follows `outcome`. Pure: the policies propose, and nothing is written."""
    match outcome:
        case Succeeded():
            return _next_run(attempt, now) or Finish(ExecutionState.COMPLETED, result=result)
        case Failed(error=error):
            follow_up = _retry(attempt, outcome, now) or _next_run(attempt, now)
            return follow_up or _failed(codec, error)
        case Cancelled():
            message = f"{attempt.claim.call.key!r} ({attempt.claim.call.task}) was cancelled"
            return Finish(
                ExecutionState.CANCELLED, error=codec.encode_error(ExecutionCancelled(message))
            )
        case Refused(left_for=left_for) if left_for is not None:
            return Reschedule(now + left_for, attempt.claim.call.attempt, Reason.RELEASE)
        case Refused(error=error):
            return _failed(codec, error)


def _retry(attempt: Attempt, outcome: Failed, now: datetime) -> Reschedule | None:
    if attempt.retry is None or not outcome.retryable or attempt.interrupted is not None:
        return None
    return attempt.retry.after_failure(attempt.claim.call, outcome.error, now)


def _next_run(attempt: Attempt, now: datetime) -> Reschedule | None:
    if attempt.perpetual is None or attempt.last_run or attempt.interrupted is not None:
        return None
    return attempt.perpetual.after_run(attempt.claim.claimed_at, now)


def _failed(codec: TaskCodec, error: BaseException) -> Finish:
    return Finish(ExecutionState.FAILED, error=codec.encode_error(error))
