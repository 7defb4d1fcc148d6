"""How each system is driven: one file for each, imported only where it is installed."""

import importlib
from collections.abc import Callable
from typing import Protocol

from benchmarks.redis.catalogue import system
from benchmarks.redis.sink import Sink


class Adapter(Protocol):
    """A system as producers and workers use it. Made with a URL, a concurrency and a sink.

    Only docket-sim has to know `add_waiting` and `add_later`, and only a system with a bulk call
    `add_many`.
    """

    async def open(self) -> None:
        """Connect, as a producer."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...

    async def add(self) -> None:
        """Add a task that does nothing but hit the sink."""
        ...

    async def add_stamped(self, sent: float) -> None:
        """Add a task that tells the sink when it was sent."""
        ...

    async def add_many(self, count: int) -> None:
        """Add so many tasks that do nothing, by one call."""
        ...

    async def add_waiting(self) -> None:
        """Add a task that waits a while before it hits the sink."""
        ...

    async def add_later(self, seconds: float) -> None:
        """Add a task that is due in so many seconds."""
        ...

    async def work(self, ready: Callable[[], None], *, until_finished: bool) -> None:
        """Work, forever or until nothing is left; call `ready` right before that."""
        ...


def adapter_of(name: str, url: str, sink: Sink) -> Adapter:
    """The adapter of the system that is called so."""
    found = system(name)
    module, _, kind = found.adapter.partition(":")
    make = getattr(importlib.import_module(f"{__name__}.{module}"), kind)
    adapter: Adapter = make(url, found.concurrency, sink)
    return adapter
