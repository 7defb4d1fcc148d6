"""The evidence that assertions go by: the runs of a simulation, and how they are put in words."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.history import Drop, History, Run, Try
from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import short, shown
from docket_sim.docket import Docket
from docket_sim.entropy import short_key
from docket_sim.errors import DocketError
from docket_sim.events import Source
from docket_sim.execution import TaskCall

NOTHING = "nothing was ever scheduled"


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the events, from number `first` on, up to `last` without it."""

    first: int = 0
    last: int | None = None

    def covers(self, event: int | None) -> bool:
        """Whether the event of that number belongs to it."""
        return (
            event is not None and self.first <= event and (self.last is None or event < self.last)
        )

    def overlaps(self, one: Try) -> bool:
        """Whether that attempt ran during some of it."""
        began = self.last is None or one.began_event < self.last
        return began and (one.ended_event is None or self.first <= one.ended_event)


@dataclass(frozen=True, slots=True)
class Link:
    """That one run has scheduled another, or would have, had the key not been taken.

    Attributes:
        child: what was scheduled, or what had the key.
        asked: the call that was made.
        at: when.
        source: the line of code.
        dropped: whether the call was not accepted.
    """

    child: Run
    asked: TaskCall
    at: datetime
    source: Source | None
    dropped: bool = False


