"""SIGTERM and SIGINT as a worker understands them: drain, then abandon, then leave."""

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from types import FrameType, TracebackType
from typing import Any, Self

from docket_sim.cli.last_resort import LastResort

GRACE = timedelta(seconds=3)
"""How long attempts that were abandoned, and all that has to be closed, may take to end."""

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_ABANDON, _LEAVE = 2, 3  # which signal in a row asks for what


class Stop:
    """What signals ask of this process, while the context lasts.

    The first asks to drain, the second to abandon what is in hand, the third ends the process on
    the spot. So does a last resort, should the event loop be held up: `GRACE` after the deadline
    for draining, or after the second signal.

    Enter it in the main thread and outside of the event loop, so that it outlives the loop and what
    the loop waits for when it closes.

    Attributes:
        asked: set once a signal has come.
        hurried: set once a second one has come.
    """

    def __init__(self, deadline: timedelta, leave: Callable[[], object]) -> None:
        """
        Args:
            deadline: how long draining may take.
            leave: ends the process on the spot.
        """
        self.asked = asyncio.Event()
        self.hurried = asyncio.Event()
        self._deadline = deadline
        self._leave = leave
        self._last_resort = LastResort(leave)
        self._count = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._last_resort.start()
        # Not the loop's own way of handling signals: a body that blocks the loop would block it.
        self._before = {one: signal.signal(one, self._receive) for one in _SIGNALS}
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for one, handler in self._before.items():
            signal.signal(one, handler)
        self._last_resort.dismiss()

    def attach(self) -> None:
        """Let the events be set on the running event loop, for what has come already too."""
        self._loop = asyncio.get_running_loop()
        self._tell()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._count += 1
        if self._count >= _LEAVE:
            self._leave()
        patience = timedelta() if self._count >= _ABANDON else self._deadline
        self._last_resort.within(patience.total_seconds() + GRACE.total_seconds())
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has closed: its work is over
                self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        if self._count:
            self.asked.set()
        if self._count >= _ABANDON:
            self.hurried.set()
