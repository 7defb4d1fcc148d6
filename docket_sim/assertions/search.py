"""Finds the runs that are as expected, or says why there are none."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.counting import too_many, undecided, unexpected
from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.expectation import Anyone, By, Expectation, Kind, Verdict
from docket_sim.assertions.explanation import Explanation
from docket_sim.assertions.history import Run
from docket_sim.assertions.known import known_call
from docket_sim.assertions.observed import Observed
from docket_sim.clock.durations import duration_of, instant_of
from docket_sim.task import TaskFunction

What = TaskFunction | str | ExpectedCall
"""What an assertion looks for: a task, the name of one, or a call written by `call`."""

Instant = datetime | timedelta | str
"""An instant: an aware datetime, or the time since the start, such as `+1d 2h`."""

Duration = timedelta | str
"""A duration: a timedelta, or a text such as `1d 2h`."""


class Search:
    """Looks through the evidence."""

    def __init__(self, evidence: Evidence) -> None:
        """
        Args:
            evidence: what is looked at.
        """
        self._evidence = evidence

    def expectation(
        self,
        kind: Kind,
        what: What,
        key: object,
        instant: datetime | None,
        within: Duration,
        by: What | Anyone | None,
    ) -> Expectation:
        """What is expected, from what an assertion was given."""
        __tracebackhide__ = True
        scheduler: By = by if by is None or isinstance(by, Anyone) else self.call(by)
        return Expectation(
            kind,
            self.call(what),
            key=key,
            when=instant,
            within=self.tolerance(within),
            by=scheduler,
        )

    def call(self, what: What) -> ExpectedCall:
        """The call that an assertion was given, of a task that the docket may have run.

        Raises:
            UnknownTask: the name of no task.
            TypeError: no execution could ever be this call.
        """
        __tracebackhide__ = True
        return known_call(what, self._evidence)

    def tolerance(self, within: Duration) -> timedelta:
        """How far off a time may be.

        Raises:
            ValueError: it is negative.
        """
        __tracebackhide__ = True
        tolerance = duration_of(within)
        if tolerance < timedelta(0):
            raise ValueError(f"within= is a tolerance: expected 0 or more, found {within!r}")
        return tolerance

    def instant(self, when: Instant | None, due_in: Duration | None = None) -> datetime | None:
        """The instant that an assertion was given, one way or the other."""
        __tracebackhide__ = True
        if when is not None and due_in is not None:
            raise TypeError("give when= or due_in=, not both")
        if due_in is not None:
            return self._evidence.now + duration_of(due_in)
        return None if when is None else instant_of(when, self._evidence.clock.start)

    def expect(self, expectation: Expectation, times: int | None) -> Observed | list[Observed]:
        """The one match, or the list of as many as are expected.

        Raises:
            AssertionError: there are more, or fewer.
        """
        __tracebackhide__ = True
        if times is not None and (not isinstance(times, int) or times < 0):
            raise ValueError(f"times= counts matches: expected 0 or more, found {times!r}")
        judged = self._judged(expectation)
        matches = [run for run, verdict in judged if verdict.fits]
        if not matches and times != 0:
            raise AssertionError(self._explanation(expectation, judged))
        if len(matches) != (1 if times is None else times):
            raise AssertionError(too_many(expectation, self._evidence, matches, times))
        self._refuse_doubts(expectation, judged)
        found = [self.observe(run) for run in matches]
        return found[0] if times is None else found

    def expect_none(self, expectation: Expectation) -> None:
        """Nothing is as expected.

        Raises:
            AssertionError: something is, or nobody knows.
        """
        __tracebackhide__ = True
        judged = self._judged(expectation)
        matches = [run for run, verdict in judged if verdict.fits]
        if matches:
            raise AssertionError(unexpected(expectation, self._evidence, matches))
        self._refuse_doubts(expectation, judged)

    def matches(self, expectation: Expectation) -> list[Run]:
        """The runs that are as expected."""
        return [run for run, verdict in self._judged(expectation) if verdict.fits]

    def _judged(self, expectation: Expectation) -> list[tuple[Run, Verdict]]:
        evidence = self._evidence
        return [(run, expectation.judge(run, evidence)) for run in evidence.runs]

    def _refuse_doubts(
        self, expectation: Expectation, judged: Sequence[tuple[Run, Verdict]]
    ) -> None:
        """Where it is not known of some run whether it is a match, their number is not known."""
        __tracebackhide__ = True
        runs = [run for run, verdict in judged if verdict.open]
        if runs:
            error = next(verdict.doubts[0].error for _, verdict in judged if verdict.open)
            raise AssertionError(undecided(expectation, self._evidence, runs, error)) from error

    def observe(self, run: Run) -> Observed:
        """What is to be seen of `run` now; it counts as seen."""
        self._evidence.note_seen(run)
        return Observed.of(run, self._evidence)

    def _explanation(self, expectation: Expectation, judged: Sequence[tuple[Run, Verdict]]) -> str:
        evidence = self._evidence
        touched = [(run, verdict.misses) for run, verdict in judged if evidence.touched(run)]
        return Explanation(expectation, evidence, touched).text()
