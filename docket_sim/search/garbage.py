"""The garbage of a search: collected every so many runs, instead of several times in each."""

import gc
from types import TracebackType
from typing import Self

_YOUNG_EVERY = 16  # runs
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
        """Collect, if it is time to."""
        self._runs += 1
        if self._runs % _ALL_EVERY == 0:
            gc.collect()
        elif self._runs % _YOUNG_EVERY == 0:
            gc.collect(1)
