"""The timeline of a run: what happened, when in virtual time, to which attempt, and why."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import overload

from docket_sim.clock.durations import duration_of, short
from docket_sim.entropy import short_key
from docket_sim.errors import error_text
from docket_sim.events import (
    AttemptEvent,
    CancelledWaiting,
    CancelRequested,
    Dropped,
    Event,
    Finished,
    Released,
    Retried,
    Scheduled,
    Source,
    Started,
    Superseded,
    word_of,
)
from docket_sim.execution import Cause, TaskCall
from docket_sim.simulation.rates import Rates
from docket_sim.task import TaskFunction, name_of

_SHOWN = 44


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline.

    Attributes:
        at: when, an aware datetime in UTC.
        elapsed: the virtual time since the start.
        what: `scheduled`, `dropped`, `started`, `retried`, `completed`, `failed`, `cancelled`,
            `cancelling`, `released`, `superseded` or `lost`.
        call: the call as it reads in code.
        task: the task's name.
        key: the execution's key.
        attempt: the number of the attempt.
        worker: who ran it, or `None`.
        cause: the attempt that scheduled it, or `None` when it came from outside any task.
        details: the rest, in words.
    """

    at: datetime
    elapsed: timedelta
    what: str
    call: str
    task: str
    key: str
    attempt: int
    worker: str | None
    cause: Cause | None
    details: str


class Timeline(Sequence[Moment]):
    """What happened in a run, in order: a sequence of moments, and a text.

    Attributes:
        events: the same as the engine told it.
        start: the first instant of the run.
    """

    def __init__(self, start: datetime, describe: Callable[[TaskCall], str]) -> None:
        """
        Args:
            start: the first instant of the run.
            describe: gives a call as it reads in code.
        """
        self.start = start
        self.events: list[Event] = []
        self.describe = describe

    def notify(self, event: Event) -> None:
        """Note what happened."""
        self.events.append(event)

    def __len__(self) -> int:
        return len(self.events)

    @overload
    def __getitem__(self, index: int) -> Moment: ...
    @overload
    def __getitem__(self, index: slice) -> list[Moment]: ...
    def __getitem__(self, index: int | slice) -> Moment | list[Moment]:
        if isinstance(index, slice):
            return [self._moment(event) for event in self.events[index]]
        return self._moment(self.events[index])

    def __iter__(self) -> Iterator[Moment]:
        return map(self._moment, self.events)

    def __str__(self) -> str:
        moments = list(self)
        width = max((len(short(moment.elapsed)) for moment in moments), default=0) + 1
        called = [shortened(moment.call) for moment in moments]
        called_width = max(map(len, called), default=0)
        keys = [short_key(moment.key) for moment in moments]
        key_width = max(map(len, keys), default=0)
        return "\n".join(
            f"{'+' + short(moment.elapsed):>{width}}  {moment.what:<10}  "
            f"{call:<{called_width}}  {key:<{key_width}}  {moment.details}".rstrip()
            for moment, call, key in zip(moments, called, keys, strict=True)
        )

    def attempts_per(
        self, span: timedelta | str, *, task: TaskFunction | str | None = None
    ) -> Rates:
        """How many attempts begin within `span`, wherever one lays it.

            assert sim.timeline.attempts_per("1m", task=charge).max() <= 10

        An attempt that is delivered again, say because its worker died, begins again.

        Args:
            span: how long: a timedelta, or a text such as `1m`.
            task: the task, or its name; all of them by default.

        Raises:
            ValueError: a span of nothing, or a text that is no duration.
        """
        name = task if task is None or isinstance(task, str) else name_of(task)
        begun = sorted(  # the clock of a worker may have been set
            event.at
            for event in self.events
            if isinstance(event, Started) and name in {None, event.call.task}
        )
        return Rates(begun, duration_of(span), self.start)

    def _moment(self, event: Event) -> Moment:
        call = event.call
        return Moment(
            at=event.at,
            elapsed=event.at - self.start,
            what=word_of(event),
            call=self.describe(call),
            task=call.task,
            key=call.key,
            attempt=call.attempt,
            worker=event.worker if isinstance(event, AttemptEvent) else None,
            cause=call.cause,
            details=_details(event),
        )


def shortened(text: str) -> str:
    """`text`, cut to what a line has room for."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _details(event: Event) -> str:
    if isinstance(event, Scheduled | Dropped):
        return _scheduling(event)
    if isinstance(event, CancelRequested | CancelledWaiting):
        return f"by {_scheduler(event.by, event.source)}"
    return _attempt(event) if isinstance(event, AttemptEvent) else ""


def _scheduling(event: Scheduled | Dropped) -> str:
    call = event.call
    scheduler = _scheduler(call.cause, event.source)
    if isinstance(event, Dropped):
        return f"its key is taken; by {scheduler}"
    due = f"due in {short(call.when - event.at)}, " if call.when > event.at else ""
    return f"{due}{'in place of what the key had, ' if event.replaced else ''}by {scheduler}"


def _attempt(event: AttemptEvent) -> str:
    match event:
        case Started(delivery=delivery):
            again = f", delivery {delivery}" if delivery > 1 else ""
            return f"{event.worker}, attempt {event.call.attempt}{again}"
        case Retried(when=when):
            return f"{_failure(event)}; again in {short(when - event.at)}"
        case Released(error=error, when=when):
            return f"{error_text(error)}; left for others for {short(when - event.at)}"
        case Finished(error=error, next_run=next_run):
            words = [event.worker if error is None else _failure(event)]
            if next_run is not None:
                words.append(f"next run in {short(next_run - event.at)}")
            return "; ".join(words)
        case Superseded(error=error) if error is not None:
            return f"{error_text(error)}; nothing follows"
        case _:
            return event.worker


def _failure(event: Retried | Finished) -> str:
    if event.timed_out:
        return "timed out"  # the error's own words repeat the call and the key
    return "" if event.error is None else error_text(event.error)


def _scheduler(cause: Cause | None, source: Source | None) -> str:
    line = f"{PurePath(source.filename).name}:{source.line}" if source else "an unknown line"
    if cause is None:
        return line
    return f"{short_key(cause.key)}, attempt {cause.attempt}, {line}"
