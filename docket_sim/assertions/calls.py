"""Calls as an assertion writes them: `call(charge, 7)`, or `any_call(charge, order_id=7)`.

Writing one runs nothing. Arguments are bound to the task's signature, so that `call(charge, 7)` and
`call(charge, order_id=7)` are the same.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, ParamSpec, cast

from docket_sim.assertions.values import (
    MISSING,
    Difference,
    Doubt,
    difference,
    difference_in_each,
    safe_repr,
    wanted,
    wanted_of_each,
    written_alike,
)
from docket_sim.dependencies import factory_name, signature_of
from docket_sim.task import TaskFunction

P = ParamSpec("P")


class ExpectedCall:
    """A call that an assertion looks for; made by `call` and `any_call`.

    Attributes:
        function: the task, or `None` when only its name is given.
        name: the task's name.
        arguments: what is said of its arguments, by name.
        extra: what is said of single ones of those that its `**extra` collects, by name.
        exact: whether arguments that are not named must have their defaults.
    """

    def __init__(
        self,
        function: TaskFunction | None,
        name: str,
        arguments: Mapping[str, object],
        *,
        extra: Mapping[str, object] | None = None,
        exact: bool,
    ) -> None:
        self.function = function
        self.name = name
        self.arguments = dict(arguments)
        self.extra = dict(extra or {})
        self.exact = exact

    def fits(self, found: Mapping[str, object]) -> bool:
        """Whether the arguments `found`, their defaults included, are those that are expected.

        Raises:
            Doubt: comparing some raised, and the others do fit.
        """
        differences = self.differences(found)
        doubts = [one.doubt for one in differences if one.doubt is not None]
        if differences and len(doubts) == len(differences):
            raise Doubt(repr(self), doubts[0]) from doubts[0]
        return not differences

    def differences(self, found: Mapping[str, object]) -> "list[ArgumentDifference]":
        """Where the arguments `found`, their defaults included, are not those that are expected."""
        names = [*self.arguments, *(n for n in found if self.exact and n not in self.arguments)]
        extra = _collected(found)
        pairs = [(n, self.arguments.get(n, MISSING), found.get(n, MISSING)) for n in names]
        pairs += [(n, one, extra.get(n, MISSING)) for n, one in self.extra.items()]
        return [
            ArgumentDifference(name, expected, value, why)
            for name, expected, value in pairs
            if (why := _comparison(name)(expected, value)) is not None
        ]

    def same_as(self, other: "ExpectedCall") -> bool:
        """Whether both are written alike, and so mean the same."""
        mine, theirs = {**self.arguments, **self.extra}, {**other.arguments, **other.extra}
        return (
            self.function == other.function
            and (self.name, self.exact) == (other.name, other.exact)
            and mine.keys() == theirs.keys()
            and all(written_alike(mine[name], theirs[name]) for name in mine)
        )

    def __repr__(self) -> str:
        said = {**dict(self._said()), **self.extra}
        if not self.exact and not said:
            return self.name
        words = [f"{name}={_words(name, value)}" for name, value in said.items()]
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
    """One argument that is not as expected, or not known to be.

    Attributes:
        name: the argument's name.
        doubt: what comparing it raised, or `None` where it differs for certain.
    """

    def __init__(self, name: str, expected: object, found: object, why: Difference) -> None:
        self.name = name
        self.doubt = why.doubt
        self._expected = expected
        self._found = found
        self._remark = why.remark

    def __str__(self) -> str:
        nothing = "no such argument"
        expected = nothing if self._expected is MISSING else _words(self.name, self._expected)
        found = nothing if self._found is MISSING else safe_repr(self._found)
        return f"{self.name}: expected {expected}, found {found}{self._remark}"


def _collected(found: Mapping[str, object]) -> Mapping[str, object]:
    """What `**extra` has collected."""
    for name, value in found.items():
        if name.startswith("**"):
            return cast("Mapping[str, object]", value)
    return {}


def _comparison(name: str) -> Callable[[object, object], Difference | None]:
    return difference_in_each if name.startswith("*") else difference


def _words(name: str, value: object) -> str:
    return wanted_of_each(value) if name.startswith("*") else wanted(value)


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
        raise TypeError(f"call of {task_name(function)}{signature.arguments}: {error}") from None
    whole = signature.with_defaults(arguments)
    ordered = {name: whole[name] for name in signature.argument_types if name in whole}
    return ExpectedCall(function, task_name(function), ordered, exact=True)


def any_call(task: TaskFunction | str, /, **arguments: Any) -> ExpectedCall:
    """Any call of `task` whose arguments are as said here; what is not named may be anything.

    Values as for `call`. Of a task with `**extra`, what that collects can be named one by one.

    Raises:
        TypeError: the task has no argument of such a name; the message offers close ones.
    """
    __tracebackhide__ = True
    if isinstance(task, str):
        return ExpectedCall(None, task, arguments, exact=False)
    function = _refuse_other(task)
    spelled, extra = spelled_out(function, arguments)
    return ExpectedCall(function, task_name(function), spelled, extra=extra, exact=False)


def spelled_out(
    function: TaskFunction, arguments: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """`arguments` as the signature of `function` spells them, and those that its `**extra` takes.

    Raises:
        TypeError: it has no argument of such a name; the message offers close ones.
    """
    __tracebackhide__ = True
    known = signature_of(function).argument_types
    spelled: dict[str, object] = {}
    extra: dict[str, object] = {}
    for name, value in arguments.items():
        spelling = next((one for one in known if one.lstrip("*") == name), None)
        if spelling is not None:
            spelled[spelling] = value
        elif any(one.startswith("**") for one in known):
            extra[name] = value
        else:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise TypeError(
                f"{task_name(function)} has no argument {name}: {hint}"
                f"it has {', '.join(known) or 'none'}"
            )
    return spelled, extra


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


def task_name(function: TaskFunction) -> str:
    """The name of a task in messages: a partial or an instance has none of its own."""
    name = getattr(function, "__name__", None)
    return factory_name(function) if name is None else str(name)


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
