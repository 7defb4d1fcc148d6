"""The end of a process that does not end by itself: by a thread, which no event loop holds up."""

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue


class LastResort:
    """Ends the process once its time is up, whatever its event loop and its threads are doing."""

    def __init__(self, leave: Callable[[], object]) -> None:
        """
        Args:
            leave: ends the process.
        """
        self._leave = leave
        # This queue, unlike the locks of timers and events, may be used by a signal handler that
        # has interrupted the same thread while it used it.
        self._orders: SimpleQueue[float | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._wait, name="docket last resort", daemon=True)

    def start(self) -> None:
        """Be ready; the time does not run yet."""
        self._thread.start()

    def within(self, seconds: float) -> None:
        """Leave `seconds` from now, whatever was said before. Signal handlers may say it."""
        self._orders.put(min(seconds, threading.TIMEOUT_MAX))

    def dismiss(self) -> None:
        """Never leave: the process ends by itself."""
        self._orders.put(None)
        self._thread.join()

    def _wait(self) -> None:
        seconds = self._orders.get()
        while seconds is not None:
            try:
                seconds = self._orders.get(timeout=seconds)
            except Empty:
                self._leave()
                return


def leave_with(code: int) -> Callable[[], None]:
    """What ends this process on the spot with `code`: nothing is waited for, nothing cleaned up."""
    return lambda: os._exit(code)
