"""A function's signature, read once: which parameters are arguments, and which are dependencies."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeGuard, cast, get_args, get_origin

from docket_sim.dependencies.base import Dependency
from docket_sim.dependencies.current import (
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    TaskArgument,
    TaskKey,
    TaskLogger,
)
from docket_sim.dependencies.functional import Depends, FactoryDependency, Shared

AnyDependency: TypeAlias = Dependency[Any] | FactoryDependency

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_MADE_BY = (
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    Depends,
    Shared,
    TaskArgument,
    TaskKey,
    TaskLogger,
)
_KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def is_dependency(value: object) -> TypeGuard[AnyDependency]:
    """Whether a default value or an annotation's extra stands for a dependency."""
    return isinstance(value, Dependency | FactoryDependency)


class Annotation(NamedTuple):
    """A dependency in an argument's `Annotated[...]`."""

    parameter: str
    dependency: AnyDependency


class Signature:
    """What a function's signature says.

    Attributes:
        arguments: the parameters that callers fill, as a signature of its own.
        dependencies: the parameters that the resolver fills, in resolution order.
        annotations: the dependencies that annotate arguments.
        types: the annotation of every parameter, `Any` where it has none or cannot be resolved.
        returns: the annotation of the return value, `Any` where there is none.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = _parameters(function)
        self.types = {
            name: _resolve(parameter.annotation, function) for name, parameter in parameters.items()
        }
        self.returns = _resolve(_returns(function), function)
        self.dependencies: dict[str, AnyDependency] = {}
        self.annotations: list[Annotation] = []
        injected: dict[str, AnyDependency] = {}
        arguments: list[inspect.Parameter] = []
        for name, parameter in parameters.items():
            _refuse_uncalled(name, parameter.default)
            if is_dependency(parameter.default):
                self.dependencies[name] = parameter.default
                continue
            factory = self._injected_by_annotation(name, parameter)
            if factory is not None:
                injected[name] = factory
                continue
            # A position after a dependency would mean something else to a type checker.
            after = self.dependencies and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            arguments.append(parameter.replace(kind=_KEYWORD_ONLY) if after else parameter)
        self.dependencies.update(injected)  # those of annotations are resolved last
        self.arguments = _signature_of(arguments)
        self._positional = [p.name for p in arguments if p.kind in _POSITIONAL]
        self._by_keyword = {
            p.name
            for p in arguments
            if p.kind not in (inspect.Parameter.POSITIONAL_ONLY, *_VARIADIC)
        }
        self._required = frozenset(
            p.name for p in arguments if p.default is p.empty and p.kind not in _VARIADIC
        )
        self._defaults = {p.name: p.default for p in arguments if p.default is not p.empty}
        self._leading = [p.name for p in parameters.values() if p.kind in _POSITIONAL]
        self._positional_only = [
            p.name for p in parameters.values() if p.kind is inspect.Parameter.POSITIONAL_ONLY
        ]
        self._rest = next(
            (p.name for p in arguments if p.kind is inspect.Parameter.VAR_POSITIONAL), None
        )
        self._extra = next(
            (p.name for p in arguments if p.kind is inspect.Parameter.VAR_KEYWORD), None
        )

    @property
    def argument_types(self) -> dict[str, object]:
        """The annotations of what travels; `*rest` and `**extra` are spelled with their stars."""
        types: dict[str, object] = {}
        for name in self.arguments.parameters:
            if name == self._rest:
                types[f"*{name}"] = tuple[self.types[name], ...]  # type: ignore[name-defined]
            elif name == self._extra:
                types[f"**{name}"] = dict[str, self.types[name]]  # type: ignore[name-defined]
            else:
                types[name] = self.types[name]
        return types

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, object]:
        """The arguments by name, and the dependencies that were given by keyword with them.

        Raises:
            TypeError: the arguments do not fit; the message names the parameter.
        """
        if (
            self._rest is None
            and self._extra is None
            and len(args) <= len(self._positional)
            and kwargs.keys() <= self._by_keyword
        ):
            bound: dict[str, object] = dict(zip(self._positional, args, strict=False))
            if bound.keys().isdisjoint(kwargs):
                bound.update(kwargs)
                if bound.keys() >= self._required:
                    return bound
        return self._bind_with_care(args, kwargs)

    def _bind_with_care(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> dict[str, object]:
        given = {name: value for name, value in kwargs.items() if name in self.dependencies}
        others = {name: value for name, value in kwargs.items() if name not in given}
        bound: dict[str, object] = dict(self.arguments.bind(*args, **others).arguments)
        if self._rest is not None and self._rest in bound:
            bound[f"*{self._rest}"] = bound.pop(self._rest)
        if self._extra is not None and self._extra in bound:
            bound[f"**{self._extra}"] = bound.pop(self._extra)
        return bound | given

    def missing(self, given: Iterable[str]) -> list[str]:
        """The arguments without a default that are not among `given`."""
        there = set(given)
        return [name for name in self.arguments.parameters if name in self._required - there]

    def unknown(self, given: Iterable[str]) -> list[str]:
        """The names among `given` that no parameter has."""
        return [] if self._extra else [name for name in given if name not in self.types]

    def with_defaults(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """`arguments` with the defaults of those that are missing, as dependencies see them."""
        return {**self._defaults, **arguments}

    def spread(self, arguments: Mapping[str, object]) -> tuple[list[Any], dict[str, Any]]:
        """`arguments`, with dependencies among them, as those of a call: positional and keyword."""
        if self._rest is None and self._extra is None and not self._positional_only:
            return [], dict(arguments)
        keywords = dict(arguments)
        rest: Any = keywords.pop(f"*{self._rest}", ())
        extra: Any = keywords.pop(f"**{self._extra}", {})
        leading = self._leading if rest else self._positional_only
        positional = [keywords.pop(name) for name in leading if name in keywords]
        return [*positional, *rest], {**keywords, **extra}

    def _injected_by_annotation(
        self, name: str, parameter: inspect.Parameter
    ) -> FactoryDependency | None:
        """Note the dependencies in `Annotated[...]`; return the one that fills the parameter.

        As in FastAPI, a `Depends` there fills a parameter that has no default of its own.
        """
        found = [extra for extra in _metadata(self.types[name]) if is_dependency(extra)]
        factories = [extra for extra in found if isinstance(extra, FactoryDependency)]
        fills = bool(factories) and parameter.default is parameter.empty
        filling = factories[0] if fills else None
        self.annotations += [Annotation(name, extra) for extra in found if extra is not filling]
        return filling


def signature_of(function: Callable[..., Any]) -> Signature:
    """The signature of `function`, read at the first call only."""
    try:
        return _cached(function)
    except TypeError:  # an unhashable callable, such as an instance of a dataclass
        return Signature(function)


_cached = lru_cache(maxsize=4096)(Signature)


def _refuse_uncalled(name: str, default: object) -> None:
    """`docket: Docket = CurrentDocket`, without the parentheses, would inject the function."""
    of_a_class = isinstance(default, type) and issubclass(cast("Any", default), Dependency)
    if of_a_class or any(default is one for one in _MADE_BY):
        written = getattr(default, "__name__", str(default))
        raise TypeError(
            f"the default of {name} is {written} itself, expected a dependency: "
            f"write {name}={written}(...)"
        )


def _metadata(annotation: object) -> tuple[Any, ...]:
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def _signature_of(parameters: list[inspect.Parameter]) -> inspect.Signature:
    """A signature of `parameters`; where a default now precedes none, keywords must be used."""
    try:
        return inspect.Signature(parameters)
    except ValueError:
        ordered = sorted(parameters, key=lambda p: (p.kind, p.default is not p.empty))
        return inspect.Signature(ordered)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError:  # some builtins have no signature: they are called without arguments
        return {}


def _returns(function: Callable[..., Any]) -> object:
    try:
        return inspect.signature(function).return_annotation
    except ValueError:
        return inspect.Signature.empty


def _resolve(annotation: object, function: Callable[..., Any]) -> object:
    """The annotation as an object; text is looked up in the function's globals and closure."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return type(None) if annotation is None else annotation
    inner = inspect.unwrap(function)
    code_owner = inner if inspect.isfunction(inner) else getattr(inner, "__init__", inner)
    names: dict[str, Any] = dict(getattr(code_owner, "__globals__", {}))
    if inspect.isfunction(code_owner):
        names.update(inspect.getclosurevars(code_owner).nonlocals)
    try:
        resolved: object = eval(annotation, names)  # noqa: S307 - the source's own annotation
    except Exception:  # noqa: BLE001 - a name that exists for type checkers only: untyped
        return Any
    return type(None) if resolved is None else resolved
