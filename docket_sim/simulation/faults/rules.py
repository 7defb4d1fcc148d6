"""`Faults`: rules that say what is done to the store calls and workers of a simulation."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from datetime import timedelta
from typing import Any, get_args

from docket_sim.clock.durations import duration_of
from docket_sim.simulation.faults.calls import VERBS, Verb
from docket_sim.simulation.faults.effects import (
    RESTART,
    Crash,
    Delay,
    Effect,
    Fail,
    Fuse,
    LoseReply,
    Partition,
    Pause,
    Position,
    Redeliver,
    Relative,
    Resend,
    RestartStore,
    Rule,
    Scope,
    Skew,
    Span,
    written,
)
from docket_sim.task import TaskFunction, name_of

_STEPS = (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32)


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

    def __repr__(self) -> str:
        rest = {"latencies": self.latencies or None, "limit": self.limit}
        words = [f"{name}={value!r}" for name, value in rest.items() if value is not None]
        terms = [f"Faults.{written(rule)}" for rule in self.rules]
        if words or not terms:
            terms.append(f"Faults({', '.join(words)})")
        return " + ".join(terms)

    # What can be done.

    @classmethod
    def crash_worker(
        cls,
        *,
        before: Verb | None = None,
        after: Verb | None = None,
        at: Any = None,
        steps: int | None = None,
        restart_after: Span | None = RESTART,
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

        What is due is decided by the store's own clock, as in production, and what a worker plans,
        such as a retry, is put on that clock. What user code sees is wrong by so much.

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
        losing: timedelta | str = timedelta(0),
        **scope: Any,
    ) -> "Faults":
        """Let the store go away for everybody; it comes back with all that it had written down.

        Args:
            at: the instant at which it goes away.
            for_: how long it is away.
            before: the verb at whose call it goes away instead.
            losing: how long before that it wrote for the last time: what it was told since then is
                gone. A second is what Redis loses with `appendfsync everysec`; by default, nothing.
                In memory only, and only as a rule that `simulate` or a search begins with.

        Raises:
            ValueError: a negative `losing`, or a text that is no duration.
        """
        lost = duration_of(losing)
        if lost < timedelta(0):
            raise ValueError(f"losing= is 0 or more, found {lost}")
        return cls._disturbing(RestartStore(duration_of(for_), lost), before, None, scope, at)

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
            *_fuses(odds),
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


def _fuses(odds: float) -> list[Rule]:
    """Power cuts within what was claimed: a rule for each step, so that a search tries them all."""
    each = odds / len(_STEPS)
    return [Rule(Fuse(steps), "claim", "after", times=None, odds=each) for steps in _STEPS]


def _span(span: Span) -> Span:
    return span if span in get_args(Relative) else duration_of(span)


def _optional_span(span: Span | None) -> Span | None:
    return None if span is None else _span(span)
