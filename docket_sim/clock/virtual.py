"""Virtual time: a start, and whole microseconds since then.

Microseconds, because that is the resolution of `datetime`: an instant computed from a datetime and
the same instant reached by a timer are then equal, however long the run.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from docket_sim.clock.utc import as_utc

DEFAULT_START = datetime(2030, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class VirtualClock:
    """A clock that stands still until it is moved.

    Attributes:
        start: when the run began, an aware datetime in UTC.
        microseconds: how much virtual time has passed since `start`.
        jumps: from when to when the clock has jumped, in order.
        skew: tells how far the clock is ahead for the code that asks, or `None` when it is nowhere.
    """

    def __init__(self, start: datetime = DEFAULT_START) -> None:
        """
        Args:
            start: the first instant; must be timezone-aware.

        Raises:
            ValueError: `start` is naive.
        """
        self.start = as_utc(start, "start")
        self.microseconds = 0
        self.jumps: list[tuple[datetime, datetime]] = []
        self.skew: Callable[[], timedelta] | None = None
        self._now = self.start
        self._now_at = 0

    def now(self) -> datetime:
        """The present virtual instant, as the code that asks sees it: an aware datetime in UTC."""
        return self.true_now() if self.skew is None else self.true_now() + self.skew()

    def true_now(self) -> datetime:
        """The present virtual instant, whatever machine asks: an aware datetime in UTC."""
        if self._now_at != self.microseconds:
            self._now = self.start + timedelta(microseconds=self.microseconds)
            self._now_at = self.microseconds
        return self._now

    @property
    def elapsed(self) -> timedelta:
        """The virtual time that has passed since the start."""
        return timedelta(microseconds=self.microseconds)

    def microseconds_at(self, when: datetime) -> int:
        """How many microseconds after the start `when` lies."""
        return (when - self.start) // _MICROSECOND

    def advance_to(self, microseconds: int) -> None:
        """Move to `microseconds` after the start.

        Raises:
            ValueError: that lies in the past; virtual time never goes back.
        """
        if microseconds < self.microseconds:
            raise ValueError(
                f"virtual time never goes back: it is {self.microseconds} µs after the start, "
                f"asked for {microseconds} µs"
            )
        self.microseconds = microseconds

    def jump(self, delta: timedelta) -> None:
        """Move on by `delta` at one stroke, as for a machine that was suspended meanwhile.

        Nothing runs on the way: what was due in that time runs afterwards, late and once. Leases
        run out as they would for a machine that slept.

        Raises:
            ValueError: a negative `delta`.
        """
        if not isinstance(delta, timedelta):
            raise TypeError(f"jump() takes a timedelta, found {delta!r}")
        if delta < timedelta(0):
            raise ValueError(f"a clock jumps forward only: expected 0 or more, found {delta}")
        before = self.now()
        self.advance_to(self.microseconds + delta // _MICROSECOND)
        self.jumps.append((before, self.now()))

    def __repr__(self) -> str:
        return f"<VirtualClock {self.now().isoformat()} (+{self.elapsed})>"
