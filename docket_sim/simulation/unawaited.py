"""What `docket.add()` and its like have returned, and nobody has awaited: nothing came of it."""

import asyncio
import inspect
from collections.abc import Coroutine, Sequence
from typing import Any, NamedTuple

from docket_sim.assertions import place
from docket_sim.errors import NeverAwaited
from docket_sim.events import Source
from docket_sim.simulation.faults.hosts import Host, Power, present_host

_ROOM = 256  # coroutines, before those that have begun are forgotten


class _Returned(NamedTuple):
    coroutine: Coroutine[Any, Any, Any]
    source: Source | None
    host: Host | None

    @property
    def begun(self) -> bool:
        return inspect.getcoroutinestate(self.coroutine) != inspect.CORO_CREATED

    @property
    def could_begin(self) -> bool:
        """Whether whoever was to await it could have."""
        return self.host is None or self.host.power is not Power.CUT


class Unawaited:
    """Keeps an eye on coroutines until they begin."""

    def __init__(self) -> None:
        self._returned: list[_Returned] = []
        self._room = _ROOM

    def note(self, coroutine: Coroutine[Any, Any, Any], source: Source | None) -> None:
        """A coroutine was returned to a line of code, which is to await it."""
        self._returned.append(_Returned(coroutine, source, present_host()))
        if len(self._returned) > self._room:
            self._returned = [one for one in self._returned if not one.begun]
            self._room = max(_ROOM, 2 * len(self._returned))

    def refuse(self, tasks: "Sequence[asyncio.Task[Any]]") -> None:
        """Say so if there are some that nobody has awaited; each is reported once.

        Args:
            tasks: those that are not done: what one of them is about to begin is not forgotten.

        Raises:
            NeverAwaited: there are.
        """
        __tracebackhide__ = True
        waiting = [one for one in self._returned if not one.begun]
        begins = {task.get_coro() for task in tasks}
        self._returned = [one for one in waiting if one.coroutine in begins]
        never = [one for one in waiting if one.coroutine not in begins]
        for one in never:
            one.coroutine.close()  # said here, and not by Python as well
        forgotten = [one for one in never if one.could_begin]
        if forgotten:
            lines = [f"  {_shown(one.coroutine)}, at {place(one.source)}" for one in forgotten]
            raise NeverAwaited(
                "nothing came of what nobody awaited:\n"
                + "\n".join(lines)
                + "\nWrite await before it, or close() what is not meant to happen."
            )


def _shown(coroutine: Any) -> str:
    return str(coroutine.__qualname__)
