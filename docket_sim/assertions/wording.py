"""The words and the layout of messages: a verdict, and below it what it rests on."""

from collections.abc import Sequence
from datetime import timedelta

from docket_sim.clock.durations import short

_SHOWN = 5
Lines = list[tuple[str, str]]
"""What stands below the verdict: labels, and texts that may have several lines."""


def composed(verdict: str, lines: Lines) -> str:
    """A message: the verdict, and below it what it rests on."""
    rows: list[str] = []
    for label, text in lines:
        first, *rest = text.split("\n")
        rows.append(f"  {label:<9} {first}".rstrip())
        rows += [f"  {'':<9} {line}".rstrip() for line in rest]
    return "\n".join([f"{verdict}.", "", *rows])


def listed(items: Sequence[str], more: str = "more") -> str:
    """`items` one below the other; a long list is cut, with a count."""
    shown_items = list(items[:_SHOWN])
    if len(items) > _SHOWN:
        shown_items.append(f"… and {len(items) - _SHOWN} {more}")
    return "\n".join(shown_items)


def times_in_words(count: int) -> str:
    """How often, in words."""
    return {0: "no times", 1: "once", 2: "twice"}.get(count, f"{count} times")


def durations_in_words(durations: Sequence[timedelta]) -> str:
    """Durations, in one line."""
    return ", ".join(short(one) for one in durations) or "no delay at all"


def inline(items: Sequence[str]) -> str:
    """`items` in one line; a long list is cut, with a count."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(items[:_SHOWN]) + more


def singular(plural: str) -> str:
    """The verb of one thing, for that of several."""
    return {"are": "is", "did": "did"}.get(plural, "was scheduled")
