"""What was decided after an attempt: a value that the store applies in one step."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from docket_sim.execution.state import ExecutionState


class Reason(Enum):
    """Why an execution goes on after an attempt."""

    RETRY = "retry"
    """The attempt failed, and its retry policy asks for another."""

    PERPETUAL = "perpetual"
    """The run is over, and its perpetual asks for the next."""

    RELEASE = "release"
    """This worker cannot run it; another may. It was not run, so the delivery does not count."""


@dataclass(frozen=True, slots=True)
class Finish:
    """End the execution.

    Attributes:
        state: `COMPLETED`, `FAILED` or `CANCELLED`.
        result: the encoded return value of a completed execution.
        error: the encoded exception of a failed one.
    """

    state: ExecutionState
    result: bytes | None = None
    error: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reschedule:
    """Make the execution due again.

    Attributes:
        when: the new due time, an aware datetime in UTC.
        attempt: the number that the next attempt will have.
        reason: why it goes on.
        arguments: new encoded arguments, or `None` to keep those it has.
    """

    when: datetime
    attempt: int
    reason: Reason
    arguments: bytes | None = None


Settlement = Finish | Reschedule
"""What was decided after an attempt."""
