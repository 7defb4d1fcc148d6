"""Calls as an assertion writes them: `call(charge, 7)`, or `any_call(charge, order_id=7)`.

Writing one runs nothing. Arguments are bound to the task's signature, so that `call(charge, 7)` and
`call(charge, order_id=7)` are the same.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any, ParamSpec, cast

from docket_sim.dependencies import signature_of
from docket_sim.task import TaskFunction, name_of

P = ParamSpec("P")

_SHOWN = 60


class ExpectedCall:
    """A call that an assertion looks for; made by `call` and `any_call`.

    Attributes:
        function: the task, or `None` when only its name is given.
        name: the task's name.
        arguments: what is said of its arguments, by name.
        exact: whether arguments that are not named must have their defaults.
    """

    def __init__(
        self,
        function: TaskFunction | None,
        name: str,
        arguments: Mapping[str, object],
        *,
        exact: bool,
    ) -> None:
        self.function = function
        self.name = name
        self.arguments = dict(arguments)
        self.exact = exact

    def differences(self, found: Mapping[str, object]) -> "list[ArgumentDifference]":
        """Where the arguments `found`, their defaults included, are not those that are expected."""
        names = [*self.arguments, *(n for n in found if self.exact and n not in self.arguments)]
        return [
            difference
            for name in names
            if (difference := self._difference(name, found)) is not None
        ]

    def _difference(self, name: str, found: Mapping[str, object]) -> "ArgumentDifference | None":
        expected = self.arguments.get(name, _MISSING)
        actual = found.get(name, _MISSING)
        problem = _problem(expected, actual)
        return None if problem is None else ArgumentDifference(name, expected, actual, problem)

    def same_as(self, other: "ExpectedCall") -> bool:
        """Whether both are written alike, and so mean the same."""
        mine, theirs = self.arguments, other.arguments
        return (
            self.function == other.function
            and (self.name, self.exact) == (other.name, other.exact)
            and mine.keys() == theirs.keys()
            and all(mine[name] is theirs[name] or fits(mine[name], theirs[name]) for name in mine)
        )

    def __repr__(self) -> str:
        if not self.exact and not self.arguments:
            return self.name
        words = [f"{name}={wanted(value)}" for name, value in self._said()]
        return f"{self.name}({', '.join([*words, *(() if self.exact else ('...',))])})"

    def _said(self) -> Iterator[tuple[str, object]]:
        """What the test itself has said: an argument that has its default need not be shown."""
        defaults: Mapping[str, object] = {}
        if self.exact and self.function is not None:
            defaults = _defaults(self.function)
        for name, value in self.arguments.items():
            if name not in defaults or value is not defaults[name]:
                yield name, value


class ArgumentDifference:
    """One argument that is not as expected."""

    def __init__(self, name: str, expected: object, found: object, problem: str) -> None:
        self.name = name
        self._expected = expected
        self._found = found
        self._problem = problem

    def __str__(self) -> str:
        expected = "no such argument" if self._expected is _MISSING else wanted(self._expected)
        found = "no such argument" if self._found is _MISSING else safe_repr(self._found)
        return f"{self.name}: expected {expected}, found {found}{self._problem}"


def call(task: Callable[P, Awaitable[Any]], /, *args: P.args, **kwargs: P.kwargs) -> ExpectedCall:
    """The call of `task` with just these arguments; those left out have their defaults.

    Any value may also be an object with an `==` of its own, such as `mock.ANY` or `pytest.approx`;
    a function, which is then asked whether the value is right; or a class of which it is to be an
    instance. For a type checker those fit into `any_call`.

    Raises:
        TypeError: `task` is no function, or the arguments do not fit its signature.
    """
    __tracebackhide__ = True
    function = _refuse_other(task)
    signature = signature_of(function)
    try:
        arguments = signature.bind(args, kwargs)
    except TypeError as error:
        raise TypeError(f"call of {name_of(function)}{signature.arguments}: {error}") from None
    whole = signature.with_defaults(arguments)
    ordered = {name: whole[name] for name in signature.argument_types if name in whole}
    return ExpectedCall(function, name_of(function), ordered, exact=True)


def any_call(task: TaskFunction | str, /, **arguments: Any) -> ExpectedCall:
    """Any call of `task` whose arguments are as said here; what is not named may be anything.

    Values as for `call`.

    Raises:
        TypeError: the task has no argument of such a name; the message offers close ones.
    """
    __tracebackhide__ = True
    if isinstance(task, str):
        return ExpectedCall(None, task, arguments, exact=False)
    function = _refuse_other(task)
    known = signature_of(function).argument_types
    spelled: dict[str, object] = {}
    for name, value in arguments.items():
        spelling = next((one for one in known if one.lstrip("*") == name), None)
        if spelling is None:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise TypeError(
                f"{name_of(function)} has no argument {name}: {hint}"
                f"it has {', '.join(known) or 'none'}"
            )
        spelled[spelling] = value
    return ExpectedCall(function, name_of(function), spelled, exact=False)


def expected_call(what: object) -> ExpectedCall:
    """What an assertion was given, as an expected call; a bare task is any call of it.

    Raises:
        TypeError: it is neither a task, nor a name, nor a call as `call` writes it.
    """
    __tracebackhide__ = True
    if isinstance(what, ExpectedCall):
        return what
    if isinstance(what, str):
        return any_call(what)
    return any_call(_refuse_other(what))


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


def is_predicate(value: object) -> bool:
    """Whether a value is a function that is to be asked, and not one to be compared with."""
    return callable(value) and not isinstance(value, type) and _has_plain_eq(value)


def _has_plain_eq(value: object) -> bool:
    return type(value).__eq__ in (object.__eq__, type(_has_plain_eq).__eq__) or inspect.isroutine(
        value
    )


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


_MISSING = _Missing()


def fits(expected: object, found: object) -> bool:
    """Whether `found` is what is expected: equal to it, accepted by it, or an instance of it."""
    return _problem(expected, found) is None


def _problem(expected: object, found: object) -> str | None:
    """`None` where `found` is as expected, else what is to be said besides, often nothing."""
    if expected is _MISSING or found is _MISSING:
        return None if expected is found else ""
    try:
        return None if _accepts(expected, found) else ""
    except Exception as error:  # noqa: BLE001 - a user's __eq__ or predicate may raise anything
        return f" (comparing them raised {safe_repr(error)})"


def _accepts(expected: Any, found: object) -> bool:
    if bool(expected == found):
        return True
    if isinstance(expected, type):
        return isinstance(found, expected)
    return is_predicate(expected) and bool(expected(found))


def _defaults(function: TaskFunction) -> Mapping[str, object]:
    return signature_of(function).with_defaults({})


def _refuse_other(task: Any) -> TaskFunction:
    __tracebackhide__ = True
    if inspect.iscoroutine(task):
        name = str(task.__qualname__).rpartition(".")[2]
        task.close()  # it was written to be compared, not to be run
        raise TypeError(f"{name}(...) makes a coroutine; write call({name}, ...) for an assertion")
    if not callable(cast("object", task)):
        raise TypeError(f"expected a task, its name, or call(task, ...), found {safe_repr(task)}")
    return cast("TaskFunction", task)
