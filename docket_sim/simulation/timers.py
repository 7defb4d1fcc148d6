"""The timers of a virtual loop: by instant, and those of one instant in the order they were set."""

# pyright: reportPrivateUsage=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from itertools import count
from typing import Any, Protocol, cast

from docket_sim.clock import housekeeping

_CANCELLED_SHARE = 0.5  # of all timers, before the heap is rebuilt without the cancelled ones
_CANCELLED_MINIMUM = 100


class _TimerLoop(Protocol):
    """What a timer asks of its loop."""

    def note_cancelled(self) -> None: ...


class Timer(asyncio.TimerHandle):
    """A callback to run at an instant; lean to make and to cancel.

    Attributes:
        keeps_house: whether it only keeps the machinery alive, and makes nothing happen by itself.
    """

    __slots__ = ("keeps_house",)
    _repr = None
    _source_traceback = None

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        if context is None:
            context = copy_context()
        self._context = context
        self._loop = loop
        self._callback: Any = callback
        self._args: Any = args
        self._cancelled = False
        self._when = when
        self._scheduled = True
        self.keeps_house = context.get(housekeeping, False)

    def never_fires(self) -> None:
        """Say that no timetable holds the timer."""
        self._scheduled = False

    def cancel(self) -> None:
        if not self._cancelled:
            if self._scheduled:
                cast("_TimerLoop", self._loop).note_cancelled()
            self._cancelled = True
            self._callback = None
            self._args = None


class Timers:
    """Timers by instant, in microseconds since the clock's start."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, due: int, timer: Timer) -> Timer:
        """Set a timer, and return it."""
        heapq.heappush(self._heap, (due, next(self._order), timer))
        return timer

    def take_next(self, into: deque[asyncio.Handle]) -> int | None:
        """Move the timers of the next instant `into` a queue, in order, and return that instant.

        Returns `None` when no timer is set.
        """
        heap = self._heap
        instant: int | None = None
        while heap and (instant is None or heap[0][0] == instant):
            due, _, timer = heapq.heappop(heap)
            timer._scheduled = False
            if timer._cancelled:
                self._cancelled -= 1
            else:
                instant = due
                into.append(timer)
        return instant

    def overdue(self, now: int) -> bool:
        """Whether a timer is set for an instant that is not in the future."""
        heap = self._heap
        while heap and heap[0][0] <= now and heap[0][2]._cancelled:
            heapq.heappop(heap)
            self._cancelled -= 1
        return bool(heap) and heap[0][0] <= now

    def put_back(self, instant: int, timers: deque[asyncio.Handle]) -> None:
        """Set the timers again that `take_next` has moved."""
        while timers:
            timer = cast("Timer", timers.popleft())
            timer._scheduled = True
            self.add(instant, timer)

    def in_order(self) -> list[Timer]:
        """The timers that are set, the earliest first."""
        return [timer for _, _, timer in sorted(self._heap) if not timer._cancelled]

    def only_housekeeping(self) -> bool:
        """Whether nothing but housekeeping is set."""
        return all(timer._cancelled or timer.keeps_house for _, _, timer in self._heap)

    def note_cancelled(self) -> None:
        """A timer that is still set was cancelled; many of them are worth a clean-up."""
        self._cancelled += 1
        total = len(self._heap)
        if total > _CANCELLED_MINIMUM and self._cancelled > total * _CANCELLED_SHARE:
            self._heap = [item for item in self._heap if not item[2]._cancelled]
            heapq.heapify(self._heap)
            self._cancelled = 0
