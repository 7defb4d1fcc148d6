"""Where two timelines part: what happened in one run and not in the other."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

from docket_sim.clock.durations import short
from docket_sim.entropy import short_key
from docket_sim.simulation.timeline import Moment


def first_difference(one: Sequence[Moment], other: Sequence[Moment]) -> str | None:
    """The first event that differs, in words; `None` when the two runs are alike.

    What happens to several executions at one instant has no order that a program may rely on: it
    depends on how many turns of the loop a store takes. So events of one instant are compared key
    by key, and which of several workers ran an attempt is left out.
    """
    first, second = _by_instant(one), _by_instant(other)
    for elapsed in sorted({*first, *second}):
        here, there = first.get(elapsed, {}), second.get(elapsed, {})
        for key in dict.fromkeys((*here, *there)):
            found = _parting(here.get(key, []), there.get(key, []))
            if found is not None:
                return f"at +{short(elapsed)}, {short_key(key)}: {found}"
    return None


def _by_instant(moments: Iterable[Moment]) -> dict[timedelta, dict[str, list[str]]]:
    events: dict[timedelta, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for moment in moments:
        events[moment.elapsed][moment.key].append(_said(moment))
    return events


def _said(moment: Moment) -> str:
    details = moment.details
    if moment.worker is not None:
        details = details.replace(moment.worker, "a worker")
    return f"{moment.what} {moment.call}, attempt {moment.attempt} ({details})"


def _parting(one: list[str], other: list[str]) -> str | None:
    for here, there in zip(one, other, strict=False):
        if here != there:
            return f"{here}\n  there: {there}"
    if len(one) > len(other):
        return f"{one[len(other)]}\n  there: nothing"
    if len(other) > len(one):
        return f"nothing\n  there: {other[len(one)]}"
    return None
