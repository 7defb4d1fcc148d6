"""An account of a run, to be laid beside that of another: what happened, what was decided, the end.

It holds plain values, so one that was made in another process can be compared as well.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from docket_sim.clock.durations import short
from docket_sim.errors import error_text
from docket_sim.events import Event
from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choice
from docket_sim.simulation.difference import first_difference
from docket_sim.simulation.timeline import Moment

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


@dataclass(frozen=True, slots=True)
class Account:
    """What there is to compare of a run.

    Attributes:
        moments: its timeline.
        choices: its tape.
        end: what it failed with, or "".
    """

    moments: tuple[Moment, ...]
    choices: tuple[Choice, ...]
    end: str

    @classmethod
    def of(cls, trial: Trial) -> "Account":
        """The account of a run that was made."""
        end = "" if trial.error is None else _without_addresses(error_text(trial.error))
        moments = tuple(trial.timeline)
        if trial.aliases:
            end = _under_aliases(end, trial.aliases)
            moments = tuple(
                _said_otherwise(one, lambda text: _under_aliases(text, trial.aliases))
                for one in moments
            )
        return cls(moments, tuple(trial.choices.tape), end)

    def difference(self, other: "Account") -> str | None:
        """Where the two runs part, in words; `None` when they are the same.

        Where one object lives in memory is no difference as long as it is only shown.
        """
        one, two = _telling(self.moments), _telling(other.moments)
        if one == two and self.choices == other.choices and self.end == other.end:
            return None
        # What differs under one key says more than an order, and the order more than a choice.
        return (
            first_difference(one, two)
            or _first("event", one, two, _said)
            or _first("choice", self.choices, other.choices, _decided)
            or f"the end: {self.end or 'no failure'}\n  there: {other.end or 'no failure'}"
        )


def alike(one: Trial, two: Trial) -> bool:
    """Whether two runs are the same at a glance; if not, their accounts tell."""
    here, there = one.timeline.events, two.timeline.events
    return (
        one.choices.tape == two.choices.tape
        and (one.error is None) is (two.error is None)
        and (one.error is None or two.error is None or _same_errors(one.error, two.error))
        and len(here) == len(there)
        and all(map(_same_events, here, there))
    )


def _same_events(one: Event, two: Event) -> bool:
    if one == two:
        return True
    errors: Any = getattr(one, "error", None), getattr(two, "error", None)
    if None in errors or type(one) is not type(two) or not _same_errors(*errors):
        return False
    # Errors have no equality of their own.
    bare: tuple[Any, Any] = one, two
    return bool(replace(bare[0], error=None) == replace(bare[1], error=None))


def _same_errors(one: BaseException, two: BaseException) -> bool:
    return error_text(one) == error_text(two)


def _telling(moments: Sequence[Moment]) -> list[Moment]:
    return [
        _said_otherwise(one, _without_addresses) if "0x" in one.details + one.call else one
        for one in moments
    ]


def _said_otherwise(moment: Moment, say: Callable[[str], str]) -> Moment:
    call, details, key = say(moment.call), say(moment.details), say(moment.key)
    return replace(moment, call=call, details=details, key=key)


def _under_aliases(text: str, aliases: Mapping[str, str]) -> str:
    for own in sorted(aliases, key=len, reverse=True):  # a part of one may be one as well
        text = text.replace(own, aliases[own])
    return text


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub("0x…", text)


def _first(what: str, one: Sequence[Any], two: Sequence[Any], said: Any) -> str | None:
    for number, (here, there) in enumerate(zip_longest(one, two), 1):
        if here != there:
            return f"{what} no. {number}: {said(here)}\n  there: {said(there)}"
    return None


def _said(moment: Moment | None) -> str:
    if moment is None:
        return "nothing"
    at, who = short(moment.elapsed), moment.worker or "the test"
    return f"at +{at}, {who}: {moment.what} {moment.call} [{moment.key}]"


def _decided(choice: Choice | None) -> str:
    if choice is None:
        return "none"
    return f"{choice.label}, no. {choice.number}: {choice.value} of 0 to {choice.options - 1}"
