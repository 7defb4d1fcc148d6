"""Graphs: who scheduled whom, fan-out and fan-in included, as it was observed."""

from collections.abc import Mapping, Sequence

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.history import Run
from docket_sim.assertions.pairing import Pairing
from docket_sim.assertions.tree import tree
from docket_sim.assertions.wording import Lines, composed, listed
from docket_sim.entropy import short_key


class Graph:
    """A graph of who scheduled whom, compared with what was observed.

    A pattern in the list of a parent stands for one execution, each time that it is named there; in
    the lists of several parents it stands for the same one.
    """

    def __init__(
        self, evidence: Evidence, edges: Mapping[ExpectedCall, Sequence[ExpectedCall]]
    ) -> None:
        self._evidence = evidence
        self._edges = edges
        self.found: dict[ExpectedCall, list[Run]] = {}
        self._joined: dict[ExpectedCall, list[Run]] = {}

    def check(self) -> None:
        """Compare.

        Raises:
            AssertionError: something is not as expected.
        """
        __tracebackhide__ = True
        for parent, children in self._edges.items():
            runs = self._begun(parent)
            self.found[parent] = runs
            for execution in _executions(runs):
                self._join(self._children(execution, children))

    def _begun(self, parent: ExpectedCall) -> list[Run]:
        """The runs of `parent` that may have scheduled something: the next runs have yet to."""
        __tracebackhide__ = True
        evidence = self._evidence
        runs = [
            run
            for run in evidence.runs
            if evidence.touched(run) and evidence.matches(parent, run.call)
        ]
        if not runs:
            raise AssertionError(self._missing(parent))
        for run in runs:
            if run.first and not evidence.tries(run) and (evidence.recorded or run.ended is None):
                raise AssertionError(self._not_begun(run))
        return [run for run in runs if run.first or evidence.tries(run)]

    def _children(
        self, execution: Sequence[Run], expected: Sequence[ExpectedCall]
    ) -> dict[ExpectedCall, list[Run]]:
        """The children of an execution by pattern: of a perpetual, each run has its own."""
        __tracebackhide__ = True
        found: dict[ExpectedCall, list[Run]] = {pattern: [] for pattern in expected}
        for run in execution:
            # What was asked for twice under one key is one child.
            links = list({id(link.child): link for link in self._evidence.links_of(run)}.values())
            pairing = Pairing(expected, links, lambda e, k: self._evidence.matches(e, k.child.call))
            missing = pairing.missing()
            extra = pairing.besides(lambda link: self._evidence.describe(link.child))
            if missing or extra:
                raise AssertionError(self._other_children(run, missing, extra))
            for place_, number in pairing.taken.items():
                found[expected[place_]].append(links[number].child)
        return found

    def _join(self, children: Mapping[ExpectedCall, list[Run]]) -> None:
        """Note the children of an execution: other parents have the same under that pattern."""
        __tracebackhide__ = True
        for pattern, runs in children.items():
            before = self._joined.setdefault(pattern, runs)
            if set(before) != set(runs):
                raise AssertionError(self._not_joined(pattern, [*before, *runs]))
            self.found[pattern] = runs

    def _missing(self, parent: ExpectedCall) -> str:
        return self._message(
            f"{parent!r} {self._evidence.never()}",
            [("found", listed(self._evidence.descriptions()))],
        )

    def _not_begun(self, run: Run) -> str:
        while_recorded = " while it was recorded" if self._evidence.recorded else ""
        return self._message(
            f"{self._evidence.describe(run)} did not begin{while_recorded}, so nobody knows what "
            f"it schedules",
            [("found", f"{self._evidence.describe(run)}   {self._evidence.status(run)}")],
        )

    def _other_children(self, parent: Run, missing: Sequence[str], extra: Sequence[str]) -> str:
        said: list[str] = []
        if missing:
            said.append(f"did not schedule {', '.join(missing)}")
        if extra:
            said.append(f"{'but' if missing else 'also scheduled'} {', '.join(extra)}")
        verdict = f"{self._evidence.describe(parent)} {', '.join(said)}"
        return self._message(verdict, [("found", tree(self._evidence, parent))])

    def _not_joined(self, pattern: ExpectedCall, runs: Sequence[Run]) -> str:
        distinct = list(dict.fromkeys(runs))
        rows = [
            f"{self._evidence.describe(run)}, key {short_key(run.call.key)}, "
            f"{self._evidence.scheduler(run)}"
            for run in distinct
        ]
        return self._message(
            f"{pattern!r} was to be one execution that its parents share, found {len(distinct)}",
            [("found", listed(rows))],
        )

    def _message(self, verdict: str, lines: Lines) -> str:
        rows = [
            f"{parent!r} → {', '.join(map(repr, children)) or 'nothing'}"
            for parent, children in self._edges.items()
        ]
        return composed(
            verdict,
            [
                ("now", self._evidence.present()),
                ("expected", "\n".join(rows)),
                *lines,
                ("next due", self._evidence.next_due()),
            ],
        )


def _executions(runs: Sequence[Run]) -> list[list[Run]]:
    """`runs`, those of one execution together."""
    found: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        found.setdefault((run.call.key, run.call.generation), []).append(run)
    return list(found.values())
