"""Effects and rules: one thing that goes wrong in a simulation, when, and to whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from docket_sim.clock.durations import instant_of, short
from docket_sim.execution import TaskCall
from docket_sim.simulation.faults.calls import StoreCall, Verb

Relative = Literal["heartbeat", "lease"]
Span = timedelta | str
"""A duration; `heartbeat` and `lease` stand for a little more than the worker's own."""

Position = Literal["before", "after"]
RESTART = timedelta(seconds=1)
"""After which another machine takes the place of one that has lost power, unless it is said."""


@dataclass(frozen=True, slots=True)
class Crash:
    """The worker's machine loses power; another takes its place after a while, or never."""

    restart_after: timedelta | None = RESTART


@dataclass(frozen=True, slots=True)
class Fuse:
    """The worker's machine loses power some steps further on, within what it has claimed."""

    steps: int
    restart_after: timedelta | None = RESTART


@dataclass(frozen=True, slots=True)
class Fail:
    """The call does not reach the store; who asked sees a connection error."""


@dataclass(frozen=True, slots=True)
class LoseReply:
    """The call is applied, but who asked sees a connection error."""


@dataclass(frozen=True, slots=True)
class Resend:
    """The call is sent, and applied, twice, as by a client whose first reply was lost."""


@dataclass(frozen=True, slots=True)
class Redeliver:
    """An attempt that has ended is delivered once more instead of being acknowledged."""


@dataclass(frozen=True, slots=True)
class Delay:
    """The call, or its answer, takes a while."""

    by: Span


@dataclass(frozen=True, slots=True)
class Pause:
    """The worker's machine stands still for a while, or for ever."""

    span: Span | None


@dataclass(frozen=True, slots=True)
class Partition:
    """The worker is cut off from the store for a while, or for ever."""

    span: Span | None


@dataclass(frozen=True, slots=True)
class Skew:
    """The worker's clock is set."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class RestartStore:
    """The store goes away, for everybody, and comes back with what it had written down."""

    span: timedelta
    losing: timedelta = timedelta(0)


Effect = (
    Crash
    | Fuse
    | Fail
    | LoseReply
    | Resend
    | Redeliver
    | Delay
    | Pause
    | Partition
    | Skew
    | RestartStore
)
"""What is done."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whom a rule concerns; what is `None` does not matter."""

    worker: str | None = None
    task: str | None = None
    key: str | None = None
    attempt: int | None = None
    since: timedelta | str | datetime | None = None
    until: timedelta | str | datetime | None = None

    @property
    def of_calls(self) -> bool:
        """Whether it matters which calls of tasks a store call is about."""
        return self.task is not None or self.key is not None or self.attempt is not None

    def covers(self, call: StoreCall, now: datetime, start: datetime) -> bool:
        """Whether it concerns `call`."""
        if call.host is None and self.worker != "test":
            return False
        if self.worker is not None and self.worker not in {call.lane, call.host and call.host.name}:
            return False
        if self.since is not None and now < instant_of(self.since, start):
            return False
        if self.until is not None and now >= instant_of(self.until, start):
            return False
        if self.key is not None and self.key == call.key:
            return True
        return not self.of_calls or any(map(self._names, call.subjects()))

    def _names(self, call: TaskCall) -> bool:
        return (
            self.task in {None, call.task}
            and self.key in {None, call.key}
            and self.attempt in {None, call.attempt}
        )


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is done, and when.

    Attributes:
        effect: what is done.
        verb: the verb at whose calls it is done, or `None` for any; with `at`, for none.
        position: before the store has applied the call, or after.
        scope: whom it concerns.
        times: how often it is done, or `None` for always.
        odds: how probable it is at each call that it concerns; `None` when it is certain.
        at: the instant at which it is done instead.
    """

    effect: Effect
    verb: Verb | None = None
    position: Position = "before"
    scope: Scope = Scope()
    times: int | None = 1
    odds: float | None = None
    at: timedelta | str | datetime | None = None


def written(rule: Rule) -> str:
    """The rule as one writes it: `crash_worker(before='settle', worker='worker-1')`."""
    maker, words = _effect(rule.effect)
    if rule.position == "after" and isinstance(rule.effect, Delay):
        words["reply"] = True
    verb = ""
    if isinstance(rule.effect, Fail | LoseReply | Resend | Delay):
        verb = repr(rule.verb) if rule.verb is not None else ""
    elif rule.verb is not None and not isinstance(rule.effect, Fuse | Redeliver):
        words[rule.position] = rule.verb
    scope = {name: getattr(rule.scope, name) for name in Scope.__slots__}
    words |= {"at": rule.at, **scope, "odds": rule.odds}
    shown = [f"{name}={_shown(value)}" for name, value in words.items() if value is not None]
    if rule.times != 1:
        shown.append(f"times={rule.times}")
    return f"{maker}({', '.join([verb, *shown] if verb else shown)})"


def _effect(effect: Effect) -> tuple[str, dict[str, Any]]:
    """The name of what makes it, and with which words."""
    match effect:
        case Crash(restart_after=restart):
            return "crash_worker", _restart(restart)
        case Fuse(steps=steps, restart_after=restart):
            return "crash_worker", {"steps": steps, **_restart(restart)}
        case Delay(by=by) | Skew(by=by):
            return _MAKERS[type(effect)], {"by": by}
        case Pause(span=span) if span in get_args(Relative):
            return "pause", {"beyond": span}
        case Pause(span=span) | Partition(span=span) | RestartStore(span=span):
            losing: timedelta | None = getattr(effect, "losing", None)
            return _MAKERS[type(effect)], {"for_": span, "losing": losing or None}
        case _:
            return _MAKERS[type(effect)], {}


_MAKERS: dict[type, str] = {
    Fail: "fail",
    LoseReply: "lose_reply",
    Resend: "resend",
    Redeliver: "duplicate",
    Delay: "delay",
    Pause: "pause",
    Partition: "partition",
    Skew: "skew",
    RestartStore: "restart_store",
}


def _restart(after: timedelta | None) -> dict[str, Any]:
    if after is None:
        return {"restart_after": _NEVER}
    return {} if after == RESTART else {"restart_after": after}


class _Never:
    """Stands for a `None` that has to be written."""

    def __repr__(self) -> str:
        return "None"


_NEVER = _Never()


def _shown(value: object) -> str:
    if not isinstance(value, timedelta):
        return repr(value)
    if value < timedelta(0):
        return f"timedelta(seconds={value.total_seconds():g})"  # a text has no sign
    return repr(short(value))
