"""What a virtual loop is made of: callbacks, tasks and futures that behave the same in every run.

asyncio keeps tasks and futures in sets, which it walks in the order of their hashes. Here the hash
is the order in which the loop first asked for it, and not an address.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from typing import Any, Protocol, cast
from weakref import ref


class Handle(asyncio.Handle):
    """A callback to run. A run makes several for each step of a task, so it is lean to make."""

    __slots__ = ()
    _repr = None
    _source_traceback = None

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback: Any = callback
        self._args: Any = args
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = None
        self._args = None


def context_of(handle: asyncio.Handle) -> Context:
    """The context in which a callback is to run."""
    return cast("Any", handle)._context  # type: ignore[no-any-return]  # noqa: SLF001


class _OrderingLoop(Protocol):
    """What a task or future asks of its loop."""

    def next_order(self) -> int: ...


class VirtualTask(asyncio.Task[Any]):
    """A task that hashes by the order in which its loop first hashed it.

    Attributes:
        context: the context in which it runs, which tasks keep to themselves before Python 3.12.
    """

    context: Context | None = None
    _order: int | None = None

    def __hash__(self) -> int:
        if self._order is None:
            self._order = cast("_OrderingLoop", self.get_loop()).next_order()
        return self._order

    __eq__ = object.__eq__

    def forget(self) -> None:
        """Say nothing when the task is dropped unfinished: its world is gone."""
        self._log_destroy_pending = False


class VirtualFuture(asyncio.Future[Any]):
    """A future that hashes by the order in which its loop first hashed it."""

    _order: int | None = None

    def __hash__(self) -> int:
        if self._order is None:
            self._order = cast("_OrderingLoop", self.get_loop()).next_order()
        return self._order

    __eq__ = object.__eq__


class InOrder:
    """The set of a loop's async generators, in the order in which they began."""

    def __init__(self) -> None:
        self._items: dict[int, ref[Any]] = {}

    def add(self, item: Any) -> None:
        key = id(item)
        self._items[key] = ref(item, lambda _: self._items.pop(key, None))

    def discard(self, item: Any) -> None:
        self._items.pop(id(item), None)

    def clear(self) -> None:
        self._items.clear()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        alive = [reference() for reference in self._items.values()]
        return (item for item in alive if item is not None)