class Evidence:
    """What assertions look at, for all of a simulation or for a stretch of it.

    Attributes:
        seen: the runs that some assertion was about.
        recorded: whether it is a stretch only.
    """

    def __init__(
        self,
        docket: Docket,
        clock: VirtualClock,
        history: History,
        acknowledge: Callable[[Run], None],
        *,
        window: Callable[[], Window] = Window,
    ) -> None:
        """
        Args:
            docket: where the work was scheduled.
            clock: the virtual time.
            history: what has happened.
            acknowledge: is told of a failure that an assertion was about.
            window: gives the stretch of the events that is looked at.
        """
        self.docket = docket
        self.clock = clock
        self.acknowledge = acknowledge
        self.seen: set[Run] = set()
        self.recorded = window is not Window
        self._history = history
        self._window = window

    def during(self, window: Callable[[], Window]) -> "Evidence":
        """The same for a stretch of the events."""
        stretch = Evidence(
            self.docket,
            self.clock,
            self._history,
            self.acknowledge,
            window=window,
        )
        stretch.seen = self.seen
        return stretch

    def note_seen(self, run: Run) -> None:
        """An assertion was about `run`: it is no surprise if it is left over."""
        self.seen.add(run)

    def performing(self, call: TaskCall) -> AbstractContextManager[None]:
        """While it is open, an attempt at `call` is under way that no queue knows of."""
        return self._history.performing(call, self.now)

    @property
    def now(self) -> datetime:
        """The present virtual instant."""
        return self.clock.now()

    @property
    def runs(self) -> list[Run]:
        """Every run, in the order in which they were scheduled."""
        return self._history.catch_up().runs

    @property
    def drops(self) -> list[Drop]:
        """The calls of the stretch that were not accepted."""
        window = self._window()
        return [drop for drop in self._history.catch_up().drops if window.covers(drop.number)]

    def within(self, event: int | None) -> bool:
        """Whether the event of that number belongs to the stretch."""
        return self._window().covers(event)

    def touched(self, run: Run) -> bool:
        """Whether anything happened to `run` within the stretch."""
        return not self.recorded or any(map(self._window().covers, run.events()))

    def tries(self, run: Run) -> list[Try]:
        """The attempts at `run` that were under way within the stretch."""
        return [one for one in run.tries if self._window().overlaps(one)]

    def ended_tries(self, run: Run) -> list[Try]:
        """The attempts at `run` that ended within the stretch."""
        return [one for one in run.tries if self.within(one.ended_event)]

    def retries(self, run: Run) -> list[timedelta]:
        """For each attempt that failed within the stretch, how long after it the next was due."""
        return [
            one.next_at - one.ended
            for one in self.ended_tries(run)
            if one.next_at is not None and one.ended is not None
        ]

    def waits_since(self, run: Run) -> bool:
        """Whether it was within the stretch that `run` came to wait, at first or once more."""
        return self.within(run.began_event) or self.within(run.again_event)

    @staticmethod
    def going_on(run: Run) -> Iterator[Run]:
        """`run`, and the next runs if it is one of a perpetual."""
        following: Run | None = run
        while following is not None:
            yield following
            following = following.following

    # Comparing.

    def arguments(self, call: TaskCall) -> Mapping[str, object]:
        """The arguments of `call` by name, defaults included; none where they cannot be read."""
        try:
            task = self.docket.task(call.task)
            return task.signature.with_defaults(task.decode(call.arguments))
        except DocketError:
            return {}

    def is_call_of(self, expected: ExpectedCall, call: TaskCall) -> bool:
        """Whether `call` is one of the task that `expected` names, whatever its arguments."""
        if expected.function is None:
            return call.task == expected.name
        function = self.docket.tasks.get(call.task)
        return function == expected.function if function is not None else False

    def matches(self, expected: ExpectedCall, call: TaskCall) -> bool:
        """Whether `call` is the one that is expected, its arguments included.

        Raises:
            Doubt: comparing them raised, and nothing else decides.
        """
        return self.is_call_of(expected, call) and expected.fits(self.arguments(call))

    def links_of(self, parent: Run) -> list[Link]:
        """What `parent` has scheduled within the stretch, in order; what was dropped included."""
        links: list[Link] = []
        covers = self._window().covers
        for child in self._history.catch_up().children_of(parent):
            match child:
                case Run(began_event=number) | Drop(number=number) if not covers(number):
                    pass  # before the stretch, or after it
                case Run():
                    links.append(Link(child, child.call, child.scheduled_at, child.source))
                case Drop(event=event, holder=Run() as holder):
                    links.append(Link(holder, event.call, event.at, event.source, dropped=True))
                case _:
                    pass  # nobody knows who had the key
        return links

    def is_by(self, by: object, run: Run) -> bool:
        """Whether `run` was scheduled by what `by` stands for: a task, a call, or nobody.

        Raises:
            Doubt: as `matches`.
        """
        parent = run.parent
        if by is None or parent is None:
            return by is None and parent is None
        return self.matches(by, parent.call) if isinstance(by, ExpectedCall) else False

    # Words.

    def describe(self, run: Run) -> str:
        """The call as it reads in code."""
        return self.docket.describe(run.call)

    def since_start(self, when: datetime) -> str:
        """An instant as the time since the start."""
        return f"+{short(when - self.clock.start)}"

    def scheduler(self, run: Run) -> str:
        """Who scheduled `run`, and from which line."""
        where = place(run.source)
        parent = run.parent
        if not run.first:
            return "next run of a perpetual"
        if run.cause is None:
            return f"scheduled at {where}"
        who = short_key(run.cause.key) if parent is None else self.describe(parent)
        return f"scheduled by {who}, attempt {run.cause.attempt}, {where}"

    def status(self, run: Run) -> str:
        """Where `run` stands, with its times."""
        match run.status:
            case "waiting":
                attempt = f", attempt {run.attempt}" if run.attempt > 1 else ""
                return f"{due(run.when, self.now)}{attempt}"
            case "running":
                return (
                    f"running since {self.since_start(run.tries[-1].began)}, attempt {run.attempt}"
                )
            case _:
                assert run.ended is not None
                tried = f", attempt {run.attempt}" if run.tries else ""
                return f"{run.status} at {self.since_start(run.ended)}{tried}"

    def waiting(self) -> Iterator[Run]:
        """What waits, in the order of due times."""
        yield from sorted(
            (run for run in self.runs if run.status == "waiting"), key=lambda run: run.when
        )

    def nothing(self) -> str:
        """That there is nothing to compare with, in words."""
        return "nothing happened while it was recorded" if self.recorded else NOTHING

    def descriptions(self) -> list[str]:
        """The executions of the stretch as they read in code; a remark where there are none."""
        found = [self.describe(run) for run in self.runs if run.first and self.touched(run)]
        return found or [self.nothing()]

    def never(self) -> str:
        """That a task is missing from all that is looked at, in words."""
        return "had no part in what was recorded" if self.recorded else "was never scheduled"

    def next_due(self) -> str:
        """What is due next, and the verb that would run it."""
        first = next(self.waiting(), None)
        if first is None:
            return "nothing"
        verb = "run_due" if first.when <= self.now else "run_next"
        when = "now" if first.when <= self.now else f"in {short(first.when - self.now)}"
        return f"{self.describe(first)} {when}: sim.{verb}() would run it"

    def present(self) -> str:
        """The present instant, in words."""
        return f"{shown(self.now)}   ({self.since_start(self.now)} since the start)"


def due(when: datetime, now: datetime) -> str:
    """When something that waits is due, as seen from now."""
    if when < now:
        return f"overdue by {short(now - when)}"
    return f"due in {short(when - now)}" if when > now else "due now"


def place(source: Source | None) -> str:
    """A line of code, from the working directory on where it lies in there."""
    if source is None:
        return "an unknown line"
    path = Path(source.filename)
    try:
        path = path.relative_to(Path.cwd())
    except ValueError:
        path = Path(path.name)
    return f"{path.as_posix()}:{source.line}"
