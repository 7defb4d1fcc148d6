"""The time: `Clock.now()` is its only source; waiting is the event loop's business."""

from contextvars import ContextVar
from datetime import datetime
from typing import Protocol

from docket_sim.clock.system import SystemClock
from docket_sim.clock.utc import as_utc
from docket_sim.clock.virtual import VirtualClock

__all__ = ["Clock", "SystemClock", "VirtualClock", "as_utc", "housekeeping"]


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The present instant: an aware datetime in UTC, with microseconds."""
        ...


housekeeping: ContextVar[bool] = ContextVar("housekeeping", default=False)
"""True in code that keeps the machinery alive but makes nothing happen by itself.

Lease renewal is such code: it would tick for ever around a body that waits for ever. A virtual loop
does not take the timers of such code for a sign that the run can go on.
"""
