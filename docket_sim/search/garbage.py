"""The garbage of a search: collected between the runs, instead of several times in each.

A world is full of cycles, so what a run leaves has to be looked for. Right after the run it is
still in the processor's cache: collected every 16 runs, it takes twice as long.
"""

import gc
from types import TracebackType
from typing import Self

_YOUNG_EVERY = 64  # runs
_ALL_EVERY = 1024


class Garbage:
    """Keeps Python from collecting by itself while the context is open."""

    def __init__(self) -> None:
        self._runs = 0
        self._collecting = False

    def __enter__(self) -> Self:
        self._collecting = gc.isenabled()
        gc.disable()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._collecting:
            gc.enable()

    def after_run(self) -> None:
        """Collect what the run has left; from time to time, also what is left of earlier ones."""
        self._runs += 1
        if self._runs % _ALL_EVERY == 0:
            gc.collect()
        else:
            gc.collect(1 if self._runs % _YOUNG_EVERY == 0 else 0)
