"""A limit on how long a task's body may run."""

import asyncio
import copy
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, ClassVar, Self

from docket_sim.dependencies.base import Immediate
from docket_sim.dependencies.context import AttemptContext
from docket_sim.errors import DocketError

_ZERO = timedelta(0)
_LONGEST = float(timedelta.max // timedelta(seconds=1))


class Timeout(Immediate["Timeout"]):
    """Cancels the body when it has run for `base`, its own cleanup awaited.

    The time is the event loop's. Resolving and tearing down dependencies do not count.

    Attributes:
        base: how long the body may run, unless extended.
        of: whose limit it is, for messages.
    """

    single: ClassVar[bool] = True

    def __init__(self, base: timedelta) -> None:
        """
        Args:
            base: how long the body may run.

        Raises:
            ValueError: a limit of zero or less.
        """
        if not isinstance(base, timedelta):
            raise TypeError(f"a timeout must be a timedelta, found {base!r}")
        if base <= _ZERO:
            raise ValueError(f"a timeout must be longer than zero, found {base}")
        self.base = base
        self._limit = base
        self._scope: asyncio.Timeout | None = None
        self.of = ""

    def provide(self, context: AttemptContext, parameter: str) -> Self:
        """The limit for this attempt: a copy of its own."""
        limit = copy.copy(self)
        limit.of = f"{context.execution.function_name} ({context.execution.key!r})"
        return limit

    def extend(self, by: timedelta | None = None) -> None:
        """Move the deadline back by `by`, or by `base`.

        Raises:
            ValueError: a negative extension.
            DocketError: the body is not running, or the deadline has passed.
        """
        by = self.base if by is None else by
        if by < _ZERO:
            raise ValueError(f"a timeout can only be extended, found {by}")
        scope, deadline = self._running()
        if scope.expired():
            raise DocketError(f"the timeout of {self._limit} has passed: it is too late to extend")
        scope.reschedule(deadline + by.total_seconds())
        self._limit += by

    def remaining(self) -> timedelta:
        """How much time the body has left; zero when the deadline has passed.

        Raises:
            DocketError: the body is not running.
        """
        _, deadline = self._running()
        seconds = deadline - asyncio.get_running_loop().time()
        return timedelta(seconds=min(max(0.0, seconds), _LONGEST))

    def expired(self) -> bool:
        """Whether the deadline has passed, even if the body has not noticed or took no heed."""
        return self._scope is not None and self._scope.expired()

    async def run(self, body: Awaitable[Any]) -> Any:
        """Await `body` within the limit.

        Raises:
            TimeoutError: the deadline passed before the body ended; the message names the task,
                its key and the limit. A `TimeoutError` of the body itself passes through.
        """
        self._scope = asyncio.timeout(self._limit.total_seconds())
        try:
            async with self._scope:
                value = await body
        except BaseException as error:
            if self.expired() and not isinstance(error, asyncio.CancelledError):
                raise self._timed_out() from error
            raise
        if self.expired():  # the body swallowed the cancellation
            raise self._timed_out()
        return value

    def _timed_out(self) -> TimeoutError:
        return TimeoutError(f"{self.of} ran longer than its timeout of {self._limit}")

    def _running(self) -> tuple[asyncio.Timeout, float]:
        if self._scope is None or (deadline := self._scope.when()) is None:
            raise DocketError(
                "a Timeout can be asked and extended only while the task's body runs; "
                "declare it as a parameter: timeout: Timeout = Timeout(...)"
            )
        return self._scope, deadline

    def __repr__(self) -> str:
        return f"Timeout({self.base})"
