"""The assertions: of a whole simulation, or of what one block of a test has caused."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import overload

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.chains import Chains, expected_gap
from docket_sim.assertions.counting import something
from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.expectation import (
    ANYONE,
    FAILED,
    RAN,
    RETRIED,
    SCHEDULED,
    Anyone,
    expected_error,
)
from docket_sim.assertions.graphs import Graph
from docket_sim.assertions.observed import Observed
from docket_sim.assertions.search import Duration, Instant, Search, What
from docket_sim.assertions.values import safe_repr
from docket_sim.clock.durations import duration_of

_MOMENT = timedelta(0)
_SHORTEST_CHAIN = 2


class Assertions:
    """What can be asserted of the work that was scheduled and of what became of it.

    Each assertion looks for exactly one match, unless `times=` says how many, and returns what it
    has found: an `Observed`, or a list of them. Times are exact, unless `within=` says otherwise.

    The filters that several of them share:

    - `key`: the key, or what it is to fit: a predicate, or an object with an `==` of its own;
    - `due_in`: how long from now it is due;
    - `when`: the instant when it is due; for what ran, when its last attempt began;
    - `within`: how far off that may be, earlier or later;
    - `times`: how many matches there are to be;
    - `by`: who has scheduled it: a task, a call, or `None` for the test itself.

    Attributes:
        evidence: what is looked at.

    Raises (all of them):
        AssertionError: it is not so, and the message names what comes closest; or comparing raised,
            so that it is not known.
        TypeError: what is looked for is no task, name or call, or one that can never be.
        UnknownTask: it is the name of no task.
        ValueError: a negative tolerance.
    """

    def __init__(self, evidence: Evidence) -> None:
        """
        Args:
            evidence: what is looked at.
        """
        self.evidence = evidence
        self._search = Search(evidence)

    # What waits.

    @overload
    def assert_scheduled(
        self,
        what: What,
        /,
        *,
        key: object = None,
        due_in: Duration | None = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: None = None,
    ) -> Observed: ...
    @overload
    def assert_scheduled(
        self,
        what: What,
        /,
        *,
        key: object = None,
        due_in: Duration | None = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: int,
    ) -> list[Observed]: ...
    def assert_scheduled(
        self,
        what: What,
        /,
        *,
        key: object = None,
        due_in: Duration | None = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: int | None = None,
    ) -> Observed | list[Observed]:
        """Something waits to be run: for its time, for a worker, or for its next attempt.

        What runs, or has ended, is not scheduled any more.
        """
        __tracebackhide__ = True
        expectation = self._search.expectation(
            SCHEDULED, what, key, self._search.instant(when, due_in), within, by
        )
        return self._search.expect(expectation, times)

    def assert_not_scheduled(
        self,
        what: What,
        /,
        *,
        key: object = None,
        due_in: Duration | None = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
    ) -> None:
        """Nothing of the kind waits to be run."""
        __tracebackhide__ = True
        expectation = self._search.expectation(
            SCHEDULED, what, key, self._search.instant(when, due_in), within, by
        )
        self._search.expect_none(expectation)

    def assert_nothing_scheduled(self) -> None:
        """Nothing at all waits to be run."""
        __tracebackhide__ = True
        waiting = [run for run in self.evidence.waiting() if self.evidence.waits_since(run)]
        if waiting:
            raise AssertionError(something(self.evidence, waiting))

    # What has ended.

    @overload
    def assert_ran(
        self,
        what: What,
        /,
        *,
        key: object = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: None = None,
    ) -> Observed: ...
    @overload
    def assert_ran(
        self,
        what: What,
        /,
        *,
        key: object = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: int,
    ) -> list[Observed]: ...
    def assert_ran(
        self,
        what: What,
        /,
        *,
        key: object = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: int | None = None,
    ) -> Observed | list[Observed]:
        """Something ran and succeeded, at whichever attempt; each run of a perpetual counts."""
        __tracebackhide__ = True
        expectation = self._search.expectation(
            RAN, what, key, self._search.instant(when), within, by
        )
        return self._search.expect(expectation, times)

    @overload
    def assert_failed(
        self,
        what: What,
        /,
        *,
        error: object = None,
        match: str | None = None,
        key: object = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: None = None,
    ) -> Observed: ...
    @overload
    def assert_failed(
        self,
        what: What,
        /,
        *,
        error: object = None,
        match: str | None = None,
        key: object = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: int,
    ) -> list[Observed]: ...
    def assert_failed(
        self,
        what: What,
        /,
        *,
        error: object = None,
        match: str | None = None,
        key: object = None,
        when: Instant | None = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
        times: int | None = None,
    ) -> Observed | list[Observed]:
        """Something ended failed, for good; the test need not acknowledge that any more.

        Args:
            error: the class of the error, or several, or a predicate. Where dependencies have
                failed, which is a `ResolutionFailed`, it may also be what one of them raised.
            match: a regular expression to be found in the error's text, as for `pytest.raises`.
        """
        __tracebackhide__ = True
        expectation = self._search.expectation(
            FAILED, what, key, self._search.instant(when), within, by
        )
        expectation = replace(expectation, error=expected_error(error, match))
        found = self._search.expect(expectation, times)
        for run in self._search.matches(expectation):
            self.evidence.acknowledge(run)
        return found

    def assert_retried(
        self,
        what: What,
        /,
        *,
        delays: Sequence[Duration] | None = None,
        times: int | None = None,
        key: object = None,
        within: Duration = _MOMENT,
        by: What | Anyone | None = ANYONE,
    ) -> Observed:
        """One execution was retried.

        Args:
            delays: how long after each failure the next attempt was due, in order: all of them.
            times: how often it was retried; 0 is an execution that was not, though an attempt at it
                has ended.
            within: how far off each delay may be.
        """
        __tracebackhide__ = True
        expectation = self._search.expectation(RETRIED, what, key, None, within, by)
        wanted = None if delays is None else tuple(duration_of(one) for one in delays)
        found = self._search.expect(replace(expectation, delays=wanted, retries=times), None)
        assert isinstance(found, Observed)
        return found

    # Who scheduled whom.

    def assert_chain(
        self,
        *steps: What,
        gaps: Sequence[object] | None = None,
        within: Duration = _MOMENT,
        times: int | None = None,
    ) -> list[Observed] | list[list[Observed]]:
        """Each of these calls has scheduled the next one, whatever became of them.

        Of a perpetual, each run may have.

        Args:
            steps: two calls or more, in order.
            gaps: for each step after the first, how long after it was scheduled it was due: a
                duration, or a predicate, or `None` where it does not matter.
            within: how far off each gap may be.
            times: how many such chains there are to be; the answer then is a list of chains.
        """
        __tracebackhide__ = True
        expected = [self._search.call(step) for step in steps]
        if len(expected) < _SHORTEST_CHAIN:
            raise TypeError(f"a chain has two calls or more, found {len(expected)}")
        if gaps is not None and len(gaps) != len(expected) - 1:
            raise TypeError(
                f"a chain of {len(expected)} calls has {len(expected) - 1} gaps, "
                f"found {len(gaps)}: {safe_repr(gaps)}"
            )
        tolerance = self._search.tolerance(within)
        chains = Chains(
            self.evidence,
            expected,
            None if gaps is None else [expected_gap(one, tolerance) for one in gaps],
        )
        if not chains.found and times != 0:
            raise AssertionError(chains.text())
        if len(chains.found) != (1 if times is None else times):
            raise AssertionError(chains.other_count(times))
        found = [[self._search.observe(run) for run in chain] for chain in chains.found]
        return found[0] if times is None else found

    def assert_graph(
        self, edges: Mapping[What, Sequence[What]]
    ) -> dict[ExpectedCall, list[Observed]]:
        """Each of these calls has scheduled just those that are listed for it, in any order.

        What is listed for several parents is one execution that all of them have asked for, be it
        that the key was taken when the others did. What is no key of `edges` may have scheduled
        anything; what is one must have begun. Of a perpetual, each run that has begun counts.

        Args:
            edges: for each parent its children: `{split: [part, part], part: [merge]}`.
        """
        __tracebackhide__ = True
        named: list[ExpectedCall] = []

        def pattern(what: What) -> ExpectedCall:
            wanted = self._search.call(what)
            named.append(next((one for one in named if one.same_as(wanted)), wanted))
            return named[-1]

        graph = Graph(
            self.evidence,
            {pattern(parent): [pattern(child) for child in edges[parent]] for parent in edges},
        )
        graph.check()
        return {
            wanted: [self._search.observe(run) for run in runs]
            for wanted, runs in graph.found.items()
        }
