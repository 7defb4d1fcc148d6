"""The machine's own time. The one file that reads it: a lint rule bans it everywhere else."""

import time
from collections.abc import Callable
from datetime import UTC, datetime


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant: an aware datetime in UTC, with microseconds."""
        return datetime.now(UTC)


# Libraries that freeze time replace the attributes of modules; they leave default arguments alone,
# and these two functions must stay real inside a simulation.


def real_monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Seconds of real time since some fixed point; never frozen."""
    return _read()


def real_sleep(seconds: float, _sleep: Callable[[float], None] = time.sleep) -> None:
    """Block this thread for `seconds` of real time, whatever a simulation has patched."""
    _sleep(seconds)
