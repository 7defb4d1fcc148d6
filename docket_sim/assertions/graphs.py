"""Graphs: who scheduled whom, fan-out and fan-in included, as it was observed."""

from collections.abc import Callable, Mapping, Sequence

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.evidence import Evidence, Link
from docket_sim.assertions.history import Run
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

    def problem(self) -> str | None:
        """What is not as expected, or `None`."""
        for parent, children in self._edges.items():
            runs = [
                run
                for run in self._evidence.runs
                if run.first and self._evidence.matches(parent, run.call)
            ]
            if not runs:
                return self._missing(parent)
            self.found[parent] = runs
            for run in runs:
                problem = self._compare(run, children)
                if problem is not None:
                    return problem
        return None

    def _compare(self, parent: Run, expected: Sequence[ExpectedCall]) -> str | None:
        links = self._evidence.links_of(parent)
        taken = _paired(expected, links, lambda e, k: self._evidence.matches(e, k.child.call))
        missing = [one for place_, one in enumerate(expected) if place_ not in taken]
        extra = [link for number, link in enumerate(links) if number not in taken.values()]
        if missing or extra:
            return self._other_children(parent, missing, extra)
        for pattern in dict.fromkeys(expected):
            children = [
                links[number].child for at, number in taken.items() if expected[at] is pattern
            ]
            before = self._joined.setdefault(pattern, children)
            if sorted(map(id, before)) != sorted(map(id, children)):
                return self._not_joined(pattern, [*before, *children])
            self.found[pattern] = children
        return None

    def _missing(self, parent: ExpectedCall) -> str:
        rows = [self._evidence.describe(run) for run in self._evidence.runs if run.first]
        return self._message(
            f"{parent!r} was never scheduled",
            [("found", listed(rows) if rows else "nothing was ever scheduled")],
        )

    def _other_children(
        self, parent: Run, missing: Sequence[ExpectedCall], extra: Sequence[Link]
    ) -> str:
        said: list[str] = []
        if missing:
            said.append(f"did not schedule {', '.join(map(repr, missing))}")
        if extra:
            named = ", ".join(self._evidence.describe(link.child) for link in extra)
            said.append(f"{'but' if missing else 'also scheduled'} {named}")
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


def _paired(
    expected: Sequence[ExpectedCall],
    links: Sequence[Link],
    fits: Callable[[ExpectedCall, Link], bool],
) -> dict[int, int]:
    """As many places of `expected` as can be, each with a link of its own (augmenting paths)."""
    owner: dict[int, int] = {}

    def place_it(one: int, tried: set[int]) -> bool:
        for number, link in enumerate(links):
            if number in tried or not fits(expected[one], link):
                continue
            tried.add(number)
            if number not in owner or place_it(owner[number], tried):
                owner[number] = one
                return True
        return False

    for one in range(len(expected)):
        place_it(one, set())
    return {one: number for number, one in owner.items()}
