"""Stopwatches and scales. A simulation may have frozen `time`: the real one is kept here."""

import resource
import statistics
import sys
import time
from collections.abc import Callable


def seconds(_read: Callable[[], float] = time.perf_counter) -> float:
    """Real time; a default argument is out of the reach of libraries that freeze time."""
    return _read()


def assert_real() -> None:
    """Make sure that `seconds()` is not frozen: reading it takes time."""
    before = seconds()
    for _ in range(1_000):
        pass
    assert seconds() > before, "the stopwatch stands still"


def median_of(times: int, work: Callable[[], float]) -> float:
    """The median of what `work` returns in so many calls, after a first one that does not count."""
    work()
    return statistics.median(work() for _ in range(times))


def medians_of(times: int, work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """`median_of`, for each of the numbers that `work` returns."""
    work()
    taken = [work() for _ in range(times)]
    return {name: statistics.median(numbers[name] for numbers in taken) for name in taken[0]}


def took(work: Callable[[], object]) -> float:
    """How many seconds of real time `work` took."""
    started = seconds()
    work()
    return seconds() - started


def peak_bytes() -> int:
    """The most memory that this process has had resident so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
