"""What the producer of a campaign asks for, and what it was told."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Order:
    """A key, what was asked of it, and what the store has said.

    Attributes:
        key: the key.
        task: the name of the task.
        due: when it is to run, as it was asked for last.
        calls: how many times the store was asked to schedule something under this key.
        unknown: how many of these calls got no answer.
        accepted: whether it has said that the key stands for a call.
        generation: the highest generation that it has told of.
        asked: what `asked` may be in the run that counts: what the calls since the last accepted
            replacement have said, this one included.
        cancelled_at: when it has confirmed a cancellation.
        durable: whether what was accepted is known to be on every server that may become master.
        history: what has happened, in words.
    """

    key: str
    task: str
    due: datetime
    calls: int = 0
    unknown: int = 0
    accepted: bool = False
    generation: int = 0
    asked: set[float] = field(default_factory=set)
    cancelled_at: datetime | None = None
    durable: bool = True
    history: list[str] = field(default_factory=list)

    @property
    def cancelled_in_time(self) -> bool:
        """Whether it was cancelled before it was due, so that it must not run."""
        return self.cancelled_at is not None and self.cancelled_at < self.due
