"""What an assertion expects of one run, and in which respects a run is not like that."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import cast

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.history import Run, Status
from docket_sim.assertions.values import (
    Difference,
    Doubt,
    difference,
    fits,
    settled,
    wanted,
)
from docket_sim.errors import ResolutionFailed


class Anyone(Enum):
    """Says that it does not matter who has scheduled something."""

    ANYONE = "anyone"


ANYONE = Anyone.ANYONE
By = ExpectedCall | None | Anyone
"""Who is to have scheduled something: a task, nobody (the test itself), or anyone."""


class Miss(IntEnum):
    """In which respect a run is not what is expected; the gravest first."""

    TASK = 0
    ARGUMENTS = 1
    STATUS = 2
    KEY = 3
    BY = 4
    ERROR = 5
    TIME = 6
    RECORDED = 7
    DELAYS = 8


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run compares with what is expected.

    Attributes:
        misses: in which respects it is not as expected, the gravest first.
        doubts: what comparing raised; those respects are among the misses.
    """

    misses: list[Miss]
    doubts: list[Doubt]

    @property
    def fits(self) -> bool:
        """Whether the run is as expected."""
        return not self.misses

    @property
    def open(self) -> bool:
        """Whether it is not known if the run is as expected: nothing but doubts speaks against."""
        return bool(self.doubts) and len(self.doubts) == len(self.misses)


@dataclass(frozen=True, slots=True)
class Kind:
    """What an assertion says of a run.

    Attributes:
        says: the verdict in favour, such as `is scheduled`.
        denies: the verdict against, such as `is not scheduled`.
        statuses: where the run may stand.
        instant: the time that `when=` is about.
        recorded: whether a recording has seen it.
    """

    says: str
    denies: str
    statuses: frozenset[Status]
    instant: Callable[[Run], datetime]
    recorded: Callable[[Run, Evidence], bool]

    def holds(self, run: Run, evidence: Evidence) -> bool:
        """Whether it can be said of `run`, whatever its call."""
        seen = not evidence.recorded or self.recorded(run, evidence)
        return run.status in self.statuses and seen


def _began(run: Run) -> datetime:
    return run.tries[-1].began if run.tries else run.when


def _ended(run: Run, evidence: Evidence) -> bool:
    return evidence.within(run.ended_event)


