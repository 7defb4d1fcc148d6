"""Retry policies: when a failed attempt is followed by another."""

import copy
from datetime import datetime, timedelta
from typing import ClassVar, NoReturn, Self

from docket_sim.clock import as_utc
from docket_sim.dependencies.base import Immediate
from docket_sim.dependencies.context import AttemptContext
from docket_sim.entropy import Entropy
from docket_sim.errors import RetryRequested
from docket_sim.execution import Reason, Reschedule, TaskCall

_ZERO = timedelta(0)


class Retry(Immediate["Retry"]):
    """Runs a failed task again, each time `delay` after the failure.

    To write a policy of your own, subclass it and give `delay_after`.

    Attributes:
        attempts: how many runs there may be in all; `None` for no limit.
        delay: how long the next attempt will wait, should this one fail. A body may assign it.
        attempt: the number of the present attempt, counted from 1.
        planned: what `delay` was before the body could assign it; `None` outside of an attempt.
    """

    single: ClassVar[bool] = True
    planned: timedelta | None = None

    def __init__(self, attempts: int | None = 1, delay: timedelta = _ZERO) -> None:
        """
        Args:
            attempts: how many runs there may be in all, the first included; `None` for no limit.
            delay: the time from one attempt's failure to the next.

        Raises:
            ValueError: `attempts` below 1, or a negative delay.
        """
        if attempts is not None and (not isinstance(attempts, int) or attempts < 1):
            raise ValueError(
                f"attempts counts runs, so it must be a whole number and at least 1, "
                f"found {attempts!r}; None means no limit"
            )
        _refuse_negative(delay=delay)
        self.attempts = attempts
        self.delay = delay
        self.attempt = 1
        self._asked_for: datetime | None = None

    @classmethod
    def forever(cls, delay: timedelta = _ZERO) -> Self:
        """A policy that never gives up."""
        return cls(attempts=None, delay=delay)

    def delay_after(self, attempt: int, entropy: Entropy) -> timedelta:
        """How long to wait after attempt number `attempt`, counted from 1, has failed.

        Takes its chances, if any, from `entropy`, so that a run can be repeated.
        """
        del attempt, entropy
        return self.delay

    def after(self, delay: timedelta) -> NoReturn:
        """End this attempt and ask for another one after `delay`; it uses up an attempt.

        Raises:
            RetryRequested: always.
            ValueError: a negative delay.
        """
        _refuse_negative(delay=delay)
        self.delay = delay
        raise RetryRequested(f"a retry was asked for in {delay}")

    def at(self, when: datetime) -> NoReturn:
        """End this attempt and ask for another one at `when`; it uses up an attempt.

        Raises:
            RetryRequested: always.
            ValueError: a naive datetime.
        """
        self._asked_for = as_utc(when)
        raise RetryRequested(f"a retry was asked for at {self._asked_for.isoformat()}")

    def provide(self, context: AttemptContext, parameter: str) -> Self:
        """The policy for this attempt: a copy that knows its number and delay."""
        attempt = context.execution.attempt
        policy = copy.copy(self)
        policy.attempt = attempt
        policy.delay = policy.planned = self.delay_after(attempt, context.entropy)
        return policy

    @property
    def asked_for(self) -> datetime | None:
        """The instant that the body has asked for by `at()`, or `None`."""
        return self._asked_for

    def after_failure(
        self, call: TaskCall, error: BaseException, now: datetime
    ) -> Reschedule | None:
        """What follows the failure of `call` with `error` at `now`: another attempt, or `None`.

        Pure: it decides, and the worker acts.
        """
        del error
        if self.attempts is not None and call.attempt >= self.attempts:
            return None
        when = now + self.delay if self._asked_for is None else self._asked_for
        return Reschedule(max(now, when), call.attempt + 1, Reason.RETRY)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(attempts={self.attempts}, delay={self.delay})"


class ExponentialRetry(Retry):
    """Runs a failed task again, waiting twice as long each time.

    After failed attempt n the delay is `min(maximum_delay, minimum_delay * 2**(n - 1))`: with one
    second and 64 seconds it is 1, 2, 4, 8, 16, 32, 64, 64, ... seconds.

    Attributes:
        minimum_delay: the delay after the first attempt.
        maximum_delay: no delay is longer.
        jitter: how much of each delay is left to chance, from 0 to 1: with 0.2, a delay of 10 s
            becomes one of 8 to 10 s. Off by default.
    """

    def __init__(
        self,
        attempts: int | None = 1,
        minimum_delay: timedelta = timedelta(seconds=1),
        maximum_delay: timedelta = timedelta(seconds=64),
        *,
        jitter: float = 0.0,
    ) -> None:
        """
        Args:
            attempts: how many runs there may be in all, the first included; `None` for no limit.
            minimum_delay: the delay after the first attempt.
            maximum_delay: no delay is longer, the first included.
            jitter: how much of each delay is left to chance, from 0 to 1.

        Raises:
            ValueError: `attempts` below 1, a negative delay, or a jitter outside of 0 to 1.
        """
        _refuse_negative(minimum_delay=minimum_delay, maximum_delay=maximum_delay)
        if not 0.0 <= jitter <= 1.0:
            raise ValueError(f"jitter must be from 0 to 1, found {jitter}")
        super().__init__(attempts, min(minimum_delay, maximum_delay))
        self.minimum_delay = minimum_delay
        self.maximum_delay = maximum_delay
        self.jitter = jitter

    @classmethod
    def forever(  # pyright: ignore[reportIncompatibleMethodOverride] - other delays, other names
        cls,
        minimum_delay: timedelta = timedelta(seconds=1),
        maximum_delay: timedelta = timedelta(seconds=64),
        *,
        jitter: float = 0.0,
    ) -> Self:
        """A policy that never gives up."""
        return cls(None, minimum_delay, maximum_delay, jitter=jitter)

    def delay_after(self, attempt: int, entropy: Entropy) -> timedelta:
        """`min(maximum_delay, minimum_delay * 2**(attempt - 1))`, less the jitter."""
        delay = self._capped(attempt - 1)
        if self.jitter:
            delay -= delay * self.jitter * entropy.random()
        return delay

    def _capped(self, doublings: int) -> timedelta:
        if self.minimum_delay <= _ZERO:
            return _ZERO
        # Compared before multiplying: at attempt 10,000 the product fits no timedelta.
        if doublings >= (self.maximum_delay // self.minimum_delay).bit_length():
            return self.maximum_delay
        factor: int = 2**doublings
        return min(self.maximum_delay, self.minimum_delay * factor)

    def __repr__(self) -> str:
        jitter = f", jitter={self.jitter:g}" if self.jitter else ""
        return (
            f"{type(self).__name__}(attempts={self.attempts}, minimum_delay={self.minimum_delay}, "
            f"maximum_delay={self.maximum_delay}{jitter})"
        )


def _refuse_negative(**delays: timedelta) -> None:
    for name, delay in delays.items():
        if not isinstance(delay, timedelta):
            raise TypeError(f"{name} must be a timedelta, found {delay!r}")
        if delay < _ZERO:
            raise ValueError(f"{name} must not be negative, found {delay}")
