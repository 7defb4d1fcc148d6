"""What has become of each execution, worked out from the events when somebody asks."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from docket_sim.events import (
    CancelledWaiting,
    CancelRequested,
    Dropped,
    Event,
    Finished,
    LeaseLost,
    Released,
    Retried,
    Scheduled,
    Source,
    Started,
    Superseded,
)
from docket_sim.execution import Cause, ExecutionState, TaskCall

Status = Literal["waiting", "running", "completed", "failed", "cancelled", "replaced"]
"""Where a run stands."""

_ENDS: dict[ExecutionState, Status] = {
    ExecutionState.COMPLETED: "completed",
    ExecutionState.FAILED: "failed",
}


@dataclass(eq=False, slots=True)
class Try:
    """One attempt that has begun.

    Attributes:
        number: which attempt of its run, counted from 1.
        began: when.
        ended: when, or `None` while it runs.
        error: what it failed with.
        next_at: when the attempt that follows it is due.
        began_event, ended_event: the numbers of the events that began and ended it.
    """

    number: int
    began: datetime
    began_event: int
    ended: datetime | None = None
    error: BaseException | None = None
    next_at: datetime | None = None
    ended_event: int | None = None


@dataclass(eq=False, slots=True)
class Run:
    """One execution, or one of the runs of a perpetual.

    Attributes:
        call: the call, as it was scheduled.
        when: the due time of its present or last attempt.
        due: its first due time.
        scheduled_at: when it was scheduled.
        cause: the attempt that scheduled it, or `None` when it came from outside any task.
        source: the line that scheduled it.
        parent: the run that scheduled it, if it is known.
        first: whether it is the first run: the others of a perpetual have scheduled themselves.
        status: where it stands.
        tries: its attempts.
        error: what it failed with.
        ended: when it ended.
        began_event, ended_event: the numbers of the events that began and ended it.
        again_event: the number of the event that made it wait once more, for its next attempt.
        following: the next run of a perpetual.
    """

    call: TaskCall
    when: datetime
    due: datetime
    scheduled_at: datetime
    cause: Cause | None
    source: Source | None
    began_event: int
    parent: "Run | None" = None
    first: bool = True
    status: Status = "waiting"
    tries: list[Try] = field(default_factory=list[Try])
    error: BaseException | None = None
    ended: datetime | None = None
    ended_event: int | None = None
    again_event: int | None = None
    following: "Run | None" = None

    @property
    def attempt(self) -> int:
        """The number of the attempt that waits, runs, or was the last."""
        if self.status == "waiting":
            return self.tries[-1].number + 1 if self._failed_before else 1
        return self.tries[-1].number if self.tries else 1

    @property
    def delays(self) -> list[timedelta]:
        """How long after each failure the next attempt was due."""
        return [
            one.next_at - one.ended
            for one in self.tries
            if one.next_at is not None and one.ended is not None
        ]

    def events(self) -> Iterator[int | None]:
        """The numbers of what happened to it."""
        yield from (self.began_event, self.again_event, self.ended_event)
        for one in self.tries:
            yield from (one.began_event, one.ended_event)

    @property
    def _failed_before(self) -> bool:
        return bool(self.tries) and self.tries[-1].next_at is not None


@dataclass(frozen=True, slots=True)
class Drop:
    """A call that was not accepted, because its key was taken.

    Attributes:
        event: what happened.
        number: the number of the event.
        holder: the run that had the key, if it is known.
        parent: the run that made the call, if it was one.
    """

    event: Dropped
    number: int
    holder: Run | None
    parent: Run | None


class History:
    """The runs of a simulation, in the order in which they were scheduled.

    Attributes:
        runs: all of them.
        drops: the calls that were not accepted.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        """
        Args:
            events: what has happened; it may grow.
        """
        self.runs: list[Run] = []
        self.drops: list[Drop] = []
        self._events = events
        self._taken = 0
        self._current: dict[tuple[str, int], Run] = {}
        self._newest: dict[str, Run] = {}
        self._untold: dict[tuple[str, int], Run] = {}
        self._of_key: dict[str, list[Run]] = {}
        self._children: dict[int, list[Run | Drop]] = {}

    def catch_up(self) -> "History":
        """Take in what has happened since, and return the history."""
        while self._taken < len(self._events):
            self._take(self._events[self._taken])
            self._taken += 1
        return self

    def children_of(self, parent: Run) -> Sequence[Run | Drop]:
        """What `parent` has scheduled or tried to, in order."""
        return self._children.get(id(parent), ())

    @contextmanager
    def performing(self, call: TaskCall, at: datetime) -> Generator[None]:
        """An attempt at `call` is under way that no queue knows of, and may schedule something.

        It is no run of the simulation, but it is the parent of what it schedules.
        """
        self.catch_up()
        run = Run(call, call.when, call.when, at, None, None, self._taken, status="running")
        run.tries.append(Try(call.attempt, at, self._taken))
        of_key = self._of_key.setdefault(call.key, [])
        of_key.append(run)
        try:
            yield
        finally:
            self.catch_up()
            of_key.remove(run)  # another execution may have that key

    def _run_of(self, cause: Cause | None) -> Run | None:
        """The run to which the attempt `cause` belongs, which is the latest of that key."""
        if cause is None:
            return None
        for run in reversed(self._of_key.get(cause.key, ())):
            if any(one.number == cause.attempt for one in run.tries):
                return run
        return None

    def _take(self, event: Event) -> None:
        call = event.call
        if isinstance(event, Scheduled):
            self._schedule(event)
            return
        if isinstance(event, Dropped):
            holder, parent = self._newest.get(call.key), self._run_of(call.cause)
            drop = Drop(event, self._taken, holder, parent)
            self.drops.append(drop)
            if parent is not None:
                self._children.setdefault(id(parent), []).append(drop)
            return
        run = self._current.get((call.key, call.generation))
        if run is None and isinstance(event, Started):
            # Who added it has had no answer yet, and may never have one.
            run = self._untold[call.key, call.generation] = self._begin(call, event.at, None)
        if run is not None:
            self._go_on(run, event)

    def _schedule(self, event: Scheduled) -> None:
        call = event.call
        run = self._untold.pop((call.key, call.generation), None)
        if run is not None:
            run.source = event.source
            return
        before = self._newest.get(call.key)
        if before is not None and before.status == "waiting":
            self._end(before, "replaced", event.at)
        self._begin(call, event.at, event.source)

    def _begin(self, call: TaskCall, at: datetime, source: Source | None) -> Run:
        parent = self._run_of(call.cause)
        run = Run(call, call.when, call.when, at, call.cause, source, self._taken, parent)
        self._open(run)
        if parent is not None:
            self._children.setdefault(id(parent), []).append(run)
        return run

    def _open(self, run: Run) -> None:
        self.runs.append(run)
        self._of_key.setdefault(run.call.key, []).append(run)
        self._newest[run.call.key] = run
        self._current[run.call.key, run.call.generation] = run

    def _go_on(self, run: Run, event: Event) -> None:
        match event:
            case Started():
                run.call, run.status = event.call, "running"  # a next run may have other arguments
                run.tries.append(Try(event.call.attempt, event.at, self._taken))
            case Retried(error=error, when=when):
                self._close_try(run, event.at, error, when)
                self._wait_again(run, when)
            case Finished():
                self._finish(run, event)
            case CancelledWaiting():
                self._end(run, "cancelled", event.at)
            case Released(when=when):
                self._wait_again(run, when)
            case Superseded(state=state, error=error):
                self._close_try(run, event.at, error, None)
                run.error = error
                # What its body has done was done, though the store keeps nothing of it.
                self._end(run, _ENDS.get(state, "replaced"), event.at)
            case LeaseLost() | CancelRequested() | _:
                pass  # another worker has it by now, or its own has yet to end it

    def _finish(self, run: Run, event: Finished) -> None:
        self._close_try(run, event.at, event.error, None)
        run.error = event.error
        self._end(run, _ENDS.get(event.state, "cancelled"), event.at)
        if event.next_run is not None:
            when, arguments = event.next_run, event.next_arguments
            run.following = following = Run(
                run.call if arguments is None else replace(run.call, arguments=arguments),
                when,
                when,
                event.at,
                run.cause,
                run.source,
                self._taken,
                run.parent,
                first=False,
            )
            self._open(following)

    def _wait_again(self, run: Run, when: datetime) -> None:
        run.status, run.when, run.again_event = "waiting", when, self._taken

    def _end(self, run: Run, status: Status, at: datetime) -> None:
        run.status = status
        run.ended = at
        run.ended_event = self._taken

    def _close_try(
        self, run: Run, at: datetime, error: BaseException | None, next_at: datetime | None
    ) -> None:
        if run.tries and run.tries[-1].ended is None:
            last = run.tries[-1]
            last.ended, last.error, last.next_at = at, error, next_at
            last.ended_event = self._taken