SCHEDULED = Kind(
    "is scheduled",
    "is not scheduled",
    frozenset({"waiting"}),
    lambda run: run.when,
    lambda run, evidence: evidence.waits_since(run),
)
RAN = Kind("ran", "did not run", frozenset({"completed"}), _began, _ended)
FAILED = Kind("failed", "did not fail", frozenset({"failed"}), _began, _ended)
RETRIED = Kind(
    "was retried",
    "was not retried",
    frozenset({"waiting", "running", "completed", "failed", "cancelled", "replaced"}),
    lambda run: run.tries[0].began if run.tries else run.when,
    lambda run, evidence: bool(evidence.ended_tries(run)),
)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an assertion expects of a run.

    Attributes:
        kind: what it says of the run.
        call: which call.
        key: the key, or what it is to fit.
        when: the instant, in UTC.
        due_in: the instant, as counted from now when it was said.
        within: how far off the instant may be.
        by: who is to have scheduled it.
        error: what it is to have failed with.
        delays: how long after each failure the next attempt was to be due.
        retries: how often it was to be retried.
    """

    kind: Kind
    call: ExpectedCall
    key: object = None
    when: datetime | None = None
    due_in: timedelta | None = None
    within: timedelta = timedelta(0)
    by: By = ANYONE
    error: "ExpectedError | None" = None
    delays: tuple[timedelta, ...] | None = None
    retries: int | None = None

    def judge(self, run: Run, evidence: Evidence) -> Verdict:
        """In which respects `run` is not as expected."""
        if not evidence.is_call_of(self.call, run.call):
            return Verdict([Miss.TASK], [])
        misses: list[Miss] = []
        doubts: list[Doubt] = []
        for miss, applies in self._respects(run, evidence).items():
            try:
                if not applies():
                    continue
            except Doubt as doubt:
                doubts.append(doubt)
            misses.append(miss)
        return Verdict(misses, doubts)

    def _respects(self, run: Run, evidence: Evidence) -> dict[Miss, Callable[[], bool]]:
        key, error = run.call.key, run.error
        return {
            Miss.ARGUMENTS: lambda: not evidence.matches(self.call, run.call),
            Miss.STATUS: lambda: self._stands_elsewhere(run, evidence),
            Miss.KEY: lambda: self.key is not None and not fits(self.key, key, f"the key {key!r}"),
            Miss.BY: lambda: self.by is not ANYONE and not evidence.is_by(self.by, run),
            Miss.ERROR: lambda: self.error is not None and not self.error.fits(error),
            Miss.TIME: lambda: self.when is not None and abs(self.off_by(run)) > self.within,
            Miss.RECORDED: lambda: evidence.recorded and not self._recorded(run, evidence),
            Miss.DELAYS: lambda: not self._delays_fit(evidence.retries(run)),
        }

    def off_by(self, run: Run) -> timedelta:
        """How much later than expected the time of `run` is."""
        assert self.when is not None
        return self.kind.instant(run) - self.when

    @property
    def unretried(self) -> bool:
        """Whether it is expected that an execution was not retried."""
        return self.kind is RETRIED and (self.delays == () or self.retries == 0)

    def _stands_elsewhere(self, run: Run, evidence: Evidence) -> bool:
        if self.unretried:  # of what has not ended an attempt, nobody knows yet
            return not any(one.ended is not None for one in run.tries)
        if self.kind is RETRIED:
            return not run.delays
        return run.status not in self.kind.statuses

    def _recorded(self, run: Run, evidence: Evidence) -> bool:
        if self.kind is RETRIED and not self.unretried:
            return bool(evidence.retries(run))
        return self.kind.recorded(run, evidence)

    def _delays_fit(self, found: list[timedelta]) -> bool:
        if self.retries is not None and len(found) != self.retries:
            return False
        return self.delays is None or (
            len(found) == len(self.delays)
            and all(
                abs(one - expected) <= self.within
                for one, expected in zip(found, self.delays, strict=True)
            )
        )


@dataclass(frozen=True, slots=True)
class ExpectedError:
    """What an execution is to have failed with.

    Attributes:
        errors: its class, or what it is to fit; one of them, or anything if there are none.
        match: a regular expression to be found in its text, or `None`.
    """

    errors: tuple[object, ...]
    match: str | None

    def fits(self, error: BaseException | None) -> bool:
        """Whether `error`, or what has failed among its dependencies, is as expected.

        Raises:
            Doubt: comparing them raised.
        """
        if self.match is not None and not re.search(self.match, _text(error)):
            return False
        return settled(self.difference(error), "the error")

    def difference(self, error: BaseException | None) -> Difference | None:
        """How `error` differs from each of those that are expected."""
        found = [
            difference(expected, one) for expected in self.errors for one in _with_causes(error)
        ]
        return None if None in found or not self.errors else _doubtful(found)

    def __str__(self) -> str:
        names = " or ".join(
            one.__name__ if isinstance(one, type) else wanted(one) for one in self.errors
        )
        said = f"failed with {names}" if self.errors else "failed"
        return said if self.match is None else f"{said}, its text matching {self.match!r}"


def expected_error(error: object, match: str | None) -> ExpectedError | None:
    """What a failure is to be, or `None` where nothing is said of it."""
    if error is None:
        return None if match is None else ExpectedError((), match)
    several = isinstance(error, tuple)
    return ExpectedError(cast("tuple[object, ...]", error) if several else (error,), match)


def _text(error: BaseException | None) -> str:
    try:
        return "" if error is None else str(error)
    except Exception:  # noqa: BLE001 - a user's __str__ may raise anything
        return ""


def _with_causes(error: BaseException | None) -> list[BaseException | None]:
    """`error`, and what it is made of, where it says that dependencies have failed."""
    return [error, *(error.exceptions if isinstance(error, ResolutionFailed) else ())]


def _doubtful(found: list[Difference | None]) -> Difference | None:
    """One of several differences: where one of the alternatives is in doubt, all of it is."""
    return max(found, key=lambda one: one is not None and one.doubt is not None)
