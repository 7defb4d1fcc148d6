"""Who wants to be told what happens in a memory store, each on the event loop where it waits."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple, TypeVarTuple

from docket_sim.execution import Record
from docket_sim.store.base import Listener


class _Listening(NamedTuple):
    listener: Listener
    loop: asyncio.AbstractEventLoop


class Watchers:
    """The listeners of a store, and those who watch one key."""

    def __init__(self) -> None:
        self._listening: list[_Listening] = []
        self._changes: dict[str, list[Changes]] = {}

    def add(self, listener: Listener) -> None:
        """Begin to tell `listener`, on the running loop."""
        self._listening.append(_Listening(listener, asyncio.get_running_loop()))

    def remove(self, listener: Listener) -> None:
        """Stop telling `listener`."""
        self._listening = [item for item in self._listening if item.listener is not listener]

    def work_due(self, when: datetime, *, but_not: str | None = None) -> None:
        """Tell all, but the worker called `but_not`, that there may be work at `when`."""
        for listener, loop in self._listening:
            if but_not is None or listener.worker != but_not:
                _tell(loop, listener.work_due, when)

    def cancel_requested(self, key: str) -> None:
        """Tell all that the running execution `key` was cancelled."""
        for listener, loop in self._listening:
            _tell(loop, listener.cancel_requested, key)

    def drained(self) -> None:
        """Tell all that nothing is outstanding."""
        for listener, loop in self._listening:
            _tell(loop, listener.drained)

    def watch(self, key: str, record: Record | None) -> "Changes":
        """Begin to collect the changes of `key`, of which `record` is the first."""
        changes = Changes(record)
        self._changes.setdefault(key, []).append(changes)
        return changes

    def unwatch(self, key: str, changes: "Changes") -> None:
        """Stop collecting."""
        remaining = [item for item in self._changes[key] if item is not changes]
        if remaining:
            self._changes[key] = remaining
        else:
            del self._changes[key]

    def look_again(self, look: Callable[[str], Record | None]) -> None:
        """Tell all who watch a key what `look` finds there."""
        for key, watching in self._changes.items():
            for changes in watching:
                _tell(changes.loop, changes.put, look(key))

    def watched(self, key: str) -> bool:
        """Whether anyone watches `key`."""
        return key in self._changes

    def changed(self, record: Record) -> None:
        """Tell those who watch the record's key."""
        for changes in self._changes[record.call.key]:
            _tell(changes.loop, changes.put, record)


class Changes:
    """The changes of one key, as they come."""

    def __init__(self, first: Record | None) -> None:
        self.loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[Record | None] = asyncio.Queue()
        self._queue.put_nowait(first)

    def put(self, record: Record | None) -> None:
        """Add a change."""
        self._queue.put_nowait(record)

    async def get(self) -> Record | None:
        """The next change."""
        return await self._queue.get()


_Parts = TypeVarTuple("_Parts")


def _tell(
    loop: asyncio.AbstractEventLoop,
    notice: Callable[[*_Parts], None],
    *parts: *_Parts,
) -> None:
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:  # a simulation puts a store back from ordinary code
        running = None
    if loop is running:
        notice(*parts)
    else:
        # A loop that has closed, or closes just now, has nobody left to tell.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(notice, *parts)
