"""Where the bodies of the tasks report to, in the worker's process."""

import os
import resource
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.measure import seconds

_SETTLING = 0.5
"""How many seconds a worker has to acknowledge its last tasks, when it does not end by itself."""

_FINISHING = 20.0
"""How many it has when it does."""

_PAGE = resource.getpagesize()


class Sink:
    """Counts the runs of a task, and measures between the first and the last.

    Bodies may run in any thread.
    """

    def __init__(self, expected: int = 0, *, warm_up: int = 0) -> None:
        """
        Args:
            expected: how many runs there will be; 0 when that is not known.
            warm_up: after how many runs the memory is looked at for the first time.
        """
        self._expected = expected
        self._warm_up = warm_up
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._returned = threading.Event()
        self._runs = 0
        self._started = self._last = self._cpu = self._cpu_at_end = 0.0
        self._warm = self._resident = 0
        self._latencies: list[float] = []

    def start(self) -> None:
        """From now on the clock runs."""
        self._cpu = _cpu()
        self._started = seconds()

    def hit(self) -> None:
        """The body of a task has run."""
        with self._lock:
            self._runs += 1
            self._last = seconds()
            if self._runs == self._warm_up:
                self._warm = _resident()
            if self._runs == self._expected:
                self._finish()

    def arrived(self, sent: float) -> None:
        """The body of a task has begun that was added at `sent`; one before 0 does not count."""
        now = seconds()
        if sent < 0:
            return
        with self._lock:
            self._latencies.append(now - sent)
        self.hit()

    def returned(self) -> None:
        """The worker has ended by itself."""
        self._finish()
        self._returned.set()

    def _finish(self) -> None:
        if not self._done.is_set():
            self._cpu_at_end, self._resident = _cpu(), _resident()
            self._done.set()

    def report_and_exit(
        self, report: Callable[[Mapping[str, Any]], None], *, finishes: bool
    ) -> None:
        """When all has run, report, and end the process: some workers cannot be stopped at once.

        Args:
            report: is told what was seen.
            finishes: whether the worker is going to end by itself.
        """
        self._done.wait()
        self._returned.wait(_FINISHING if finishes else _SETTLING)
        report(self._report())
        os._exit(0)

    def _report(self) -> dict[str, Any]:
        return {
            "runs": self._runs,
            "finished": self._returned.is_set(),
            "started": self._started,
            "last": self._last,
            "cpu": self._cpu_at_end - self._cpu,
            "resident": self._resident,
            "growth": self._resident - self._warm,
            "latencies": self._latencies,
        }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _resident() -> int:
    """How many bytes of this process are in memory now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except OSError:  # not on Linux: the peak has to do
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
