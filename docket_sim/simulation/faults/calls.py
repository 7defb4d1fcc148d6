"""`StoreCall`: one call of the store, as it passes from a worker to the store and back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from docket_sim.execution import Record, Settlement, TaskCall
from docket_sim.simulation.faults.hosts import Host
from docket_sim.store import Claim, Claimed

Verb = Literal[
    "submit", "submit_many", "claim", "renew", "settle", "cancel", "get", "snapshot", "clear"
]
"""The verbs of a store that can be disturbed."""

VERBS: tuple[Verb, ...] = (
    "submit",
    "submit_many",
    "claim",
    "renew",
    "settle",
    "cancel",
    "get",
    "snapshot",
    "clear",
)


@dataclass(eq=False, slots=True)
class StoreCall:
    """One call of the store.

    Attributes:
        verb: what was asked.
        host: the machine that asked, or `None` for the test's own code.
        at: when it was asked, in microseconds of virtual time since the start.
        calls: the calls submitted.
        replace: whether they are to take the place of what is scheduled under their keys.
        claims: the claims renewed or settled.
        settlement: what was decided, for `settle`.
        key: the key, for `cancel` and `get`.
        limit: how much is to be claimed at most, for `claim`.
        lease: for how long, for `claim` and `renew`.
        given_up: whether the claim was given up instead, to be delivered once more.
        answered_at: when it was applied, in microseconds, or `None` if it never was.
        answer: what the store answered, whether or not that reached who asked.
        fate: what was done to it, in words; empty when nothing was.
    """

    verb: Verb
    host: Host | None
    at: int
    calls: Sequence[TaskCall] = ()
    replace: bool = False
    claims: Sequence[Claim] = ()
    settlement: Settlement | None = None
    key: str | None = None
    limit: int | None = None
    lease: timedelta | None = None
    given_up: bool = False
    answered_at: int | None = None
    answer: Any = None
    fate: list[str] = field(default_factory=list[str])

    @property
    def lane(self) -> str:
        """Where it came from: the machine's place in the crew, or `test`."""
        return "test" if self.host is None else self.host.lane

    def subjects(self) -> Iterable[TaskCall]:
        """The calls that it is about, as far as they are known by now."""
        yield from self.calls
        for claim in self.claims:
            yield claim.call
        if isinstance(self.answer, Claimed):
            for claim in self.answer.claims:
                yield claim.call
        elif isinstance(self.answer, Record):
            yield self.answer.call

    @property
    def idle(self) -> bool:
        """Whether nothing was at stake: a claim that found nothing to claim."""
        return isinstance(self.answer, Claimed) and not self.answer.claims
