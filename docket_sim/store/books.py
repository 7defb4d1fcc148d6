"""The books of a memory store: what is kept of a docket, as it can be looked at and put back."""

import copy
from datetime import timedelta
from itertools import count
from typing import Any

from docket_sim.execution import ExecutionState, Record
from docket_sim.store.resends import AnsweredOfGone
from docket_sim.store.timetable import Entry, Timetable
from docket_sim.store.watchers import Watchers

FOREVER = timedelta.max
_WAITING = (ExecutionState.SCHEDULED, ExecutionState.QUEUED)


class Books:
    """The entries of one docket, and the timetables in which they stand.

    Attributes:
        watchers: who is told what happens.
    """

    def __init__(self, execution_ttl: timedelta) -> None:
        """
        Args:
            execution_ttl: how long the record of an ended execution is kept; zero keeps none.
        """
        self.watchers = Watchers()
        self._ttl = execution_ttl
        self._entries: dict[str, Entry] = {}
        self._due = Timetable()
        self._leases: dict[str, Timetable] = {}
        self._kept = Timetable()
        self._gone = AnsweredOfGone()
        self._fences = count(1)
        self._outstanding: int = 0

    def __len__(self) -> int:
        """How many keys are known."""
        return len(self._entries)

    def peek(self, key: str) -> Record | None:
        """What is known of `key`, whatever the time."""
        entry = self._entries.get(key)
        return None if entry is None else entry.record(entry.call.when)

    def left_behind(self) -> list[str]:
        """The keys that run, or wait for an attempt to end."""
        unended = {ExecutionState.RUNNING, ExecutionState.BLOCKED}
        return [key for key, entry in self._entries.items() if entry.state in unended]

    def kept_for_ever(self) -> list[str]:
        """The keys whose records are never forgotten, though their time is limited."""
        if self._ttl >= FOREVER:
            return []
        ended = ((key, one) for key, one in self._entries.items() if one.state.finished)
        return [key for key, one in ended if one.lease is None and one.place is not self._kept]

    def outstanding(self) -> dict[str, int]:
        """The generation of each key whose execution has not ended."""
        entries = self._entries.items()
        return {key: one.call.generation for key, one in entries if not one.state.finished}

    def leased(self) -> dict[int, str]:
        """The keys that somebody holds, by the fence of the claim."""
        leases = ((entry.lease, key) for key, entry in self._entries.items())
        return {lease.fence: key for lease, key in leases if lease is not None}

    def inconsistencies(self) -> list[str]:
        """Where the indexes do not agree with the entries, in words; nothing ever should be."""
        found: list[str] = []
        outstanding = 0
        for key, entry in self._entries.items():
            if not entry.state.finished:
                outstanding += 1
            if entry.place not in self._right_places(entry):
                found.append(
                    f"{key!r} is {entry.state.value} and stands where it should not, "
                    f"lease {entry.lease!r}"
                )
        if outstanding != self._outstanding:
            found.append(
                f"{outstanding} executions are outstanding, counted as {self._outstanding}"
            )
        return found

    def checkpoint(self) -> tuple[Any, ...]:
        """All that is kept, to be put back later; who listens or watches is not part of it."""
        timetables = self._due, self._leases, self._kept
        return copy.deepcopy((self._entries, *timetables, self._gone, self._outstanding))

    def restore(self, checkpoint: tuple[Any, ...]) -> None:
        """Keep what was kept then, and nothing else; but no fence is given a second time."""
        entries, *timetables, gone, outstanding = copy.deepcopy(checkpoint)
        self._entries, self._gone, self._outstanding = entries, gone, outstanding
        self._due, self._leases, self._kept = timetables
        self.watchers.look_again(self.peek)
        if not outstanding:
            self.watchers.drained()

    def _right_places(self, entry: Entry) -> tuple[Timetable | None, ...]:
        """Where an entry may stand, by its state and lease."""
        if entry.lease is not None:
            waits = entry.state in _WAITING
            return () if waits else (self._leases.get(entry.lease.worker),)
        if entry.state.finished:
            return (None, self._kept)
        return (self._due,) if entry.state in _WAITING else ()
