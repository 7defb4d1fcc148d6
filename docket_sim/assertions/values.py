"""Values as an assertion expects them: equal, accepted by a function, or instances of a class.

Comparing runs the user's own code, which may raise. Then it is not known whether the value fits: it
is a `Doubt`, which no assertion may take for a yes or a no.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, cast

_SHOWN = 60
_SHOWN_OF_ERRORS = 200


class Doubt(AssertionError):
    """Comparing raised, and nothing else decides.

    Attributes:
        error: what it raised.
    """

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__(f"it cannot be told whether {what} fits: {raised(error)}")
        self.error = error


@dataclass(frozen=True, slots=True)
class Difference:
    """That a value is not known to be as expected.

    Attributes:
        remark: what is to be said besides, often nothing.
        doubt: what comparing them raised, or `None` where they differ for certain.
    """

    remark: str = ""
    doubt: Exception | None = None


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


MISSING = _Missing()
"""Stands for a value that is not there."""


def difference(expected: object, found: object) -> Difference | None:
    """Why `found` is not as expected, or `None` where it is.

    Raises:
        TypeError: a predicate has answered with a coroutine or a generator.
    """
    if expected is MISSING or found is MISSING:
        return None if expected is found else Difference()
    try:
        answer = _answer(expected, found)
        late = inspect.isawaitable(answer) or inspect.isgenerator(answer)
        if not late and answer:
            return None
    except Exception as error:  # noqa: BLE001 - a user's __eq__ or predicate may raise anything
        return Difference(f" ({raised(error)})", error)
    if late:
        _refuse_late(expected, answer)
    return Difference(_alike(expected, found))


def difference_in_each(expected: object, found: object) -> Difference | None:
    """As `difference`, for what `*rest` or `**extra` have collected: value by value."""
    mine, theirs = _by_place(expected), _by_place(found)
    if mine is None or theirs is None:
        return difference(expected, found)
    if mine.keys() != theirs.keys():
        return Difference()
    return gravest([difference(mine[place], theirs[place]) for place in mine])


def gravest(differences: "list[Difference | None]") -> Difference | None:
    """The difference that decides for all of them: a certain one comes before a doubt."""
    there = [one for one in differences if one is not None]
    return min(there, key=lambda one: one.doubt is not None, default=None)


def fits(expected: object, found: object, what: str) -> bool:
    """Whether `found` is what is expected: equal to it, accepted by it, or an instance of it.

    Raises:
        Doubt: comparing raised; it says so of `what`.
        TypeError: as `difference`.
    """
    return settled(difference(expected, found), what)


def settled(found: Difference | None, what: str) -> bool:
    """Whether there is no difference.

    Raises:
        Doubt: that is not known; it says so of `what`.
    """
    if found is not None and found.doubt is not None:
        raise Doubt(what, found.doubt) from found.doubt
    return found is None


def raised(error: BaseException) -> str:
    """What comparing has raised, in words."""
    return f"comparing them raised {safe_repr(error, _SHOWN_OF_ERRORS)}"


def safe_repr(value: object, limit: int = _SHOWN) -> str:
    """`repr(value)`, cut to `limit` characters; one that raises says so, and hides nothing else."""
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{type(value).__name__}: repr() raised {type(error).__name__}>"
    text = text.replace("\n", " ")
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def wanted(value: object) -> str:
    """What is expected of a value, in words."""
    if isinstance(value, type):
        return f"an instance of {value.__name__}"
    if is_predicate(value):
        code: Any = getattr(value, "__code__", None)
        where = f" ({PurePath(code.co_filename).name}:{code.co_firstlineno})" if code else ""
        name = getattr(value, "__name__", type(value).__name__)
        return f"what {'the lambda' if name == '<lambda>' else name}{where} accepts"
    return safe_repr(value)


def wanted_of_each(value: object) -> str:
    """What is expected of the values that `*rest` or `**extra` collect, in words."""
    match value:
        case Mapping():
            named = cast("Mapping[object, object]", value)
            return f"{{{', '.join(f'{name!r}: {wanted(one)}' for name, one in named.items())}}}"
        case tuple():
            rest = cast("tuple[object, ...]", value)
            return f"({', '.join(map(wanted, rest))}{',' if len(rest) == 1 else ''})"
        case _:
            return wanted(value)


def is_predicate(value: object) -> bool:
    """Whether a value is a function that is to be asked, and not one to be compared with."""
    return callable(value) and not isinstance(value, type) and _has_plain_eq(value)


def written_alike(one: object, other: object) -> bool:
    """Whether two expectations of a value mean the same. Neither is asked about the other."""
    if one is other:
        return True
    if type(one) is not type(other) or is_predicate(one) or isinstance(one, type):
        return False
    return difference(one, other) is None


def _by_place(value: object) -> Mapping[object, object] | None:
    """Collected values by their names or places, or `None` for what is no collection."""
    if isinstance(value, Mapping):
        return cast("Mapping[object, object]", value)
    if isinstance(value, list | tuple):
        return dict(enumerate(cast("tuple[object, ...]", value)))
    return None


def _has_plain_eq(value: object) -> bool:
    return type(value).__eq__ in (object.__eq__, type(_has_plain_eq).__eq__) or inspect.isroutine(
        value
    )


def _answer(expected: Any, found: object) -> object:
    # What is the same object fits, also where it is not equal to itself, as `nan`.
    if expected is found or bool(expected == found):
        return True
    if isinstance(expected, type):
        return isinstance(found, expected)
    return is_predicate(expected) and expected(found)


def _refuse_late(expected: object, answer: object) -> None:
    """A coroutine or generator is true, whatever it would come to."""
    __tracebackhide__ = True
    if inspect.iscoroutine(answer):
        answer.close()
    raise TypeError(
        f"{wanted(expected).removeprefix('what ').removesuffix(' accepts')} was asked whether a "
        f"value fits, expected True or False, found a {type(answer).__name__}: make it a plain "
        f"function that returns its answer"
    )


def _alike(expected: object, found: object) -> str:
    """What is to be said of values that look alike, and yet differ."""
    shown = safe_repr(expected)
    if shown.endswith("…") or shown != safe_repr(found):
        return ""
    types = [f"{type(one).__module__}.{type(one).__qualname__}" for one in (expected, found)]
    if types[0] != types[1]:
        return f" (of another type: expected {types[0]}, found {types[1]})"
    if type(expected).__eq__ is object.__eq__:
        return f" (another object, and {type(expected).__name__} has no __eq__ to compare by)"
    return " (they look alike, but == says that they differ)"
