"""A guard against `time.sleep()` on a virtual loop, which would block the run for real."""

import asyncio
import inspect
import linecache
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from docket_sim.clock.system import real_sleep
from docket_sim.errors import BlockingSleep
from docket_sim.events import Source
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.places import Places

_THE_REAL_ONE = time.sleep
_PLACES = Places([_THE_REAL_ONE])
_OURS = frozenset({"docket_sim"})  # what is said above is not to be replaced


class SleepGuard:
    """Replaces `time.sleep`, and every module's own name for it, while the context is open.

    On the thread of a running `VirtualLoop` it raises; anywhere else it sleeps.
    """

    def __init__(self, report: Callable[[BlockingSleep], None]) -> None:
        """
        Args:
            report: is told of each blocking sleep, besides the code that called it.
        """
        self._report = report
        self._guard = self._sleep

    def __enter__(self) -> Self:
        _PLACES.replace({id(_THE_REAL_ONE): self._guard}, outside=_OURS)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Everywhere again: a module that was imported meanwhile may have taken the guard.
        _PLACES.replace({id(self._guard): _THE_REAL_ONE}, outside=_OURS)

    def _sleep(self, seconds: float, /) -> None:
        __tracebackhide__ = True
        if not _on_virtual_loop():
            real_sleep(seconds)
            return
        filename, line = Source.of_caller(inspect.currentframe()) or ("an unknown file", 0)
        error = BlockingSleep(
            f"time.sleep({seconds:g}) blocks the event loop, at {filename}:{line}: "
            f"{linecache.getline(filename, line).strip()}\n"
            f"Use `await asyncio.sleep({seconds:g})`, which is virtual, or move blocking work into "
            f"`await asyncio.to_thread(...)`."
        )
        self._report(error)
        raise error


def _on_virtual_loop() -> bool:
    try:
        return isinstance(asyncio.get_running_loop(), VirtualLoop)
    except RuntimeError:
        return False
