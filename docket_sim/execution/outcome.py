"""What happened in one attempt. An exception is a value here."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The body returned, and every dependency was torn down."""

    value: object


@dataclass(frozen=True, slots=True)
class Failed:
    """The attempt failed: while resolving, in the body, or in teardown.

    Attributes:
        error: what was raised.
        timed_out: whether the task's `Timeout` ended it.
        retryable: whether a retry could help; a result that cannot be encoded never will be.
    """

    error: BaseException
    timed_out: bool = False
    retryable: bool = True


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The execution was cancelled while it ran."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The attempt never began: the call cannot be run, here or anywhere.

    Attributes:
        error: why, in words that a person can act on.
        left_for: how long to leave the call to other workers, which may be able to run it; `None`
            ends the execution.
    """

    error: Exception
    left_for: timedelta | None = None


Outcome = Succeeded | Failed | Cancelled | Refused
"""What happened in one attempt."""
