"""Finds the runs that are as expected, or says why there are none."""

from datetime import datetime, timedelta

from docket_sim.assertions.calls import ExpectedCall, expected_call
from docket_sim.assertions.counting import too_many
from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.expectation import Anyone, By, Expectation, Kind
from docket_sim.assertions.explanation import Explanation
from docket_sim.assertions.history import Run
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
        scheduler: By = by if by is None or isinstance(by, Anyone) else expected_call(by)
        return Expectation(
            kind,
            expected_call(what),
            key=key,
            when=instant,
            within=duration_of(within),
            by=scheduler,
        )

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
        matches = self.matches(expectation)
        if not matches and times != 0:
            raise AssertionError(self._explanation(expectation))
        if len(matches) != (1 if times is None else times):
            raise AssertionError(too_many(expectation, self._evidence, matches, times))
        found = [self.observe(run) for run in matches]
        return found[0] if times is None else found

    def matches(self, expectation: Expectation) -> list[Run]:
        """The runs that are as expected."""
        evidence = self._evidence
        return [
            run
            for run in evidence.runs
            if evidence.within(expectation.kind.event(run))
            and not expectation.misses(run, evidence)
        ]

    def observe(self, run: Run) -> Observed:
        """What is to be seen of `run` now; it counts as seen."""
        self._evidence.note_seen(run)
        return Observed.of(run, self._evidence)

    def _explanation(self, expectation: Expectation) -> str:
        evidence = self._evidence
        touched = [
            (run, misses)
            for run in evidence.runs
            if (evidence.within(run.began_event) or evidence.within(run.ended_event))
            and (misses := expectation.misses(run, evidence))
        ]
        return Explanation(expectation, evidence, touched).text()
