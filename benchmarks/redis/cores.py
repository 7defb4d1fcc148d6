"""Which core belongs to whom: figures of a server and a client that share one are worthless."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_PINS = hasattr(os, "sched_setaffinity")


@dataclass(frozen=True, slots=True)
class Cores:
    """Who runs where.

    Attributes:
        server: the cores of the server.
        python: the cores of producers and workers.
        every: all that there are.
    """

    server: frozenset[int]
    python: frozenset[int]
    every: frozenset[int]

    @property
    def pinned(self) -> bool:
        """Whether the server is kept apart from the rest."""
        return not self.server & self.python

    def describe(self) -> str:
        """Who runs where, in words."""
        if not self.pinned:
            return "NOT PINNED: the server and Python may share a core"
        return f"server on core {_listed(self.server)}, Python on core {_listed(self.python)}"


def share_out(*, pin: bool) -> Cores:
    """One core for the server and another one for Python, where that can be arranged."""
    every = frozenset(os.sched_getaffinity(0)) if _PINS else frozenset[int]()
    if not pin or len(every) < 2:
        return Cores(every, every, every)
    first, second, *_ = sorted(every)
    return Cores(frozenset({first}), frozenset({second}), every)


def pin(process: int, cores: frozenset[int]) -> None:
    """Keep a process on some cores; 0 is this one, and children that it starts later follow."""
    if _PINS and cores:
        os.sched_setaffinity(process, cores)


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Keep this process, and whatever it starts meanwhile, on some cores."""
    before = frozenset(os.sched_getaffinity(0)) if _PINS else frozenset[int]()
    pin(0, cores)
    try:
        yield
    finally:
        pin(0, before)


def _listed(cores: frozenset[int]) -> str:
    return ", ".join(map(str, sorted(cores)))
