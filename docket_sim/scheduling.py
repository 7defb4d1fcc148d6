"""What `docket.add(task)` returns: it is called with the task's arguments, and that is awaited."""

import inspect
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, NoReturn, TypeVar, cast

from docket_sim.clock.utc import as_utc
from docket_sim.events import Source
from docket_sim.execution import Execution

_OWN_PARENTHESES = (
    "The task's own arguments follow in parentheses of their own: "
    "await docket.add(task, when=..., key=...)(argument, ...)"
)

Schedule = Callable[
    [Source | None, tuple[Any, ...], Mapping[str, Any]], Coroutine[Any, Any, Execution]
]


Returned = Callable[[Coroutine[Any, Any, Any], Source | None], None]
"""Is told what is to be awaited, and to which line of code it was returned."""

R = TypeVar("R")


class ToAwait:
    """Looks after what has to be awaited for anything to come of it."""

    __slots__ = ("_told",)

    def __init__(self, told: Returned | None) -> None:
        """
        Args:
            told: is told of each.
        """
        self._told = told

    def __call__(
        self, coroutine: Coroutine[Any, Any, R], shown: str, source: Source | None
    ) -> Coroutine[Any, Any, R]:
        """Return `coroutine`, under the name by which Python warns if nobody awaits it."""
        cast("Any", coroutine).__qualname__ = shown
        if self._told is not None:
            self._told(coroutine, source)
        return coroutine


class Scheduling:
    """Schedules a call, once it is given the task's arguments."""

    __slots__ = ("_schedule", "_shown")

    def __init__(self, schedule: Schedule, shown: str) -> None:
        """
        Args:
            schedule: schedules the call that it is given, on behalf of a line of code.
            shown: how all of it reads in code.
        """
        self._schedule = schedule
        self._shown = shown

    def __call__(self, *args: Any, **kwargs: Any) -> Coroutine[Any, Any, Execution]:
        """Schedule the call with those arguments."""
        __tracebackhide__ = True
        return self._schedule(Source.of_caller(inspect.currentframe()), args, kwargs)

    def __await__(self) -> NoReturn:
        """Nothing is scheduled yet.

        Raises:
            TypeError: always.
        """
        __tracebackhide__ = True
        raise TypeError(
            f"nothing is scheduled yet: the task's arguments are missing, or empty parentheses "
            f"if it takes none. Expected await {self._shown}"
        )


def due_time(when: datetime | None, key: str | None) -> datetime | None:
    """The due time in UTC, once it is sure that it is one, and that the key is a key.

    Raises:
        TypeError: one of them is something else: an argument that was meant for the task, often.
        ValueError: a naive datetime.
    """
    try:
        if key is not None:
            _refuse_no_key(key)
        return None if when is None else as_utc(when)
    except TypeError as error:
        error.add_note(_OWN_PARENTHESES)
        raise


def _refuse_no_key(key: object) -> None:
    if not isinstance(key, str) or not key:
        raise TypeError(f"key must be a non-empty string, found {key!r}")
