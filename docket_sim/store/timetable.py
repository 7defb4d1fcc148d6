"""The memory store's entries by instant: a heap whose stale items go when they surface."""

import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

from docket_sim.execution import ExecutionState, Record, TaskCall
from docket_sim.store.base import Claim
from docket_sim.store.resends import Answered

_tickets = count(1)
_ROOM = 1024  # items, before the stale ones are looked for


class Entry:
    """What the memory store keeps of one key.

    An entry stands in at most one timetable: that of due times, that of one worker's leases, or
    that of records to be forgotten. `place` and `ticket` say in which, and with which of its items.
    """

    __slots__ = (
        "answered",
        "call",
        "cancel_requested",
        "delivery",
        "error",
        "finished_at",
        "lease",
        "place",
        "released_since",
        "result",
        "started_at",
        "state",
        "ticket",
        "worker",
    )

    def __init__(self, call: TaskCall, state: ExecutionState) -> None:
        self.call = call
        self.state = state
        self.lease: Claim | None = None
        self.delivery = 0
        self.released_since: int | None = None
        self.answered = Answered()
        self.cancel_requested = False
        self.worker: str | None = None
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self.result: bytes | None = None
        self.error: bytes | None = None
        self.place: Timetable | None = None
        self.ticket = 0

    def begin(self, call: TaskCall, state: ExecutionState) -> None:
        """Start a new generation of the key."""
        self.call = call
        self.state = state
        self.delivery = 0
        self.released_since = None
        self.finished_at = self.result = self.error = None

    def record(self, now: datetime) -> Record:
        """The entry as others see it at `now`."""
        state = self.state
        if state is ExecutionState.SCHEDULED and self.call.when <= now:
            state = ExecutionState.QUEUED
        return Record(
            call=self.call,
            state=state,
            delivery=self.delivery,
            worker=self.worker,
            started_at=self.started_at,
            finished_at=self.finished_at,
            result=self.result,
            error=self.error,
            cancel_requested=self.cancel_requested,
        )


class Timetable:
    """Entries by instant; those of one instant in the order in which they were put."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Entry]] = []
        self._room = _ROOM

    def put(self, when: datetime, entry: Entry) -> None:
        """Place `entry` here at `when`, and take it from wherever it was."""
        entry.place = self
        entry.ticket = ticket = next(_tickets)
        heapq.heappush(self._heap, (when, ticket, entry))
        if len(self._heap) > self._room:  # many may be stale: a key that is replaced all the time
            self._heap = self._valid()
            self._room = max(_ROOM, 2 * len(self._heap))

    def first(self) -> datetime | None:
        """The earliest instant, or `None` when nothing is here."""
        heap = self._heap
        while heap:
            if self._is_valid(heap[0]):
                return heap[0][0]
            heapq.heappop(heap)
        return None

    def peek(self, now: datetime) -> Entry | None:
        """The earliest entry, if its instant has come."""
        when = self.first()
        return self._heap[0][2] if when is not None and when <= now else None

    def take(self, now: datetime) -> Entry | None:
        """Remove and return the earliest entry, if its instant has come."""
        entry = self.peek(now)
        if entry is not None:
            heapq.heappop(self._heap)
            entry.place = None
        return entry

    def until(self, now: datetime) -> list[Entry]:
        """The entries whose instant has come, the earliest first."""
        first = self.first()
        if first is None or first > now:
            return []
        return [entry for when, _, entry in self._valid() if when <= now]

    def _valid(self) -> list[tuple[datetime, int, Entry]]:
        return sorted(filter(self._is_valid, self._heap), key=lambda item: item[:2])

    def _is_valid(self, item: tuple[datetime, int, Entry]) -> bool:
        _, ticket, entry = item
        return entry.ticket == ticket and entry.place is self


def later(now: datetime, delay: timedelta) -> datetime:
    """`delay` after `now`, or the last instant there is."""
    try:
        return now + delay
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)
