"""Every error that docket-sim raises, in one tree.

Each message says what was expected, what was found and what to do about it.

    DocketError
    ├── UnknownTask             a task name that this docket does not know (also a LookupError)
    ├── CycleError              dependency factories that need each other
    ├── ResolutionFailed        some dependencies of an attempt failed (also an ExceptionGroup)
    ├── RetryRequested          raised by `retry.after()` and `retry.at()`
    ├── PayloadError            bytes that this docket's codec cannot read
    ├── TaskFailed              a failure whose own class cannot be rebuilt here
    ├── ExecutionCancelled      the result of an execution that was cancelled
    ├── ResultExpired           the result of an execution whose record is gone
    ├── StoreUnavailable        the store did not answer (also a ConnectionError)
    ├── InjectedFailure         raised in place of a body or after it, for a test
    └── SimulationError         a simulated run that cannot go on
        ├── Deadlock            nothing can ever happen again
        ├── Spinning            the run goes on, but time does not
        ├── EndlessRun          work that keeps scheduling more work, or time that passes in vain
        ├── ClockHeld           outside work has held virtual time for too long
        ├── BlockingSleep       `time.sleep()` on the event loop
        ├── NothingToRun        a step or a search was asked for, and there is nothing to run
        ├── InvariantBroken     something that must hold in every run (also an AssertionError)
        ├── FailureFound        a search has found a run that fails (also an AssertionError)
        ├── NotDeterministic    the same choices have led to two different runs
        └── Unchecked           what a test has left behind (also an AssertionError)
            ├── UnseenFailures  executions failed and nobody looked
            ├── UnfinishedWork  work that is due was left over
            ├── UnusedOverride  something was put in place of what nothing used
            ├── LeakedTasks     asyncio tasks that nobody awaits any more
            └── NeverAwaited    a call that was made, and never scheduled
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from traceback import TracebackException
from types import TracebackType
from typing import Self


class DocketError(Exception):
    """The base of every error that docket-sim raises itself."""


class UnknownTask(DocketError, LookupError):
    """A task name that this docket does not know."""


class CycleError(DocketError):
    """Dependency factories that need each other; the message draws the cycle as a path."""


class ResolutionFailed(DocketError, ExceptionGroup[Exception]):
    """One or more dependencies of an attempt failed, so the task's body did not run.

    The group holds the original exceptions, each with a note that names the parameter and the
    path of factories that led to it; `str()` of the group names them all.
    """

    def __new__(cls, message: str, exceptions: Sequence[Exception], /) -> Self:
        return super().__new__(cls, message, exceptions)

    def __init__(self, message: str, exceptions: Sequence[Exception], /) -> None:
        super().__init__(message, exceptions)

    def __str__(self) -> str:
        return self.message  # without the count that a group appends: the message has it


class RetryRequested(DocketError):
    """Raised by `Retry.after()` and `Retry.at()` to end the attempt and ask for another one."""


class PayloadError(DocketError):
    """Bytes that this docket's codec cannot read: truncated, foreign, or of another codec."""


class TaskFailed(DocketError):
    """A remote failure whose own class cannot be rebuilt in this process.

    Attributes:
        type_name: the qualified name of the exception's class, such as `shop.errors:CardDeclined`.
        message: what `str()` of the exception gave.
        remote_traceback: the traceback's text, as the worker saw it, without the engine's frames.
    """

    def __init__(self, type_name: str, message: str, remote_traceback: str = "") -> None:
        super().__init__(type_name, message, remote_traceback)
        self.type_name = type_name
        self.message = message
        self.remote_traceback = remote_traceback

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


class ExecutionCancelled(DocketError):
    """The execution whose result was asked for was cancelled."""


class ResultExpired(DocketError):
    """The record of the execution is gone: `execution_ttl` has passed, or it never was."""


class StoreUnavailable(DocketError, ConnectionError):
    """The store did not answer; whether the call was applied is unknown."""


