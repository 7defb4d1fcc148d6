"""A fake body: it has parameters for some of what the task is called with, and gets just those."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from typing import Any

from docket_sim.dependencies import factory_name
from docket_sim.task import TaskFunction

_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


class FakeBody:
    """Stands in for a task's body: whatever the task calls by a name, it is given by that name."""

    def __init__(self, fake: Callable[..., Any], task: TaskFunction) -> None:
        """
        Args:
            fake: what is called.
            task: in place of whose body.

        Raises:
            TypeError: `fake` needs something that the task does not have.
        """
        self._fake = fake
        self._signature = _signature(fake)
        self._offered = _signature(task).parameters
        self._rest = _of_kind(self._offered, Parameter.VAR_POSITIONAL)
        self._extra = _of_kind(self._offered, Parameter.VAR_KEYWORD)
        self._leading = [name for name, one in self._offered.items() if one.kind in _POSITIONAL]
        missing = [name for name in self._needed if name not in self._offered]
        if missing and self._extra is None:
            raise TypeError(
                f"body={factory_name(fake)} needs {', '.join(missing)}, which "
                f"{factory_name(task)} does not have; it has "
                f"{', '.join(self._offered) or 'no parameters'}"
            )

    def __call__(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Call it with what it has parameters for, of what the body was to be called with."""
        positional = dict(zip(self._leading, args, strict=False))
        rest = tuple(args[len(positional) :])
        given = {**self._defaults, **self._collected(rest, kwargs), **positional, **kwargs}
        parameters = self._signature.parameters
        taken = {
            name: given[name]
            for name, one in parameters.items()
            if one.kind not in _VARIADIC and name in given
        }
        left = {name: value for name, value in positional.items() if name not in taken}
        collects = _of_kind(parameters, Parameter.VAR_POSITIONAL)
        collects_named = _of_kind(parameters, Parameter.VAR_KEYWORD)
        if collects_named is not None:
            named = kwargs if collects is not None else {**left, **kwargs}
            taken[collects_named] = {n: v for n, v in named.items() if n not in taken}
        if collects is not None:
            taken[collects] = (*left.values(), *rest)
        bound = self._signature.bind_partial()
        bound.arguments.update(taken)
        bound.apply_defaults()  # without a gap, what `*args` collects keeps its place
        return self._fake(*bound.args, **bound.kwargs)

    @property
    def _needed(self) -> list[str]:
        """The parameters that the fake has no defaults for."""
        return [
            name
            for name, one in self._signature.parameters.items()
            if one.default is one.empty and one.kind not in _VARIADIC
        ]

    @property
    def _defaults(self) -> dict[str, Any]:
        """The task's defaults for what the fake needs: the caller may have given nothing."""
        offered = {
            name: self._offered[name].default for name in self._needed if name in self._offered
        }
        return {name: one for name, one in offered.items() if one is not Parameter.empty}

    def _collected(self, rest: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What the task's own `*rest` and `**extra` would have collected, by those names."""
        extra = {name: value for name, value in kwargs.items() if name not in self._offered}
        return {
            name: value
            for name, value in ((self._rest, rest), (self._extra, extra))
            if name is not None
        }


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function)
    except ValueError:  # a builtin without a signature takes what it is given
        return inspect.signature(_takes_all)


def _takes_all(*args: Any, **kwargs: Any) -> None: ...


def _of_kind(parameters: Mapping[str, Parameter], kind: object) -> str | None:
    return next((name for name, one in parameters.items() if one.kind is kind), None)
