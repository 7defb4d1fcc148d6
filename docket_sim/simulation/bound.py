"""The bound of a run: how many steps there may be before it counts as endless.

A step is a callback that the loop runs; what costs more counts as several. Steps are counted and
seconds are not, so that an endless run ends at the same point each time, and can be replayed.

What counts is how many there are without progress: a year of minutely runs may take as many as it
likes, while a body that waits in a loop, or a worker that asks again and again for what it is never
given, makes virtual time pass and nothing come of it. In a search, all steps of a run are bounded
as well: a scenario that waits in a loop for what a fault has prevented may make progress for ever,
with other tasks, and nobody sits before a search to end it.
"""

import sys
from collections.abc import Sized
from typing import Self

DEFAULT_STEPS = 1_000_000
_ALTOGETHER = 10  # times as many as without progress
_OF_A_CALL = 20  # steps: about what a call of the store costs
_OF_A_POWER_CUT = 5_000


class Bound:
    """Counts the steps of one run.

    Attributes:
        since: when there was progress last, in microseconds of virtual time since the start.
    """

    def __init__(
        self,
        without_progress: int = sys.maxsize,
        altogether: int = sys.maxsize,
        calls: Sized = (),
    ) -> None:
        """
        Args:
            without_progress: how many steps there may be without progress.
            altogether: how many there may be in all.
            calls: what has been asked of the store so far; each counts as 20 steps.
        """
        self.since = 0
        self._without_progress = without_progress
        self._altogether = altogether
        self._calls = calls
        self._callbacks = 0
        self._steps_then = 0
        self._most = altogether

    @classmethod
    def of_a_run(cls, steps: int, calls: Sized, *, searching: bool) -> Self:
        """The bound of a simulation.

        Args:
            steps: how many there may be without progress.
            calls: what has been asked of its store so far.
            searching: whether it is a run of a search, in which there may be ten times as many
                altogether.
        """
        return cls(steps, steps * _ALTOGETHER if searching else sys.maxsize, calls)

    @property
    def steps(self) -> int:
        """How many there were so far."""
        return self._callbacks + _OF_A_CALL * len(self._calls)

    def note_callbacks(self, ran: int) -> None:
        """So many callbacks were run."""
        self._callbacks += ran

    def note_power_cut(self) -> None:
        """A machine has lost power, which costs many steps: another may take its place."""
        self._callbacks += _OF_A_POWER_CUT

    def note_progress(self, now: int) -> None:
        """Something has come of the run, at `now` microseconds."""
        self._steps_then = self.steps
        self.since = now

    def exceeded(self) -> str | None:
        """What there was too much of, in words, or `None`.

        Once it was told, there may be as many again: a stuck run has to be left in order.
        """
        steps = self.steps
        if steps - self._steps_then > self._without_progress:
            self._steps_then = steps
            return f"{self._without_progress:,} steps without a call scheduled, retried or ended"
        if steps > self._most:
            self._most = steps + self._altogether
            return f"{self._altogether:,} steps, the most for a run of a search"
        return None
