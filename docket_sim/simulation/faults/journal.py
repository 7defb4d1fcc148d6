"""The journal of a run: its store calls, and what was done to them and to the workers."""

from collections import Counter
from dataclasses import dataclass

from docket_sim.clock import VirtualClock
from docket_sim.events import Event, Started
from docket_sim.simulation.faults.calls import StoreCall


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that was done to a worker or to the store.

    Attributes:
        at: when, in microseconds of virtual time since the start.
        lane: whom it was done to: the worker's place in the crew, or `store`.
        what: what was done, such as `power cut before settle`.
        fault: whether it is a fault, and not the end of one.
    """

    at: int
    lane: str
    what: str
    fault: bool = True


@dataclass(frozen=True, slots=True)
class Began:
    """An attempt began.

    Attributes:
        at: when, in microseconds of virtual time since the start; its event tells the time that its
            worker's clock showed.
        event: what the engine told of it.
    """

    at: int
    event: Started


_LAST = 1_000
_KINDS = 3

Entry = StoreCall | Incident | Began
"""One thing that happened."""


class Journal:
    """What passed between the workers and the store of one run, in order.

    Attributes:
        entries: in order, store calls as they were made, attempts as they began, and incidents.
        faults: how often each kind of fault has happened.
    """

    def __init__(self, clock: VirtualClock) -> None:
        """
        Args:
            clock: the virtual time.
        """
        self._clock = clock
        self.entries: list[Entry] = []
        self.faults: Counter[str] = Counter()
        self._closed = False

    def notify(self, event: Event) -> None:
        """Note that an attempt began; the rest, store calls tell."""
        if isinstance(event, Started):
            self.add(Began(self._clock.microseconds, event))

    def add(self, entry: Entry) -> None:
        """Note something that happened, unless all that matters has."""
        if not self._closed:
            self.entries.append(entry)

    def close(self) -> None:
        """Note nothing more: the run is broken, or over, and what follows explains nothing."""
        self._closed = True

    def note(self, incident: Incident, kind: str | None = None) -> None:
        """Note what was done, and count it under its kind if it is a fault."""
        self.add(incident)
        if kind is not None:
            self.faults[kind] += 1

    def in_vain(self) -> str:
        """What was done to most of the last thousand calls, in words; "" if nothing was."""
        last = [entry for entry in self.entries[-_LAST:] if isinstance(entry, StoreCall)]
        kinds = Counter(
            f"{call.lane} {call.verb}, {'; '.join(call.fate)}" for call in last if call.fate
        )
        return ", and ".join(f"{kind}, {count} times" for kind, count in kinds.most_common(_KINDS))
