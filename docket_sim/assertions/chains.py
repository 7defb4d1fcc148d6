"""Chains: each call was scheduled by the one before it, as it was observed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.evidence import Evidence, Link, place
from docket_sim.assertions.history import Run
from docket_sim.assertions.tree import tree
from docket_sim.assertions.values import fits, wanted
from docket_sim.assertions.wording import Lines, composed, listed
from docket_sim.clock.durations import duration_of, short
from docket_sim.entropy import short_key

Gap = Callable[[timedelta], bool]


@dataclass(frozen=True, slots=True)
class ExpectedGap:
    """How long after it was scheduled a link of a chain is to be due."""

    fits: Gap
    words: str


def expected_gap(written: object, within: timedelta) -> ExpectedGap:
    """A gap as an assertion writes it: a duration, something that accepts one, or `None`.

    Raises:
        TypeError: a number, which has no unit.
    """
    if written is None:
        return ExpectedGap(lambda _: True, "any")
    if isinstance(written, timedelta | str | int | float):
        written = cast("timedelta | str", written)  # a number is refused there
        duration = duration_of(written)
        give = f" give or take {short(within)}" if within else ""
        return ExpectedGap(lambda gap: abs(gap - duration) <= within, f"{short(duration)}{give}")
    return ExpectedGap(lambda gap: fits(written, gap, "the gap"), wanted(written))


class Chains:
    """The chains of calls, each scheduled by the one before it, that are as expected."""

    def __init__(
        self,
        evidence: Evidence,
        steps: Sequence[ExpectedCall],
        gaps: Sequence[ExpectedGap] | None,
    ) -> None:
        self._evidence = evidence
        self._steps = steps
        self._gaps = gaps
        self.found = [chain for root in self._roots() for chain in self._follow([root])]

    def text(self) -> str:
        """Why there is none."""
        longest = self._longest()
        if not longest:
            return self._no_beginning()
        last, wanted = longest[-1], self._steps[len(longest)]
        links = [link for _, link in self._links(last)]
        for link in links:
            if self._evidence.matches(wanted, link.child.call) and link.dropped:
                return self._dropped(longest, link)
            if self._evidence.matches(wanted, link.child.call):
                return self._other_gap(longest, link)
        return self._no_link(longest, wanted, links)

    def other_count(self, times: int | None) -> str:
        """Why there are more, or fewer, than there are to be."""
        count = len(self.found)
        chain = " → ".join(repr(step) for step in self._steps)
        rows = [" → ".join(self._evidence.describe(run) for run in one) for one in self.found]
        lines: Lines = [("now", self._evidence.present()), ("found", listed(rows))]
        if times is None:
            lines.append(("say", f"times={count} expects that many; or narrow it down: call(...)"))
        expected = "one" if times is None else str(times)
        chains = "1 chain is" if count == 1 else f"{count} chains are"
        return composed(f"{chains} {chain}, expected {expected}", lines)

    # Looking for them.

    def _roots(self) -> Iterator[Run]:
        evidence = self._evidence
        for run in evidence.runs:
            begun = run.first and any(map(evidence.touched, evidence.going_on(run)))
            if begun and evidence.matches(self._steps[0], run.call):
                yield run

    def _links(self, run: Run) -> Iterator[tuple[Run, Link]]:
        """What `run` has scheduled, and the next runs of it; each with the run that did."""
        for one in self._evidence.going_on(run):
            for link in self._evidence.links_of(one):
                yield one, link

    def _follow(self, chain: list[Run]) -> Iterator[list[Run]]:
        if len(chain) == len(self._steps):
            yield chain
            return
        for parent, link in self._links(chain[-1]):
            if self._fits(link, len(chain)):
                yield from self._follow([*chain[:-1], parent, link.child])

    def _fits(self, link: Link, place_in_chain: int) -> bool:
        if link.dropped or not self._evidence.matches(self._steps[place_in_chain], link.child.call):
            return False
        gap = link.child.due - link.at
        return self._gaps is None or self._gaps[place_in_chain - 1].fits(gap)

    def _longest(self) -> list[Run]:
        """The beginning of a chain that goes furthest."""
        best: list[Run] = []
        waiting = [[root] for root in self._roots()]
        while waiting:
            chain = waiting.pop(0)
            if len(chain) > len(best):
                best = chain
            if len(chain) < len(self._steps):
                waiting += [
                    [*chain[:-1], parent, link.child]
                    for parent, link in self._links(chain[-1])
                    if self._fits(link, len(chain))
                ]
        return best

    # Words.

    def _no_beginning(self) -> str:
        first = self._steps[0]
        return self._message(
            f"the chain has no beginning: {first!r} {self._evidence.never()}",
            [("found", listed(self._evidence.descriptions()))],
        )

    def _other_gap(self, chain: Sequence[Run], link: Link) -> str:
        gap, expected = link.child.due - link.at, (self._gaps or ())[len(chain) - 1]
        parent, child = map(self._evidence.describe, (chain[-1], link.child))
        verdict = f"{parent} scheduled {child}, but for another time"
        return self._message(
            verdict,
            [
                ("gap", f"expected {expected.words}, found {short(gap)}   at {place(link.source)}"),
                ("found", tree(self._evidence, chain[0])),
            ],
        )

    def _dropped(self, chain: Sequence[Run], link: Link) -> str:
        verdict = (
            f"{self._evidence.describe(chain[-1])} asked for {self._steps[len(chain)]!r}, "
            f"but it was dropped as a duplicate"
        )
        holder = (
            f"key {short_key(link.child.call.key)} belongs to {self._evidence.describe(link.child)}"
        )
        return self._message(
            verdict,
            [
                ("dropped", f"{holder}\n{self._evidence.scheduler(link.child)}"),
                ("found", tree(self._evidence, chain[0])),
            ],
        )

    def _no_link(self, chain: Sequence[Run], wanted: ExpectedCall, links: Sequence[Link]) -> str:
        parent = self._evidence.describe(chain[-1])
        elsewhere = [
            run
            for run in self._evidence.runs
            if run.first and self._evidence.matches(wanted, run.call)
        ]
        if elsewhere:
            verdict = f"{wanted!r} was scheduled, but not by {parent}"
        elif any(self._evidence.is_call_of(wanted, link.child.call) for link in links):
            verdict = f"{parent} scheduled {wanted.name}, but with other arguments"
        elif links:
            verdict = f"{parent} did not schedule {wanted!r}, only other tasks"
        elif chain[-1].status in ("completed", "failed"):
            verdict = f"{parent} did not schedule {wanted!r}, nor anything else"
        else:
            verdict = (
                f"{parent} has not scheduled {wanted!r} yet: {self._evidence.status(chain[-1])}"
            )
        lines: Lines = [
            ("instead", self._evidence.scheduler(run).removeprefix("scheduled "))
            for run in elsewhere[:1]
        ]
        differences = [
            str(difference)
            for link in links
            if self._evidence.is_call_of(wanted, link.child.call)
            for difference in wanted.differences(self._evidence.arguments(link.child.call))
        ]
        if differences and not elsewhere:
            lines.append(("differs", listed(differences)))
        return self._message(verdict, [*lines, ("found", tree(self._evidence, chain[0]))])

    def _message(self, verdict: str, lines: Lines) -> str:
        chain = " → ".join(repr(step) for step in self._steps)
        return composed(
            verdict,
            [
                ("now", self._evidence.present()),
                ("expected", chain),
                *lines,
                ("next due", self._evidence.next_due()),
            ],
        )
