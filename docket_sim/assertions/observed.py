"""What an assertion returns: a run as it was observed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.history import Run, Status
from docket_sim.execution import Cause


@dataclass(frozen=True, slots=True)
class Observed:
    """An execution, or one run of a perpetual, as it was when an assertion found it.

    Attributes:
        task: the task's name.
        key: the key of the execution.
        arguments: its arguments by name, defaults included.
        call: the call as it reads in code.
        status: `waiting`, `running`, `completed`, `failed`, `cancelled` or `replaced`.
        when: the due time of its present or last attempt, an aware datetime in UTC.
        attempt: the number of that attempt.
        scheduled_at: when it was scheduled.
        cause: the attempt that scheduled it, or `None` when it came from outside any task.
        started: when each of its attempts began.
        ended: when it ended, or `None`.
        error: what it failed with, or `None`.
        delays: how long after each failure the next attempt was due.
    """

    task: str
    key: str
    arguments: Mapping[str, object]
    call: str
    status: Status
    when: datetime
    attempt: int
    scheduled_at: datetime
    cause: Cause | None
    started: tuple[datetime, ...]
    ended: datetime | None
    error: BaseException | None
    delays: tuple[timedelta, ...]

    @classmethod
    def of(cls, run: Run, evidence: Evidence) -> "Observed":
        """What is to be seen of `run` now."""
        return cls(
            task=run.call.task,
            key=run.call.key,
            arguments=evidence.arguments(run.call),
            call=evidence.describe(run),
            status=run.status,
            when=run.when,
            attempt=run.attempt,
            scheduled_at=run.scheduled_at,
            cause=run.cause,
            started=tuple(one.began for one in run.tries),
            ended=run.ended,
            error=run.error,
            delays=tuple(run.delays),
        )

    def __repr__(self) -> str:
        return f"<Observed {self.call} [{self.key}] {self.status}>"
