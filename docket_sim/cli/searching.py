"""What one sees of a search while it goes on: a bar on a terminal, else a line now and then."""

import signal
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from types import FrameType, TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from docket_sim.clock import SystemClock
from docket_sim.search import Exploration

_EVERY = timedelta(seconds=10)
_KINDS = 3


class Shown:
    """Shows how a search goes, on stderr."""

    def __init__(
        self, *, runs: int | None, seconds: float | None, console: Console | None = None
    ) -> None:
        """
        Args:
            runs: how many there are to be, if that is what ends the search.
            seconds: how long it may take, if that is.
            console: where to show it.
        """
        self._runs, self._seconds = runs, seconds
        self._console = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.fields[counted]}"),
            BarColumn(bar_width=16),
            TextColumn("{task.fields[seen]}"),
            console=self._console,
            transient=True,
        )
        self._bar = self._progress.add_task("searching", total=1.0, counted="searching", seen="")
        self._clock = SystemClock()
        self._began = self._said = self._clock.now()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def __call__(self, exploration: Exploration) -> None:
        """Tell how the search goes."""
        now = self._clock.now()
        counted = self._counted(exploration)
        if self._console.is_terminal:
            share, seen = self._share(exploration, now), _seen(exploration)
            self._progress.update(self._bar, completed=share, counted=counted, seen=seen)
        elif now - self._said >= _EVERY:
            self._said = now
            text = f"{counted}; {_seen(exploration)}{_kinds(exploration)}"
            self._console.print(text, markup=False, soft_wrap=True)

    def _counted(self, exploration: Exploration) -> str:
        of = "" if self._runs is None else f" of {self._runs:,}"
        return f"{exploration.runs:,}{of} runs"

    def _share(self, exploration: Exploration, now: datetime) -> float:
        """Which part of the search is done, by the bound that is nearer."""
        by_runs = exploration.runs / self._runs if self._runs else 0.0
        elapsed = (now - self._began).total_seconds()
        return min(1.0, max(by_runs, elapsed / self._seconds if self._seconds else 0.0))


def say(text: str) -> None:
    """Say something about the search, apart from what came of it."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def _seen(exploration: Exploration) -> str:
    rate = exploration.runs / exploration.seconds if exploration.seconds else 0.0
    faults = exploration.faults.total()
    return f"{rate:,.0f} runs/s, {exploration.distinct:,} distinct, {faults:,} faults"


def _kinds(exploration: Exploration) -> str:
    """The commonest kinds of faults; a bar has no room for them."""
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in exploration.faults.most_common(_KINDS))
    more = ", …" if len(exploration.faults) > _KINDS else ""
    return f" ({kinds}{more})" if kinds else ""


class Interruption:
    """Ctrl-C while the context is open: the first asks for an orderly end, the second is Python's.

    Attributes:
        wanted: whether it was pressed.
    """

    def __init__(self, told: Callable[[], object]) -> None:
        """
        Args:
            told: is called when it is pressed first.
        """
        self.wanted = False
        self._told = told
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._pressed)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _pressed(self, number: int, frame: FrameType | None) -> None:
        if self.wanted:
            signal.default_int_handler(number, frame)
        self.wanted = True
        self._told()
