"""Strategies of fault plans: which few things go wrong, where or when, and to whom."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal, get_args

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from docket_sim.simulation import Faults
from docket_sim.simulation.faults.calls import Verb
from docket_sim.strategies.durations import durations

FaultKind = Literal[
    "crash_worker",
    "lose_reply",
    "fail",
    "delay",
    "duplicate",
    "pause",
    "partition",
    "skew",
    "restart_store",
]
"""What may go wrong in a plan; each is the method of `Faults` of that name."""

_VERBS: tuple[Verb, ...] = (
    "settle",
    "claim",
    "renew",
)  # what a worker asks by itself, the telling one first
_LASTING = ("lease", "heartbeat", "1s")
_ATTEMPTS = 3
_STEPS = 40
_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)


def fault_plans(
    *,
    min_size: int = 0,
    max_size: int = 3,
    kinds: Sequence[FaultKind] = get_args(FaultKind),
    workers: int | Sequence[str] = 2,
    span: timedelta = timedelta(minutes=1),
) -> SearchStrategy[Faults]:
    """Few faults, each at a place or an instant; the simplest plan has none.

        @given(plan=fault_plans(kinds=["crash_worker", "lose_reply"]))
        def test_an_order_is_charged_once(plan):
            with simulate(workers=2, faults=plan) as sim:
                ...

    No odds are involved: the same plan does the same each time. What a worker asks of the store by
    itself is disturbed, claims, renewals and settlements; nothing lasts for ever, so everything
    that was accepted is to end. One that is drawn twice happens twice.

    Args:
        min_size: how many things go wrong, at least.
        max_size: how many at most; an attempt that is delivered 6 times without an answer counts
            as poison, which 4 faults do not lead to.
        kinds: what may, the simplest first.
        workers: how many workers there are, or the names of those that something may happen to.
        span: when the last of the faults that go by the clock may happen, since the start.

    Raises:
        ValueError: no kinds, unknown ones, no workers, sizes that are negative or in the wrong
            order, or a negative span.
    """
    unknown = [kind for kind in kinds if kind not in _KINDS]
    if unknown or not kinds:
        raise ValueError(f"kinds: expected some of {', '.join(_KINDS)}, found {list(kinds)}")
    names = worker_names(workers) if isinstance(workers, int) else list(workers)
    if not names:
        raise ValueError("a fault happens to a worker, found none")
    if not 0 <= min_size <= max_size:
        raise ValueError(f"sizes go from 0 up, in order; found {min_size} and {max_size}")
    places = _Places(st.sampled_from(names), durations(_ZERO, span))
    ones = st.one_of([_KINDS[kind](places) for kind in kinds])
    return st.lists(ones, min_size=min_size, max_size=max_size).map(_together)


def worker_names(count: int) -> list[str]:
    """The names of the workers of a simulation that has so many."""
    return [f"worker-{number}" for number in range(1, count + 1)]


def _together(drawn: Sequence[Faults]) -> Faults:
    """One plan of several; rules that are alike are one that strikes more often."""
    counted = Counter(rule for faults in drawn for rule in faults.rules)
    return Faults(tuple(replace(rule, times=times) for rule, times in counted.items()))


class _Places:
    """Where or when something goes wrong, and to whom."""

    def __init__(self, worker: SearchStrategy[str], instant: SearchStrategy[timedelta]) -> None:
        self.worker = worker
        self.instant = instant
        self.span = st.sampled_from(_LASTING)

    def scope(self, draw: DrawFn) -> dict[str, Any]:
        """Any call, or those of a worker, or of an attempt."""
        scope: dict[str, Any] = {}
        if draw(st.booleans()):
            scope["worker"] = draw(self.worker)
        if draw(st.booleans()):
            scope["attempt"] = draw(st.integers(1, _ATTEMPTS))
        return scope

    def place(self, draw: DrawFn, *positions: str) -> dict[str, Any]:
        """At a verb, the simplest, or at an instant."""
        position = draw(st.sampled_from([*positions, "at"]))
        if position == "at":
            return {"at": draw(self.instant), "worker": draw(self.worker)}
        return {position: draw(_verb), **self.scope(draw)}


_verb = st.sampled_from(_VERBS)
_Maker = Callable[[_Places], SearchStrategy[Faults]]


@st.composite
def _crashes(draw: DrawFn, places: _Places) -> Faults:
    if draw(st.booleans()):
        return Faults.crash_worker(steps=draw(st.integers(0, _STEPS)), **places.scope(draw))
    return Faults.crash_worker(**places.place(draw, "before", "after"))


@st.composite
def _lost_replies(draw: DrawFn, places: _Places) -> Faults:
    return Faults.lose_reply(draw(_verb), **places.scope(draw))


@st.composite
def _failures(draw: DrawFn, places: _Places) -> Faults:
    return Faults.fail(draw(_verb), **places.scope(draw))


@st.composite
def _delays(draw: DrawFn, places: _Places) -> Faults:
    verb, by, reply = draw(_verb), draw(places.span), draw(st.booleans())
    return Faults.delay(verb, by, reply=reply, **places.scope(draw))


@st.composite
def _duplicates(draw: DrawFn, places: _Places) -> Faults:
    return Faults.duplicate(**places.scope(draw))


@st.composite
def _pauses(draw: DrawFn, places: _Places) -> Faults:
    return Faults.pause(for_=draw(places.span), **places.place(draw, "before", "after"))


@st.composite
def _partitions(draw: DrawFn, places: _Places) -> Faults:
    return Faults.partition(for_=draw(places.span), **places.place(draw, "before"))


@st.composite
def _skews(draw: DrawFn, places: _Places) -> Faults:
    seconds = draw(st.sampled_from([5, -5, 60, -60]))
    at = draw(st.none() | places.instant)
    return Faults.skew(draw(places.worker), seconds * _SECOND, at=at)


@st.composite
def _restarts(draw: DrawFn, places: _Places) -> Faults:
    away = draw(st.sampled_from([1, 30])) * _SECOND
    if draw(st.booleans()):
        return Faults.restart_store(at=draw(places.instant), for_=away)
    return Faults.restart_store(before=draw(_verb), for_=away)


_KINDS: dict[str, _Maker] = {
    "crash_worker": _crashes,
    "lose_reply": _lost_replies,
    "fail": _failures,
    "delay": _delays,
    "duplicate": _duplicates,
    "pause": _pauses,
    "partition": _partitions,
    "skew": _skews,
    "restart_store": _restarts,
}