class InjectedFailure(DocketError):
    """Raised in place of a task's body, or after it, because a test asked for a failure."""


class SimulationError(DocketError):
    """A simulated run that cannot go on."""


class Deadlock(SimulationError):
    """Nothing can ever happen again; the message names who waits and where."""


class Spinning(SimulationError):
    """The event loop keeps running callbacks while virtual time stands still."""


class EndlessRun(SimulationError):
    """Work kept scheduling more work beyond the run's bound, or time kept passing in vain."""


class ClockHeld(SimulationError):
    """Threads or other outside work held virtual time longer than the patience in real time."""


class BlockingSleep(SimulationError):
    """`time.sleep()` was called on the thread of a running virtual loop."""


class NothingToRun(SimulationError):
    """`run_next()` was asked for a step, or a search for failures, but nothing is scheduled."""


class InvariantBroken(SimulationError, AssertionError):
    """Something that must hold in every run did not.

    Attributes:
        id: names the invariant, for its switch.
    """

    def __init__(self, id: str, message: str) -> None:  # noqa: A002 - the word that users know
        super().__init__(message)
        self.id = id


class FailureFound(SimulationError, AssertionError):
    """A search has found a run that fails; the cause is what it fails with.

    Attributes:
        replay: the token that makes the run again.
    """

    def __init__(self, message: str, *, replay: str) -> None:
        super().__init__(message)
        self.replay = replay


class NotDeterministic(SimulationError):
    """The same choices have led to two different runs, so what a search finds cannot be replayed.

    Attributes:
        difference: where the two runs part, in words.
        causes: what the scenario does that may be why, the likeliest first; empty when unknown.
    """

    def __init__(self, message: str, *, difference: str, causes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.difference = difference
        self.causes = tuple(causes)


class Unchecked(SimulationError, AssertionError):
    """What a test has left behind without a look at it. Each kind can be allowed."""


class UnseenFailures(Unchecked):
    """Executions ended failed during a simulation and were not acknowledged."""


class UnfinishedWork(Unchecked):
    """Work was left over that was due, or running; or an action whose time never came."""


class UnusedOverride(Unchecked):
    """Something was put in place of a dependency, a policy or a body that nothing used."""


class LeakedTasks(Unchecked):
    """asyncio tasks were still running when the simulation had ended."""


class NeverAwaited(Unchecked):
    """What `docket.add()` or the like returned was not awaited, so nothing came of it."""


_ENGINE = f"{Path(__file__).parent}{os.sep}"


def own_traceback(error: BaseException) -> TracebackType | None:
    """The traceback of what a task raised, from where the user's own code begins.

    The whole of it, where the error comes from the engine itself.
    """
    traceback = error.__traceback__
    while traceback is not None:
        if not traceback.tb_frame.f_code.co_filename.startswith(_ENGINE):
            return traceback
        traceback = traceback.tb_next
    return error.__traceback__


def own_traceback_text(error: BaseException) -> str:
    """The traceback of what a task raised, with all that led to it, without the engine's frames.

    The whole of it, where there are no others. It may raise anything, as the user's `__str__` may.
    """
    told = TracebackException.from_exception(error, compact=True)
    stacks = [one.stack for one in _all_of(told)]
    owns = [[one for one in stack if not one.filename.startswith(_ENGINE)] for stack in stacks]
    if any(owns):
        for stack, own in zip(stacks, owns, strict=True):
            stack[:] = own
    return "".join(told.format())


def _all_of(told: TracebackException) -> Iterator[TracebackException]:
    """An exception, and those that are told with it: causes, contexts, and members of a group."""
    to_see: list[TracebackException | None] = [told]
    while to_see:
        one = to_see.pop()
        if one is not None:
            yield one
            to_see += [one.__cause__, one.__context__, *(one.exceptions or ())]


def error_text(error: BaseException) -> str:
    """An exception as one reads it, on one line; never raises."""
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - a user's __str__ may raise anything
        text = f"{type(error).__name__} (its str() raises)"
    return text.partition("\n")[0]
