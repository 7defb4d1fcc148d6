"""Outcomes on demand: what an attempt is to come to, in place of the task's body or around it."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from docket_sim.dependencies import Body, current_attempt
from docket_sim.errors import InjectedFailure


@dataclass(frozen=True, slots=True)
class Runs:
    """The body runs, and what it returns or raises counts; unless something is to come after it.

    Attributes:
        then: what the attempt comes to once the body has returned: with `Raises`, everything that
            the body does has happened, and yet the attempt fails.
    """

    then: "ScriptedOutcome | None" = None


@dataclass(frozen=True, slots=True)
class Raises:
    """The attempt raises, without running the body.

    Attributes:
        error: an exception, or a class of exceptions that can be made without arguments.
    """

    error: BaseException | type[BaseException]


@dataclass(frozen=True, slots=True)
class Returns:
    """The attempt returns a value, without running the body."""

    value: object = None


@dataclass(frozen=True, slots=True)
class Hangs:
    """The attempt never ends by itself: a timeout, a cancellation or a crash may end it."""


@dataclass(frozen=True, slots=True)
class Takes:
    """Virtual time passes in the body, and then something follows.

    Attributes:
        duration: how much time.
        then: what follows; by default the body runs.
    """

    duration: timedelta
    then: "ScriptedOutcome" = field(default_factory=Runs)


ScriptedOutcome = Runs | Raises | Returns | Hangs | Takes
"""What one attempt is to come to."""


class Script:
    """Says what each attempt at a task comes to, by its number; the others run as they would."""

    def __init__(
        self,
        outcomes: Sequence[ScriptedOutcome] | Mapping[int, ScriptedOutcome],
        *,
        key: str | None = None,
        otherwise: ScriptedOutcome | None = None,
    ) -> None:
        """
        Args:
            outcomes: what the first attempts come to, in order; or those of some by number, counted
                from 1.
            key: the execution that is meant; all of the task's by default.
            otherwise: what any other attempt comes to.

        Raises:
            TypeError: something in `outcomes` is no outcome.
            ValueError: a number below 1, or a negative duration.
        """
        self._by_attempt = dict(
            outcomes.items() if isinstance(outcomes, Mapping) else enumerate(outcomes, start=1)
        )
        self._key = key
        self._otherwise = otherwise
        if otherwise is not None:
            _refuse_nonsense(otherwise)
        for number, outcome in self._by_attempt.items():
            refuse_attempt(number)
            _refuse_nonsense(outcome)

    def next_outcome(self) -> ScriptedOutcome | None:
        """What the attempt that is running comes to, or `None` where nothing is said of it."""
        execution = current_attempt.get().execution
        if self._key is not None and execution.key != self._key:
            return None
        return self._by_attempt.get(execution.attempt, self._otherwise)


async def come_to(outcome: ScriptedOutcome, body: Body, args: Any, kwargs: Any) -> Any:
    """Let the attempt come to `outcome`; `body` is what would run, called with the rest."""
    match outcome:
        case Runs(then=follow_up):
            value = await body(*args, **kwargs)
            return value if follow_up is None else await come_to(follow_up, body, args, kwargs)
        case Raises(error=error):
            raise _fresh(error)
        case Returns(value=value):
            return value
        case Hangs():
            return await asyncio.get_running_loop().create_future()
        case Takes(duration=duration, then=follow_up):
            await asyncio.sleep(duration.total_seconds())
            return await come_to(follow_up, body, args, kwargs)


def failing(
    task: str,
    on_attempts: int | Iterable[int] | None,
    exc: BaseException | type[BaseException] | None,
    *,
    after_body: bool,
    key: str | None,
) -> Script:
    """The script of a task that fails on some attempts, or on all of them if that is `None`."""
    raises = Raises(InjectedFailure(f"{task} was told to fail") if exc is None else exc)
    outcome = Runs(then=raises) if after_body else raises
    if on_attempts is None:
        return Script({}, key=key, otherwise=outcome)
    numbers = [on_attempts] if isinstance(on_attempts, int) else list(on_attempts)
    return Script(dict.fromkeys(numbers, outcome), key=key)


def refuse_attempt(number: object) -> None:
    """Refuse what does not number an attempt.

    Raises:
        ValueError: it is not a whole number from 1.
    """
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"attempts are counted from 1, found {number!r}")


def _fresh(error: BaseException | type[BaseException]) -> BaseException:
    """The error to raise; one that was raised before forgets where."""
    return error() if isinstance(error, type) else error.with_traceback(None)


def _refuse_nonsense(outcome: object) -> None:
    match outcome:
        case Takes(duration=duration, then=follow_up):
            if not isinstance(duration, timedelta) or duration < timedelta(0):
                raise ValueError(f"Takes() needs a timedelta of 0 or more, found {duration!r}")
            _refuse_nonsense(follow_up)
        case Runs(then=follow_up):
            if follow_up is not None:
                _refuse_nonsense(follow_up)
        case Raises(error=error):
            raises = issubclass(error, BaseException) if isinstance(error, type) else True
            if not raises or not isinstance(error, type | BaseException):
                raise TypeError(f"Raises() needs an exception or a class of them, found {error!r}")
            _refuse_unmakeable(error)
        case Returns() | Hangs():
            pass
        case _:
            raise TypeError(
                f"expected an outcome, Raises, Returns, Hangs, Takes or Runs, found {outcome!r}"
            )


def _refuse_unmakeable(error: BaseException | type[BaseException]) -> None:
    """A class whose constructor needs arguments would raise a TypeError in place of its own."""
    if not isinstance(error, type):
        return
    try:
        error()
    except Exception as found:  # noqa: BLE001 - a user's constructor may raise anything
        raise TypeError(
            f"an error that is raised on demand is an exception, or a class of them that can be "
            f"made without arguments, found {error.__name__}, which cannot: {found}. Give an "
            f"instance: {error.__name__}(...)"
        ) from None
