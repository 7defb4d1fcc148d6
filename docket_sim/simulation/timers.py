"""The timers of a virtual loop: by instant, and those of one instant in the order they were set."""

import heapq
from contextvars import Context
from itertools import count

from docket_sim.clock import housekeeping
from docket_sim.simulation.handles import Timer

_CANCELLED_SHARE = 0.5  # of all timers, before the heap is rebuilt without the cancelled ones
_CANCELLED_MINIMUM = 100


class Timers:
    """Timers by instant, in microseconds since the clock's start."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: int, timer: Timer) -> None:
        """Set a timer."""
        heapq.heappush(self._heap, (due, next(self._order), timer))

    def note_cancelled(self) -> None:
        """A timer that is still set was cancelled; many of them are worth a clean-up."""
        self._cancelled += 1
        total = len(self._heap)
        if total > _CANCELLED_MINIMUM and self._cancelled > total * _CANCELLED_SHARE:
            self._heap = [item for item in self._heap if not item[2].cancelled()]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def first(self) -> int | None:
        """The instant of the next timer, or `None` when none is set."""
        heap = self._heap
        while heap and heap[0][2].cancelled():
            self._take()
        return heap[0][0] if heap else None

    def due(self, instant: int) -> list[Timer]:
        """Remove and return the timers that are due at `instant`, in order."""
        fired: list[Timer] = []
        heap = self._heap
        while heap and heap[0][0] <= instant:
            timer = self._take()
            if timer is not None:
                fired.append(timer)
        return fired

    def only_housekeeping(self) -> bool:
        """Whether nothing but housekeeping is to happen by itself."""
        if self._heap and not self._heap[0][2].within(_keeps_house):
            return False  # the usual case, and quick to tell
        return all(timer.cancelled() or timer.within(_keeps_house) for _, _, timer in self._heap)

    def _take(self) -> Timer | None:
        _, _, timer = heapq.heappop(self._heap)
        if timer.fires():
            return timer
        self._cancelled -= 1
        return None


def _keeps_house(context: Context) -> bool:
    return context.get(housekeeping, False)
