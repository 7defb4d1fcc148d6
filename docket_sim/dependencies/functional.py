"""Dependencies made by a factory: `Depends` for one attempt, `Shared` for a worker's life."""

import functools
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterator,
    Mapping,
)
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from typing import Any, TypeVar, cast, overload

R = TypeVar("R")

Factory = Callable[..., Any]
"""What makes a dependency: see `Depends`."""


class FactoryDependency:
    """A parameter's default that stands for what a factory makes.

    Attributes:
        factory: what was given to `Depends` or `Shared`.
        bindings: values for parameters of the factory; they may be dependencies themselves.
        shared: whether what it makes belongs to the worker instead of the attempt.
        inside: the overrides inside of which it is asked for, as far as they make a difference.
    """

    def __init__(
        self, factory: Factory, bindings: Mapping[str, Any], *, shared: bool = False
    ) -> None:
        if not callable(factory):
            raise TypeError(
                f"{'Shared' if shared else 'Depends'}() expects a callable, found {factory!r}. "
                f"Pass the function itself, without calling it."
            )
        self.factory = factory
        self.bindings = dict(bindings)
        self.shared = shared
        self.inside: tuple[object, ...] = ()

    def seen_from(self, inside: tuple[object, ...]) -> "FactoryDependency":
        """The same, asked for inside of overrides."""
        seen = FactoryDependency(self.factory, self.bindings, shared=self.shared)
        seen.inside = inside
        return seen

    def same_as(self, other: "FactoryDependency") -> bool:
        """Whether both stand for one instance: the same factory with the same bindings."""
        return (
            self.factory == other.factory
            and (self.shared, self.inside) == (other.shared, other.inside)
            and self.bindings.keys() == other.bindings.keys()
            and all(
                mine is theirs or (type(mine) is type(theirs) and _equal(mine, theirs))
                for mine, theirs in (
                    (self.bindings[name], other.bindings[name]) for name in self.bindings
                )
            )
        )

    def __repr__(self) -> str:
        return f"{'Shared' if self.shared else 'Depends'}({factory_name(self.factory)})"


def _equal(mine: object, theirs: object) -> bool:
    if isinstance(mine, FactoryDependency) and isinstance(theirs, FactoryDependency):
        return mine.same_as(theirs)
    try:
        return bool(mine == theirs)
    except Exception:  # noqa: BLE001 - a user's __eq__ may raise anything, or give no truth
        return False


def factory_name(factory: Factory) -> str:
    """The factory's name as messages show it."""
    while isinstance(factory, functools.partial):
        factory = factory.func
    name = getattr(factory, "__name__", None) or type(factory).__name__
    if name == "<lambda>":
        code = inspect.unwrap(factory).__code__
        return f"lambda at {code.co_filename.rpartition('/')[2]}:{code.co_firstlineno}"
    return str(name)


def entering(factory: Factory) -> Factory:
    """The factory, with an undecorated generator function made a context manager's."""
    for function in (factory, getattr(factory, "__call__", factory)):  # noqa: B004 - an instance's own
        if inspect.isasyncgenfunction(function):
            return asynccontextmanager(cast("Callable[..., AsyncGenerator[Any, None]]", factory))
        if inspect.isgeneratorfunction(function):
            return contextmanager(cast("Callable[..., Generator[Any, None, None]]", factory))
    return factory


async def settle_value(made: Any, stack: AsyncExitStack) -> Any:
    """What a factory's return value stands for: entered, awaited, or itself.

    An awaitable is awaited, and its value is taken as it is: an `async def` that returns a client
    hands over the client, even one that could be entered. A generator that comes out of a lambda or
    a wrapper is what a generator function would have been: entered.
    """
    if inspect.isasyncgen(made) or inspect.isgenerator(made):
        made = _entered_as(made)
    if isinstance(made, AbstractAsyncContextManager):
        return await stack.enter_async_context(cast("AbstractAsyncContextManager[Any]", made))
    if isinstance(made, AbstractContextManager):
        return stack.enter_context(cast("AbstractContextManager[Any]", made))
    if isinstance(made, Awaitable):
        return await cast("Any", made)
    return made


def _entered_as(generator: Any) -> Any:
    """A context manager around a generator that was made already."""

    def made() -> Any:
        return generator

    manage: Any = asynccontextmanager if inspect.isasyncgen(generator) else contextmanager
    return manage(made)()


@overload
def Depends(factory: Callable[..., AbstractAsyncContextManager[R]], **bindings: Any) -> R: ...
@overload
def Depends(factory: Callable[..., AbstractContextManager[R]], **bindings: Any) -> R: ...
@overload
def Depends(factory: Callable[..., AsyncIterator[R]], **bindings: Any) -> R: ...
@overload
def Depends(factory: Callable[..., Iterator[R]], **bindings: Any) -> R: ...
@overload
def Depends(factory: Callable[..., Awaitable[R]], **bindings: Any) -> R: ...
@overload
def Depends(factory: Callable[..., R], **bindings: Any) -> R: ...
def Depends(factory: Factory, **bindings: Any) -> Any:
    """A parameter that receives what `factory` makes, once per attempt.

    Args:
        factory: a function, coroutine function, class or other callable; a function decorated with
            `contextmanager` or `asynccontextmanager`; a generator or async generator function; a
            lambda that returns an awaitable or a context manager. Its own parameters may have
            dependencies as defaults, to any depth.
        bindings: values for parameters of the factory. They may be dependencies, which are resolved
            first.

    What is a context manager or a generator is entered before the body and left after it, in
    reverse order, and sees what the body raised. In one attempt, the same factory with the same
    bindings is one instance.

    Raises:
        TypeError: `factory` is not callable.
    """
    return FactoryDependency(factory, bindings)


@overload
def Shared(factory: Callable[..., AbstractAsyncContextManager[R]]) -> R: ...
@overload
def Shared(factory: Callable[..., AbstractContextManager[R]]) -> R: ...
@overload
def Shared(factory: Callable[..., AsyncIterator[R]]) -> R: ...
@overload
def Shared(factory: Callable[..., Iterator[R]]) -> R: ...
@overload
def Shared(factory: Callable[..., Awaitable[R]]) -> R: ...
@overload
def Shared(factory: Callable[..., R]) -> R: ...
def Shared(factory: Factory) -> Any:
    """A parameter that receives what `factory` makes, once in a worker's life.

    It is made when an attempt first needs it, once even if several do at the same time; when that
    fails, the next attempt tries again. It is torn down when the worker stops. The factory may
    itself depend on what lives as long: other `Shared`s, `CurrentDocket`, `CurrentWorker`, and
    `Depends` on factories that need no more than that.

    Raises:
        TypeError: `factory` is not callable.
    """
    return FactoryDependency(factory, {}, shared=True)
