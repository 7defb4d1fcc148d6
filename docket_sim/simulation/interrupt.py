"""Ctrl-C while a virtual loop runs.

Python raises `KeyboardInterrupt` wherever the main thread happens to be. In a task's body that
would count as the task's own failure, and the run would go on. So the first Ctrl-C only asks the
loop to end between two callbacks; a second one, should no callback ever return, is Python's own.
"""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """A wish to end the run.

    Attributes:
        wanted: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.wanted = False

    @contextmanager
    def noticed(self, wake: Callable[[], object]) -> Generator[None]:
        """Notice Ctrl-C while the context is open, and `wake` the loop then.

        Without effect in other threads than the main one, and where a program handles it itself.
        """
        in_main_thread = threading.current_thread() is threading.main_thread()
        if not in_main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return

        def pressed(number: int, frame: FrameType | None) -> None:
            if self.wanted:
                signal.default_int_handler(number, frame)
            self.wanted = True
            wake()

        signal.signal(signal.SIGINT, pressed)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.wanted = False

    def heed(self) -> None:
        """Raise `KeyboardInterrupt`, if it is wanted."""
        if self.wanted:
            raise KeyboardInterrupt
