"""What an invariant is: something that must hold in every run, and what it sees of one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from docket_sim.errors import InvariantBroken
from docket_sim.events import Event
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.troubles import Troubles
from docket_sim.store import MemoryStore, Store


@dataclass(frozen=True, slots=True)
class Scene:
    """What invariants may look at.

    Attributes:
        start: the first instant of the run.
        store: where the calls are.
        troubles: what was done to machines and to the store.
    """

    start: datetime
    store: Store
    troubles: Troubles

    @property
    def memory(self) -> MemoryStore | None:
        """The store, if it can be looked into."""
        return self.store if isinstance(self.store, MemoryStore) else None

    def instant(self, microseconds: int | None) -> datetime:
        """An instant of virtual time."""
        return self.start + timedelta(microseconds=microseconds or 0)


class Invariant:
    """Something that must hold in every run.

    Attributes:
        id: names it, for its switch.
        sentence: what must hold.
    """

    id: ClassVar[str]
    sentence: ClassVar[str]

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def asked(self, call: StoreCall) -> None:
        """A call is made; it may never arrive."""

    def before(self, call: StoreCall) -> None:
        """A call is about to be applied by the store."""

    def after(self, call: StoreCall) -> None:
        """The store has applied a call; `call.answer` is what it has answered."""

    def event(self, event: Event) -> None:
        """The engine has told of something."""

    def idle(self) -> None:
        """Nothing is outstanding, by the store's own account."""

    def broken(self, found: str) -> InvariantBroken:
        """The error that says so."""
        return InvariantBroken(self.id, f"{self.sentence}: {found}")
