"""What an invariant is: something that must hold in every run, and what it sees of one."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from docket_sim.errors import InvariantBroken
from docket_sim.events import Retried
from docket_sim.execution import Record
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.troubles import Troubles
from docket_sim.simulation.invariants.holds import Holds
from docket_sim.store import Claimed, MemoryStore, Renewal, Settled, Store, Submitted


class Scene:
    """What invariants may look at.

    Attributes:
        start: the first instant of the run.
        store: where the calls are.
        memory: the store, if it can be looked into.
        troubles: what was done to machines and to the store.
        holds: who holds what, as of before the answer that is being looked at.
    """

    def __init__(self, start: datetime, store: Store, troubles: Troubles) -> None:
        """
        Args:
            start: the first instant of the run.
            store: where the calls are.
            troubles: what was done to machines and to the store.
        """
        self.start = start
        self.store = store
        self.memory = store if isinstance(store, MemoryStore) else None
        self.troubles = troubles
        self.holds = Holds()

    def instant(self, microseconds: int | None) -> datetime:
        """An instant of virtual time."""
        return self.start + timedelta(microseconds=microseconds or 0)

    def forgotten(self) -> None:
        """The store has come back without its last writes, the claims among them."""
        if self.memory is not None:
            self.holds.restored(self.memory.leased())


class Invariant:
    """Something that must hold in every run.

    It overrides what it wants to be told; nothing else costs a run anything.

    Attributes:
        id: names it, for its switch.
        sentence: what must hold.
    """

    id: ClassVar[str]
    sentence: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    # A settlement, on its way to the store.

    def settling(self, call: StoreCall) -> None:
        """A settlement is sent; it may never arrive."""

    def about_to_settle(self, call: StoreCall) -> None:
        """A settlement is about to be applied by the store, where that is known."""

    # What the store has answered, once it has applied a call.

    def submitted(self, call: StoreCall, answers: Sequence[Submitted]) -> None:
        """Calls were submitted."""

    def claimed(self, call: StoreCall, answer: Claimed) -> None:
        """A worker has claimed, or found nothing to claim."""

    def renewed(self, call: StoreCall, answer: Renewal) -> None:
        """A worker has renewed its leases."""

    def settled(self, call: StoreCall, answer: Settled) -> None:
        """An attempt was settled, or not."""

    def cancelled(self, call: StoreCall, before: Record | None) -> None:
        """An execution was cancelled, which was `before` until then."""

    def changed(self, call: StoreCall) -> None:
        """A call was applied that may have changed what the store keeps."""

    # What else is told.

    def retried(self, event: Retried) -> None:
        """An attempt has failed, and another follows."""

    def forgotten(self) -> None:
        """The store has come back without its last writes: what is there now is what holds."""

    def idle(self) -> None:
        """Nothing is outstanding, by the store's own account."""

    def broken(self, found: str) -> InvariantBroken:
        """The error that says so."""
        return InvariantBroken(self.id, f"{self.sentence}: {found}")
