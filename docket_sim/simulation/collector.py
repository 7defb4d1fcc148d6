"""The garbage collector of a run: called at fixed points instead of whenever memory was asked for.

Finalizers then run at the same instant each time, and a run of many tasks is not slowed down by
collections that find nothing.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager

_YOUNG_AFTER = 100_000  # callbacks
_ALL_AFTER = 2_000_000


class Collector:
    """Collects garbage after so many callbacks."""

    def __init__(self) -> None:
        self._until_young = _YOUNG_AFTER
        self._until_all = _ALL_AFTER

    @contextmanager
    def in_charge(self) -> Generator[None]:
        """Keep Python from collecting by itself."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if collecting:
                gc.enable()

    def after(self, callbacks: int) -> None:
        """Collect, if it is time to, now that `callbacks` more are about to run."""
        self._until_young -= callbacks
        if self._until_young >= 0:
            return
        self._until_young = _YOUNG_AFTER
        self._until_all -= _YOUNG_AFTER
        everything = self._until_all < 0
        if everything:
            self._until_all = _ALL_AFTER
        gc.collect(2 if everything else 1)
