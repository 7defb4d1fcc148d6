"""`Rates`: how many attempts begin within a span of time, wherever one lays it."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import overload

from docket_sim.clock.durations import short


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time that begins with an attempt.

    Attributes:
        at: when it begins, an aware datetime in UTC.
        elapsed: the virtual time since the start.
        attempts: how many attempts begin in it.
    """

    at: datetime
    elapsed: timedelta
    attempts: int


class Rates(Sequence[Window]):
    """The windows of one length, in order: one from each attempt that begins.

    A window holds the instant at which it begins, and not the one at which it ends. No other
    stretch of that length holds more attempts than the fullest of these.

    Attributes:
        span: how long each window is.
    """

    def __init__(self, begun: Sequence[datetime], span: timedelta, start: datetime) -> None:
        """
        Args:
            begun: when attempts began, in order.
            span: how long a window is.
            start: the first instant of the run.

        Raises:
            ValueError: a span of nothing.
        """
        if span <= timedelta(0):
            raise ValueError(f"a window is longer than nothing, found {span}")
        self.span = span
        self._windows = [
            Window(at, at - start, bisect_left(begun, at + span) - bisect_left(begun, at))
            for at in dict.fromkeys(begun)
        ]

    def __len__(self) -> int:
        return len(self._windows)

    @overload
    def __getitem__(self, index: int) -> Window: ...
    @overload
    def __getitem__(self, index: slice) -> list[Window]: ...
    def __getitem__(self, index: int | slice) -> Window | list[Window]:
        return self._windows[index]

    def __iter__(self) -> Iterator[Window]:
        return iter(self._windows)

    def max(self) -> int:
        """How many attempts begin in the fullest window; 0 if none ever did."""
        return max((window.attempts for window in self._windows), default=0)

    def __repr__(self) -> str:
        fullest = max(self._windows, key=lambda window: window.attempts, default=None)
        if fullest is None:
            return f"<no attempts, in any {short(self.span)}>"
        return (
            f"<up to {fullest.attempts} attempts in {short(self.span)}, "
            f"from +{short(fullest.elapsed)}>"
        )
