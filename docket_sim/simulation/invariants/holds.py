"""Who holds what, as told by the answers of the store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.store import Claim, Claimed, Renewal, Settled

_MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Hold:
    """A claim that was given, and has not been settled.

    Attributes:
        fence: that of the claim.
        worker: who has it.
        until: when it may be taken over, in microseconds of virtual time since the start.
    """

    fence: int
    worker: str
    until: int


class Holds:
    """The claims that were given and have not been settled; of each key, the last one."""

    def __init__(self) -> None:
        self._by_key: dict[str, Hold] = {}

    def on(self, key: str) -> Hold | None:
        """The last claim that was given on `key`, unless it was settled."""
        return self._by_key.get(key)

    def in_force(self, claim: Claim) -> bool:
        """Whether `claim` is the last one that was given on its key, and was not settled."""
        hold = self._by_key.get(claim.call.key)
        return hold is not None and hold.fence == claim.fence

    # Told of the store's answers.

    def claimed(self, call: StoreCall, answer: Claimed) -> None:
        """A worker has claimed."""
        for claim in answer.claims:
            self._by_key[claim.call.key] = Hold(claim.fence, claim.worker, end_of_lease(call))

    def renewed(self, call: StoreCall, answer: Renewal) -> None:
        """A worker has renewed its leases."""
        for claim in call.claims:
            if claim.fence not in answer.lost and self.in_force(claim):
                self._by_key[claim.call.key].until = end_of_lease(call)

    def settled(self, call: StoreCall, _: Settled) -> None:
        """An attempt was settled, or is delivered once more."""
        claim = call.claims[0]
        if not self.in_force(claim):
            return
        if call.given_up:  # its lease has ended, but until another takes it over
            self._by_key[claim.call.key].until = call.answered_at or 0  # it can still be settled
        else:
            del self._by_key[claim.call.key]

    def restored(self, leased: Mapping[int, str]) -> None:
        """The store has come back without its last writes.

        Args:
            leased: the keys that are leased there now, by fence; for how long is not known.
        """
        self._by_key = {key: Hold(fence, "somebody", 0) for fence, key in leased.items()}


def end_of_lease(call: StoreCall) -> int:
    """When what is claimed or renewed by `call` may be taken over, in microseconds."""
    lease = timedelta() if call.lease is None else call.lease
    return (call.answered_at or 0) + lease // _MICROSECOND
