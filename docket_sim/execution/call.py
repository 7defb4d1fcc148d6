"""What crosses the store's boundary: one call of one task, as data."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """The attempt that scheduled something.

    Attributes:
        key: the key of the execution that was running.
        attempt: which of its attempts it was.
    """

    key: str
    attempt: int


@dataclass(frozen=True, slots=True)
class TaskCall:
    """One call of one task: what to run, with what, and when.

    Attributes:
        key: the name of the execution, unique in its docket.
        task: the name that the task is registered under.
        arguments: the encoded arguments.
        when: the due time, an aware datetime in UTC.
        attempt: which attempt is due, counted from 1.
        generation: counts the schedulings of this key; the store has the last word.
        cause: the attempt that scheduled this, or `None` when it came from outside any task.
    """

    key: str
    task: str
    arguments: bytes
    when: datetime
    attempt: int = 1
    generation: int = 1
    cause: Cause | None = None
