"""What a retry policy must keep to, one function for each property; each says what broke it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from itertools import pairwise

from docket_sim.clock.durations import short
from docket_sim.errors import error_text
from docket_sim.strategies.trial import Run, Seen

_ROUNDING = timedelta(microseconds=1)  # a fraction of a delay is rounded to a whole one


class RetryProperty(Enum):
    """The properties by name, in the order in which they are looked at; the value is a sentence."""

    DECIDES = "the policy decides on a delay of 0 or more, and does not raise"
    INDEPENDENT = "executions with the same failures and chances wait equally long"
    ENDS_ON_SUCCESS = "an attempt that succeeds is the last"
    BUDGET = "there are no more attempts than the budget allows"
    PERSISTENT = "an execution that keeps failing uses its whole budget"
    NOT_EARLY = "a retry does not begin before the delay that was decided on has passed"
    CAPPED = "no delay is longer than the longest"
    MONOTONE = "with the same chances, no delay is shorter than the one before"
    TOTAL = "all delays together are no longer than the total"
    JITTER = "chance takes no more off a delay than the jitter allows"

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a policy has promised.

    Attributes:
        attempts: its budget, or `None` for no limit.
        maximum_delay: its longest delay, or `None` where it names none.
        total_delay: the longest that all delays together may be, or `None`.
        jitter: how much of the longest delay of an attempt is left to chance, from 0 to 1.
        monotone: whether delays never shrink.
        gives_up: whether it may give up before its budget is used up.
        expected_errors: what attempts fail with by themselves.
    """

    attempts: int | None
    maximum_delay: timedelta | None
    total_delay: timedelta | None
    jitter: float
    monotone: bool
    gives_up: bool
    expected_errors: tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that does not hold: what was expected, what was found, and in which runs."""

    broken: RetryProperty
    expected: str
    found: str
    runs: tuple[Run, ...] = ()


def violations(terms: Terms, seen: Seen) -> Iterator[Violation]:
    """Everything that a trial has shown to be broken, the most basic first."""
    for run in (*seen.twins, seen.other):
        yield from _undecided(terms, run)
    yield from _dependent(seen)
    for check in _OF_EACH_RUN:
        for run in (seen.twins[0], seen.other):
            yield from check(terms, run)
    yield from _jittery(terms, seen)


def _undecided(terms: Terms, run: Run) -> Iterator[Violation]:
    decision = RetryProperty.DECIDES
    for one in (*run.tries, *run.edges):
        scripted = one.decided is not None and isinstance(one.error, terms.expected_errors)
        if one.error is not None and not scripted:
            raised = f"it raised {error_text(one.error)}"
            yield Violation(decision, f"a decision about attempt {one.number}", raised, (run,))
        elif one.decided is not None and one.decided < timedelta(0):
            found = short(one.decided)
            yield Violation(decision, f"0s or more after attempt {one.number}", found, (run,))


def _dependent(seen: Seen) -> Iterator[Violation]:
    first, second = (_delays(run) for run in seen.twins)
    if first != second:
        yield Violation(
            RetryProperty.INDEPENDENT,
            f"equal delays, as of an instance that keeps nothing of an attempt: {first}",
            f"{second}",
            seen.twins,
        )


def _delays(run: Run) -> str:
    return ", ".join(short(wait) for _, wait in run.consecutive_waits()) or "none"


def _goes_on(terms: Terms, run: Run) -> Iterator[Violation]:
    del terms
    for one, wait in run.waits():
        if one.succeeded:
            yield Violation(
                RetryProperty.ENDS_ON_SUCCESS,
                f"no attempt after attempt {one.number}, which succeeded",
                f"another one {short(wait)} later",
                (run,),
            )


def _exceeds(terms: Terms, run: Run) -> Iterator[Violation]:
    if terms.attempts is None:
        return
    last = run.tries[terms.attempts - 1 : terms.attempts]
    last += [edge for edge in run.edges if edge.number >= terms.attempts]
    for one in last:
        if one.wait is not None:
            yield Violation(
                RetryProperty.BUDGET,
                f"at most {_attempts(terms.attempts)}",
                f"another one {short(one.wait)} after the last that is allowed",
                (run,),
            )


def _gives_up(terms: Terms, run: Run) -> Iterator[Violation]:
    if terms.gives_up:
        return
    failed = [(len(run.tries), one) for one in run.tries[-1:] if not one.succeeded]
    failed += [(edge.number, edge) for edge in run.edges]
    for number, one in failed:
        if one.wait is None and (terms.attempts is None or number < terms.attempts):
            budget = "no limit" if terms.attempts is None else _attempts(terms.attempts)
            yield Violation(
                RetryProperty.PERSISTENT,
                f"another attempt, since the budget is {budget}",
                f"none after attempt {number}",
                (run,),
            )


def _early(terms: Terms, run: Run) -> Iterator[Violation]:
    del terms
    for one, wait in run.waits():
        if one.decided is not None and wait < one.decided:
            yield Violation(
                RetryProperty.NOT_EARLY,
                f"{short(one.decided)} or more after attempt {one.number}",
                f"{short(wait)}, which is {short(one.decided - wait)} early",
                (run,),
            )


def _uncapped(terms: Terms, run: Run) -> Iterator[Violation]:
    for one, wait in run.waits():
        if terms.maximum_delay is not None and wait > terms.maximum_delay:
            yield Violation(
                RetryProperty.CAPPED,
                f"at most {short(terms.maximum_delay)} after attempt {one.number}",
                short(wait),
                (run,),
            )


def _shrinking(terms: Terms, run: Run) -> Iterator[Violation]:
    if not terms.monotone:
        return
    for (before, longer), (one, wait) in pairwise(run.waits()):
        if wait < longer:
            yield Violation(
                RetryProperty.MONOTONE,
                f"{short(longer)} or more after attempt {one.number}, "
                f"as after attempt {before.number}",
                short(wait),
                (run,),
            )


def _over_time(terms: Terms, run: Run) -> Iterator[Violation]:
    total = timedelta(0)
    for one, wait in run.consecutive_waits():
        total += wait
        if terms.total_delay is not None and total > terms.total_delay:
            yield Violation(
                RetryProperty.TOTAL,
                f"at most {short(terms.total_delay)} of delays",
                f"{short(total)} after attempt {one.number}",
                (run,),
            )


def _jittery(terms: Terms, seen: Seen) -> Iterator[Violation]:
    one, other = seen.twins[0], seen.other
    others = {attempt.number: wait for attempt, wait in other.waits()}
    for attempt, wait in one.waits():
        another = others.get(attempt.number, wait)
        longest, shortest = max(wait, another), min(wait, another)
        least = longest * (1 - terms.jitter)
        if shortest < least - _ROUNDING:
            yield Violation(
                RetryProperty.JITTER,
                f"{short(least)} to {short(longest)} after attempt {attempt.number}, "
                f"with a jitter of {terms.jitter:g}",
                short(shortest),
                (one, other),
            )


def _attempts(number: int) -> str:
    return "1 attempt" if number == 1 else f"{number} attempts"


_OF_EACH_RUN: tuple[Callable[[Terms, Run], Iterator[Violation]], ...] = (
    _goes_on,
    _exceeds,
    _gives_up,
    _early,
    _uncapped,
    _shrinking,
    _over_time,
)
