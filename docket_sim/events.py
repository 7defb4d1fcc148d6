"""What happens in a docket, as values. Logs and timelines observe; the core knows neither."""

from dataclasses import dataclass
from datetime import datetime
from types import FrameType
from typing import NamedTuple, Protocol

from docket_sim.execution import Cause, ExecutionState, TaskCall


class Source(NamedTuple):
    """The line of code that scheduled something."""

    filename: str
    line: int

    @classmethod
    def of_caller(cls, frame: FrameType | None) -> "Source | None":
        """The line that called the code of `frame`."""
        caller = frame.f_back if frame is not None else None
        return None if caller is None else cls(caller.f_code.co_filename, caller.f_lineno)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one execution.

    Attributes:
        at: when, on the docket's clock.
        call: the execution, as it was then.
    """

    at: datetime
    call: TaskCall


@dataclass(frozen=True, slots=True)
class Scheduled(Event):
    """A call was accepted; `call.cause` tells which attempt made it, `source` from which line."""

    source: Source | None = None
    replaced: bool = False


@dataclass(frozen=True, slots=True)
class Dropped(Event):
    """A call was not accepted, because its key is taken."""

    source: Source | None = None


@dataclass(frozen=True, slots=True)
class CancelRequested(Event):
    """A running execution was cancelled, by that attempt or from outside, at that line of code.

    Its worker has yet to end it.
    """

    by: Cause | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class AttemptEvent(Event):
    """Something that happened to one attempt on one worker."""

    worker: str


@dataclass(frozen=True, slots=True)
class Started(AttemptEvent):
    """An attempt began. A `delivery` above 1 means that this attempt had begun before."""

    delivery: int = 1


@dataclass(frozen=True, slots=True)
class Retried(AttemptEvent):
    """An attempt failed, and another one is due at `when`, as `policy` has decided."""

    error: BaseException
    when: datetime
    timed_out: bool = False
    policy: object | None = None


@dataclass(frozen=True, slots=True)
class Finished(AttemptEvent):
    """An attempt was the last of its run.

    `state` is `COMPLETED`, `FAILED` or `CANCELLED`. `next_run` is set when a perpetual goes on: the
    run is over, the execution is not. `next_arguments` are those of the next run, encoded, where it
    does not have those of this one.
    """

    state: ExecutionState
    error: BaseException | None = None
    timed_out: bool = False
    next_run: datetime | None = None
    next_arguments: bytes | None = None


@dataclass(frozen=True, slots=True)
class CancelledWaiting(Event):
    """An execution was cancelled before it began, by that attempt or from outside, at that line."""

    by: Cause | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Released(AttemptEvent):
    """The worker could not run it and left it for others until `when`."""

    error: BaseException
    when: datetime


@dataclass(frozen=True, slots=True)
class Superseded(AttemptEvent):
    """An attempt ended, but its key had been replaced: what it decided is void.

    `state` is what it came to all the same: `COMPLETED`, `CANCELLED`, or `FAILED` with its `error`,
    after which no other attempt follows, whatever its retry policy says.
    """

    state: ExecutionState = ExecutionState.COMPLETED
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class LeaseLost(AttemptEvent):
    """An attempt's claim had gone to another worker: what it decided is void."""


@dataclass(frozen=True, slots=True)
class ErrorRead(Event):
    """Somebody has read what a failed execution failed with."""


_WORDS: dict[type[Event], str] = {
    Scheduled: "scheduled",
    Dropped: "dropped",
    Started: "started",
    Retried: "retried",
    CancelRequested: "cancelling",
    CancelledWaiting: "cancelled",
    Released: "released",
    Superseded: "superseded",
    LeaseLost: "lost",
    ErrorRead: "error read",
}


def word_of(event: Event) -> str:
    """What has happened, in the words of timelines, logs and docs; of an end, how it ended."""
    return event.state.value if isinstance(event, Finished) else _WORDS[type(event)]


class Observer(Protocol):
    """Sees every event of a docket, in order, at the instant when it happens."""

    def notify(self, event: Event) -> None:
        """Take note of `event`. Must not block; what it raises is logged and ignored."""
        ...
