"""What an assertion expects of one run, and in which respects a run is not like that."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, IntEnum
from typing import cast

from docket_sim.assertions.calls import ExpectedCall, fits, wanted
from docket_sim.assertions.evidence import Evidence, key_fits
from docket_sim.assertions.history import Run, Status


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
    DELAYS = 7


@dataclass(frozen=True, slots=True)
class Kind:
    """What an assertion says of a run.

    Attributes:
        says: the verdict in favour, such as `is scheduled`.
        denies: the verdict against, such as `is not scheduled`.
        statuses: where the run may stand.
        instant: the time that `when=` is about.
        event: the number of the event that places the run in a recording.
    """

    says: str
    denies: str
    statuses: frozenset[Status]
    instant: Callable[[Run], datetime]
    event: Callable[[Run], int | None]


def _began(run: Run) -> datetime:
    return run.tries[-1].began if run.tries else run.when


SCHEDULED = Kind(
    "is scheduled",
    "is not scheduled",
    frozenset({"waiting"}),
    lambda run: run.when,
    lambda run: run.began_event,
)
RAN = Kind("ran", "did not run", frozenset({"completed"}), _began, lambda run: run.ended_event)
FAILED = Kind("failed", "did not fail", frozenset({"failed"}), _began, lambda run: run.ended_event)
RETRIED = Kind(
    "was retried",
    "was not retried",
    frozenset({"waiting", "running", "completed", "failed", "cancelled", "replaced"}),
    lambda run: run.tries[0].began if run.tries else run.when,
    lambda run: run.began_event,
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

    def misses(self, run: Run, evidence: Evidence) -> list[Miss]:
        """In which respects `run` is not as expected, the gravest first."""
        if not evidence.is_call_of(self.call, run.call):
            return [Miss.TASK]
        wrong = {
            Miss.ARGUMENTS: not evidence.matches(self.call, run.call),
            Miss.STATUS: self._stands_elsewhere(run),
            Miss.KEY: not key_fits(self.key, run.call.key),
            Miss.BY: self.by is not ANYONE and not evidence.is_by(self.by, run),
            Miss.ERROR: self.error is not None and not self.error.fits(run.error),
            Miss.TIME: self.when is not None and abs(self.off_by(run)) > self.within,
            Miss.DELAYS: not self._delays_fit(run),
        }
        return [miss for miss, applies in wrong.items() if applies]

    def off_by(self, run: Run) -> timedelta:
        """How much later than expected the time of `run` is."""
        assert self.when is not None
        return self.kind.instant(run) - self.when

    def _stands_elsewhere(self, run: Run) -> bool:
        if self.kind is RETRIED:
            return not run.delays and self.delays != () and self.retries != 0
        return run.status not in self.kind.statuses

    def _delays_fit(self, run: Run) -> bool:
        if self.retries is not None and len(run.delays) != self.retries:
            return False
        return self.delays is None or (
            len(run.delays) == len(self.delays)
            and all(
                abs(found - expected) <= self.within
                for found, expected in zip(run.delays, self.delays, strict=True)
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
        """Whether `error` is as expected."""
        if self.match is not None and not re.search(self.match, _text(error)):
            return False
        return not self.errors or any(fits(one, error) for one in self.errors)

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
