"""What a campaign amounts to, in figures."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from chaos.crew import Crew
from chaos.ledger import Ledger, Wrong

_KINDS = ("lost", "settled twice", "early", "over budget", "disorder")


@dataclass(slots=True)
class Report:
    """How a campaign went.

    Attributes:
        scenario, seed: which one it was.
        figures: what has been counted, by its name.
        wrongs: what must not be.
        histories: what is known of the keys that are concerned, a few lines each.
        drained_in: how many seconds after the last fault all work was done; None if it never was.
    """

    scenario: str
    seed: int
    figures: dict[str, int] = field(default_factory=dict)
    wrongs: list[Wrong] = field(default_factory=list)
    histories: dict[str, list[str]] = field(default_factory=dict)
    drained_in: float | None = None

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.wrongs

    def table(self) -> str:
        """The figures, one a line, and what is wrong."""
        drained = "never" if self.drained_in is None else f"{self.drained_in:.1f} s"
        lines = [f"{self.scenario}, seed {self.seed}"]
        lines += [f"  {name:<34}{count:>9,}" for name, count in self.figures.items()]
        found = Counter(wrong.kind for wrong in self.wrongs)
        lines += [f"  {kind:<34}{found[kind]:>9,}" for kind in _KINDS]
        lines.append(f"  {'drained within':<34}{drained:>9}")
        return "\n".join([*lines, *self._complaint()])

    def _complaint(self) -> list[str]:
        if self.passed:
            return []
        lines = [f"  WRONG, with seed {self.seed}:"]
        lines += [f"    {wrong}" for wrong in self.wrongs[:50]]
        for key, history in list(self.histories.items())[:5]:
            lines += [f"  what is known of {key}:", *(f"    {line}" for line in history)]
        return lines


def figures_of(ledger: Ledger, crew: Crew, *, unknown: int, cuts: int) -> dict[str, int]:
    """What can be counted in the books."""
    whats = Counter(entry.what for entry in ledger.entries)
    redelivered = sum(
        entry.what == "started" and entry.detail["delivery"] > 1 for entry in ledger.entries
    )
    states = Counter(ended.state.value for ended in ledger.ended.values())
    figures = {
        "executions": len(ledger.ended),
        **{f"  {state}": count for state, count in sorted(states.items())},
        "bodies begun": whats["begin"],
        "retries": whats["retried"],
        "redeliveries": redelivered,
        "settlements refused, lease lost": whats["leaselost"],
        "settlements void, replaced": whats["superseded"],
        "calls without an answer": unknown,
        "kills": crew.kills,
        "pauses": crew.pauses,
        "disconnects on the way": cuts,
    }
    if ledger.fail_overs:
        figures["fail-overs"] = len(ledger.fail_overs)
        figures["lost by replication"] = len(ledger.lost_by_replication)
        figures["settled again after fail-over"] = len(ledger.undone_by_replication)
    return figures


def histories_of(ledger: Ledger, wrongs: Sequence[Wrong]) -> dict[str, list[str]]:
    """What is known of the keys that are concerned."""
    keys = dict.fromkeys(wrong.key for wrong in wrongs if wrong.key)
    return {key: ledger.history(key) for key in list(keys)[:5]}
