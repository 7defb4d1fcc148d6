"""Tasks that schedule their own next run."""

import copy
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from docket_sim.clock import as_utc
from docket_sim.dependencies.base import Immediate
from docket_sim.dependencies.context import AttemptContext
from docket_sim.execution import Reason, Reschedule

_ZERO = timedelta(0)


class Perpetual(Immediate["Perpetual"]):
    """Runs a task again and again under one key, whether its runs succeed or fail.

    The next run is due `every` after the start of the present one, or at once when that has passed.
    A run that was retried counts from the start of its last attempt.

    Attributes:
        every: the time from the start of one run to the start of the next.
        automatic: whether a worker schedules the task when it starts, under the task's own name as
            the key. Such a task must not need arguments.
        encode_arguments: encodes the next run's arguments; set while a run is under way.
    """

    single: ClassVar[bool] = True

    def __init__(self, every: timedelta = _ZERO, automatic: bool = False) -> None:
        """
        Args:
            every: the time from the start of one run to the start of the next.
            automatic: whether a worker schedules the task when it starts.

        Raises:
            ValueError: a negative interval.
        """
        if not isinstance(every, timedelta):
            raise TypeError(f"every must be a timedelta, found {every!r}")
        if every < _ZERO:
            raise ValueError(f"every must not be negative, found {every}")
        self.every = every
        self.automatic = automatic
        self._cancelled = False
        self._next: datetime | timedelta | None = None
        self._arguments: bytes | None = None
        self.encode_arguments: Callable[[tuple[Any, ...], Mapping[str, Any]], bytes] | None = None

    def provide(self, context: AttemptContext, parameter: str) -> Self:
        """The policy for this run: a copy of its own."""
        policy = copy.copy(self)
        policy.encode_arguments = context.encode_arguments
        return policy

    def cancel(self) -> None:
        """Let this run be the last."""
        self._cancelled = True

    def perpetuate(self, *args: Any, **kwargs: Any) -> None:
        """Give the next run these arguments instead of this run's.

        Raises:
            TypeError: they do not fit the task's signature.
        """
        assert self.encode_arguments is not None, "this Perpetual is not the one a task received"
        self._arguments = self.encode_arguments(args, kwargs)

    def after(self, delay: timedelta) -> None:
        """Make the next run due `delay` after the end of this one.

        Raises:
            ValueError: a negative delay.
        """
        if delay < _ZERO:
            raise ValueError(f"delay must not be negative, found {delay}")
        self._next = delay

    def at(self, when: datetime) -> None:
        """Make the next run due at `when`.

        Raises:
            ValueError: a naive datetime.
        """
        self._next = as_utc(when)

    def after_run(self, started: datetime, now: datetime) -> Reschedule | None:
        """What follows a run that began at `started` and is over `now`: the next, or `None`.

        Pure: it decides, and the worker acts.
        """
        if self._cancelled:
            return None
        match self._next:
            case timedelta() as delay:
                when = now + delay
            case datetime() as instant:
                when = max(now, instant)
            case None:
                when = max(now, started + self.every)
        return Reschedule(when, 1, Reason.PERPETUAL, self._arguments)

    def __repr__(self) -> str:
        return f"Perpetual(every={self.every}, automatic={self.automatic})"
