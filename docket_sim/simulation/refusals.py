"""What a simulation cannot be made of, and what it cannot be asked for, refused in words."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from docket_sim.assertions import ExpectedCall, Instant
from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import instant_of
from docket_sim.task import Task, TaskFunction


def flag(name: str, given: object) -> bool:
    """A setting that is `True` or `False`: the text "no" would be true.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(given, bool):
        raise TypeError(f"{name}= is True or False, found {given!r}")
    return given


def count(name: str, given: object) -> int:
    """A setting that counts something.

    Raises:
        TypeError: it is no whole number.
    """
    if not isinstance(given, int) or isinstance(given, bool):
        raise TypeError(f"{name}= is a whole number, found {given!r}")
    return given


def steps(given: object) -> int:
    """How many steps of the loop there may be without progress.

    Raises:
        TypeError: it is no whole number.
        ValueError: there is none.
    """
    number = count("steps", given)
    if number < 1:
        raise ValueError(f"steps= is 1 or more, found {number}")
    return number


def ttl(given: object) -> timedelta:
    """How long results are kept.

    Raises:
        TypeError: it is no timedelta.
        ValueError: it is negative.
    """
    if not isinstance(given, timedelta):
        raise TypeError(f"execution_ttl= is a timedelta, found {given!r}")
    if given < timedelta(0):
        raise ValueError(f"execution_ttl= must not be negative, found {given}")
    return given


def pending(given: bool | Literal["future"]) -> bool | Literal["future"]:
    """What may be left over at the end.

    Raises:
        ValueError: it is something else.
    """
    if isinstance(given, bool) or given == "future":
        return given
    raise ValueError(f"allow_pending is True, False or 'future', found {given!r}")


def instant_to_come(when: Instant, clock: VirtualClock) -> datetime:
    """An instant that is not past.

    Raises:
        ValueError: a naive datetime, or one in the past.
    """
    __tracebackhide__ = True
    instant, now = instant_of(when, clock.start), clock.now()
    if instant < now:
        raise ValueError(
            f"expected an instant that is not past, found {instant.isoformat()}; "
            f"it is {now.isoformat()}"
        )
    return instant


def tasks_in(given: object) -> list[TaskFunction]:
    """The tasks that a simulation begins with.

    Raises:
        TypeError: it is not a list of tasks.
    """
    if callable(given) or not isinstance(given, Iterable):
        raise TypeError(
            f"tasks= is a list of tasks, or a collection as 'module:attribute', found {given!r}; "
            f"write one task as tasks=[task]"
        )
    tasks = list(cast("Iterable[object]", given))
    for one in tasks:
        if isinstance(one, ExpectedCall) or not callable(one):
            raise TypeError(f"tasks= lists tasks, found {one!r}: name the task's function itself")
    return cast("list[TaskFunction]", tasks)


def refuse_swallowed(
    task: Task, args: tuple[Any, ...], kwargs: Mapping[str, Any], taken: Mapping[str, bool]
) -> None:
    """Refuse what `perform()` takes for itself though the task has a parameter of that name.

    Args:
        task: what is performed.
        args, kwargs: what it is given.
        taken: for each name that `perform()` takes, whether it was given.

    Raises:
        TypeError: one was given, and the task's own has no value.
    """
    __tracebackhide__ = True
    bound = task.signature.bind(args, kwargs)
    for name, given in taken.items():
        if given and name in task.signature.arguments.parameters and name not in bound:
            raise TypeError(
                f"perform({task.name}, {name}=...) takes {name}= for itself, and {task.name} has "
                f"an argument of that name, which has no value: give that one by position"
            )
