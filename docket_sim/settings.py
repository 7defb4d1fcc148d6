"""How a worker behaves, in one value that `Worker` and every command line read alike."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a worker behaves.

    Attributes:
        concurrency: how many attempts may run at once.
        redelivery_timeout: how long a claim lasts unless renewed; when a worker dies, its work is
            taken over this long after its last renewal.
        reconnection_delay: how long to wait at most before asking a store again that did not
            answer: the first wait is 50 ms, and each is twice as long as the one before.
        max_deliveries: how often one attempt may be handed to a worker before its execution is
            taken for poison and ends failed.
        schedule_automatic_tasks: whether `Perpetual(automatic=True)` tasks are scheduled when the
            worker starts.
        shutdown_deadline: how long the attempts in hand may take to end once the process was asked
            to stop, before they are abandoned; what is around a worker sees to it.

    Raises:
        ValueError: a value that cannot work; the message names it.
    """

    concurrency: int = 10
    redelivery_timeout: timedelta = timedelta(minutes=5)
    reconnection_delay: timedelta = timedelta(seconds=5)
    max_deliveries: int = 5
    schedule_automatic_tasks: bool = True
    shutdown_deadline: timedelta = timedelta(seconds=25)

    def __post_init__(self) -> None:
        for name in ("concurrency", "max_deliveries"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("redelivery_timeout", "reconnection_delay", "shutdown_deadline"):
            if not isinstance(getattr(self, name), timedelta):
                raise TypeError(f"{name} must be a timedelta, found {getattr(self, name)!r}")
        for name in ("redelivery_timeout", "reconnection_delay"):
            if getattr(self, name) <= timedelta(0):
                raise ValueError(f"{name} must be longer than zero, found {getattr(self, name)}")
        if self.shutdown_deadline < timedelta(0):
            raise ValueError(
                f"shutdown_deadline must not be negative, found {self.shutdown_deadline}"
            )
