"""`Faults`: rules that say what is done to the store calls and workers of a simulation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from docket_sim.clock.durations import duration_of, instant_of
from docket_sim.execution import TaskCall
from docket_sim.simulation.faults.calls import VERBS, StoreCall, Verb
from docket_sim.task import TaskFunction, name_of

Relative = Literal["heartbeat", "lease"]
Span = timedelta | str
"""A duration; `heartbeat` and `lease` stand for a little more than the worker's own."""

Position = Literal["before", "after"]
_RESTART = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Crash:
    """The worker's machine loses power; another takes its place after a while, or never."""

    restart_after: timedelta | None = _RESTART


@dataclass(frozen=True, slots=True)
class Fuse:
    """The worker's machine loses power some steps further on, within what it has claimed."""

    steps: int | None = None
    restart_after: timedelta | None = _RESTART


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
    """The store goes away, for everybody, and comes back with what it was told."""

    span: timedelta


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


@dataclass(frozen=True)
class Faults:
    """Rules that say what is done to the store calls and workers of a simulation.

        simulate(workers=2, faults=Faults.crash_worker(before="settle", task=charge))
        simulate(faults=Faults.lose_reply("settle") + Faults.partition("worker-1", at="+10s"))

    Each of the methods makes one rule; `+` puts rules together, and of several that concern one
    call the first is followed. A rule strikes once unless `times` says otherwise; `None` means
    always. With `odds`, it strikes where the choices of the run say so: of each call that it
    concerns with that probability when they are left to chance, and nowhere by default.

    All rules take the same scope: `worker` (`worker-1`; the test's own calls are disturbed only by
    rules for the worker `test`), `task`, `key`, `attempt`, and the instants `since` and `until`,
    each a datetime or the time since the start, such as `+2h`.

    Attributes:
        rules: the rules, in order.
        latencies: how long a store call of a worker, and its answer, may take: a duration each, or
            `heartbeat` or `lease`, for a little more than it takes for the worker to be late with
            renewing, or to lose what it has claimed.
        limit: how often rules with odds strike in one run, at most.
        run_twice: whether what has succeeded is delivered once more, out of sight of the test.
    """

    rules: tuple[Rule, ...] = ()
    latencies: tuple[Span, ...] = ()
    limit: int | None = None
    run_twice: bool = False

    def __add__(self, other: "Faults") -> "Faults":
        limits = [limit for limit in (self.limit, other.limit) if limit is not None]
        return Faults(
            self.rules + other.rules,
            tuple(dict.fromkeys(self.latencies + other.latencies)),
            max(limits, default=None),
            run_twice=self.run_twice or other.run_twice,
        )

    def __bool__(self) -> bool:
        return bool(self.rules or self.latencies)

    # What can be done.

    @classmethod
    def crash_worker(
        cls,
        *,
        before: Verb | None = None,
        after: Verb | None = None,
        at: Any = None,
        steps: int | None = None,
        restart_after: Span | None = _RESTART,
        **scope: Any,
    ) -> "Faults":
        """Cut the power of a worker's machine: its code stops where it stands, for good.

        No `finally` block runs, and nothing reaches the store any more.

        Args:
            before, after: the verb at whose call it happens, before or after it is applied.
            at: the instant at which it happens instead, to the worker that the scope names.
            steps: how many steps after a claim it happens instead, of all that the machine runs.
            restart_after: when another machine takes its place; `None` for never.
        """
        restart = None if restart_after is None else duration_of(restart_after)
        if steps is not None:
            return cls._rule(Fuse(steps, restart), "claim", "after", scope)
        return cls._disturbing(Crash(restart), before, after, scope, at)

    @classmethod
    def fail(cls, verb: Verb | None = None, **scope: Any) -> "Faults":
        """Let calls not reach the store; who asked sees a connection error."""
        return cls._rule(Fail(), verb, "before", scope)

    @classmethod
    def lose_reply(cls, verb: Verb | None = None, **scope: Any) -> "Faults":
        """Let calls be applied, while who asked sees a connection error."""
        return cls._rule(LoseReply(), verb, "after", scope)

    @classmethod
    def resend(cls, verb: Verb | None = None, **scope: Any) -> "Faults":
        """Let calls be sent, and applied, twice: as by a client whose first reply was lost."""
        return cls._rule(Resend(), verb, "after", scope)

    @classmethod
    def duplicate(cls, **scope: Any) -> "Faults":
        """Deliver an attempt that has ended once more, instead of acknowledging it."""
        return cls._rule(Redeliver(), "settle", "before", scope)

    @classmethod
    def delay(
        cls, verb: Verb | None = None, by: Span = "50ms", *, reply: bool = False, **scope: Any
    ) -> "Faults":
        """Let calls take a while.

        Args:
            by: how long: a duration, or `heartbeat` or `lease`.
            reply: whether the answer is late, and not the call.
        """
        return cls._rule(Delay(_span(by)), verb, "after" if reply else "before", scope)

    @classmethod
    def pause(
        cls,
        worker: str | None = None,
        *,
        beyond: Relative | None = None,
        for_: Span | None = None,
        before: Verb | None = None,
        after: Verb | None = None,
        at: Any = None,
        **scope: Any,
    ) -> "Faults":
        """Let a worker's machine stand still, and go on later as if nothing had been: a zombie.

        Args:
            worker: the worker.
            beyond: how long: a little more than it takes to be late (`heartbeat`), or to lose what
                it has claimed (`lease`).
            for_: how long, as a duration; with neither, it never goes on.
            before, after: the verb at whose call it happens.
            at: the instant at which it happens instead.
        """
        effect = Pause(_optional_span(beyond or for_))
        return cls._disturbing(effect, before, after, {"worker": worker, **scope}, at)

    @classmethod
    def partition(
        cls,
        worker: str | None = None,
        *,
        for_: Span | None = None,
        before: Verb | None = None,
        at: Any = None,
        **scope: Any,
    ) -> "Faults":
        """Cut a worker off from the store: its calls fail, and it is told nothing.

        Args:
            worker: the worker.
            for_: how long: a duration, or `heartbeat` or `lease`; for ever if not given.
            before: the verb at whose call it begins.
            at: the instant at which it begins instead.
        """
        effect = Partition(_optional_span(for_))
        return cls._disturbing(effect, before, None, {"worker": worker, **scope}, at)

    @classmethod
    def skew(
        cls, worker: str | None = None, by: timedelta | str = "5s", *, at: Any = None, **scope: Any
    ) -> "Faults":
        """Set a worker's clock.

        What is due is decided by the store's own clock, as in production; what a worker computes,
        such as when a retry is due, and what user code sees, is wrong by so much.

        Args:
            worker: the worker.
            by: how far ahead it is then; a negative duration lets it lag.
            at: the instant at which it happens; at the worker's first call if not given.
        """
        effect = Skew(by if isinstance(by, timedelta) else duration_of(by))
        return cls._disturbing(effect, None, None, {"worker": worker, **scope}, at)

    @classmethod
    def restart_store(
        cls,
        *,
        at: Any = None,
        for_: timedelta | str = "1s",
        before: Verb | None = None,
        **scope: Any,
    ) -> "Faults":
        """Let the store go away for everybody; it comes back with all that it was told.

        Args:
            at: the instant at which it goes away.
            for_: how long it is away.
            before: the verb at whose call it goes away instead.
        """
        return cls._disturbing(RestartStore(duration_of(for_)), before, None, scope, at)

    # Whole sets of rules.

    @classmethod
    def none(cls) -> "Faults":
        """Nothing goes wrong, and store calls take up to 50 ms."""
        return cls(latencies=("1ms", "50ms"))

    @classmethod
    def rough(cls) -> "Faults":
        """What happens in any production: workers die, replies get lost, machines stall.

        Up to three faults a run.
        """
        return cls._profile(("1ms", "50ms", "heartbeat"), odds=0.02, limit=3)

    @classmethod
    def hostile(cls) -> "Faults":
        """All that can happen, and often: up to ten faults a run, and calls beyond the lease."""
        latencies = ("1ms", "50ms", "heartbeat", "lease")
        worse = (
            Rule(Skew(timedelta(seconds=5)), None, "before", times=None, odds=0.002),
            Rule(Skew(timedelta(seconds=-5)), None, "before", times=None, odds=0.002),
            Rule(RestartStore(timedelta(seconds=30)), None, "before", times=None, odds=0.005),
            Rule(Partition("lease"), None, "before", times=None, odds=0.01),
        )
        profile = cls._profile(latencies, odds=0.06, limit=10)
        return replace(profile, rules=profile.rules + worse)

    @classmethod
    def _profile(cls, latencies: tuple[Span, ...], *, odds: float, limit: int) -> "Faults":
        rules = [
            Rule(Crash(), None, "before", times=None, odds=odds),
            Rule(Crash(), None, "after", times=None, odds=odds),
            Rule(Fuse(), "claim", "after", times=None, odds=odds),
            Rule(LoseReply(), None, "after", times=None, odds=odds),
            Rule(Fail(), None, "before", times=None, odds=odds),
            Rule(Redeliver(), "settle", "before", times=None, odds=odds),
            Rule(Pause("lease"), None, "after", times=None, odds=odds),
            Rule(Pause("lease"), "settle", "before", times=None, odds=odds),
            Rule(Resend(), None, "after", times=None, odds=odds / 2),
            Rule(Partition("heartbeat"), None, "before", times=None, odds=odds / 4),
            Rule(RestartStore(timedelta(seconds=1)), None, "before", times=None, odds=odds / 8),
        ]
        return cls(tuple(rules), latencies, limit)

    @classmethod
    def of(
        cls, given: "str | Faults | Iterable[Faults] | None", *, run_twice: bool = False
    ) -> "Faults":
        """What a user has given: a name, rules, or several.

        Args:
            given: that.
            run_twice: whether what has succeeded is to be delivered once more, besides.

        Raises:
            ValueError: a name that no set of rules has.
            TypeError: something else.
        """
        if run_twice:
            return replace(cls.duplicate(times=None), run_twice=True) + cls.of(given)
        if given is None:
            return cls()
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            profiles: dict[str, Callable[[], Faults]] = {
                "none": cls.none,
                "rough": cls.rough,
                "hostile": cls.hostile,
            }
            if given not in profiles:
                raise ValueError(f"faults: expected {', '.join(profiles)}, found {given!r}")
            return profiles[given]()
        if isinstance(given, Iterable):
            total = cls()
            for one in given:
                total += cls.of(one)
            return total
        raise TypeError(
            f"faults: expected a name (none, rough, hostile), Faults such as "
            f"Faults.crash_worker(before='settle'), or a list of them, found {given!r}"
        )

    @classmethod
    def _disturbing(
        cls,
        effect: Effect,
        before: Verb | None,
        after: Verb | None,
        scope: dict[str, Any],
        at: Any,
    ) -> "Faults":
        if sum(given is not None for given in (before, after, at)) > 1:
            raise TypeError("a fault happens before= a verb, after= one, or at= an instant: one")
        if at is not None:
            return cls((Rule(effect, at=at, **_scoped(scope)),))
        return cls._rule(effect, after or before, "after" if after else "before", scope)

    @classmethod
    def _rule(
        cls, effect: Effect, verb: Verb | None, position: Position, scope: dict[str, Any]
    ) -> "Faults":
        if verb is not None and verb not in VERBS:
            raise ValueError(f"expected one of the verbs {', '.join(VERBS)}, found {verb!r}")
        return cls((Rule(effect, verb, position, **_scoped(scope)),))


_OF_EVERY_RULE = ("times", "odds")


def _scoped(given: dict[str, Any]) -> dict[str, Any]:
    """The scope, and what else every rule takes.

    Raises:
        TypeError: an unknown keyword.
    """
    rest = dict(given)
    taken: dict[str, Any] = {name: rest.pop(name) for name in _OF_EVERY_RULE if name in rest}
    task: TaskFunction | str | None = rest.get("task")
    if task is not None and not isinstance(task, str):
        rest["task"] = name_of(task)
    known = {field.name for field in fields(Scope)}
    if unknown := rest.keys() - known:
        expected = ", ".join(sorted({*known, *_OF_EVERY_RULE}))
        raise TypeError(
            f"unknown keywords {', '.join(sorted(unknown))}; expected some of {expected}"
        )
    return {"scope": Scope(**rest), **taken}


def _span(span: Span) -> Span:
    return span if span in get_args(Relative) else duration_of(span)


def _optional_span(span: Span | None) -> Span | None:
    return None if span is None else _span(span)
