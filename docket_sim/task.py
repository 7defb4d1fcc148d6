"""A task: a function under a name, with all that its signature says worked out."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from docket_sim.codec import Codec, TaskCodec, TaskTypes
from docket_sim.dependencies import (
    AnyDependency,
    Overrides,
    Perpetual,
    Plan,
    Signature,
    plan_for,
    signature_of,
)
from docket_sim.errors import PayloadError, UnknownTask

TaskFunction = Callable[..., Awaitable[Any]]
"""What can be a task: a callable that returns an awaitable.

Annotate a collection with it: `tasks: list[TaskFunction] = [charge, review]`.
"""

_SHOWN = 60
_ROUTINES = (FunctionType, BuiltinFunctionType, MethodType)


class Task:
    """A function registered under a name.

    Attributes:
        name: what the store knows it by.
        function: the body.
        signature: what its signature says.
        codec: turns its values to bytes and back.
    """

    def __init__(self, function: TaskFunction, name: str, codec: Codec) -> None:
        """
        Raises:
            TypeError: the function is not one that returns an awaitable.
            CycleError: the function's dependencies need each other.
            ValueError: the function has two policies of one kind.
        """
        _refuse_plain(function, name)
        self.name = name
        self.function = function
        self.signature: Signature = signature_of(function)
        self.codec: TaskCodec = codec.for_task(_types_of(self.signature, name))
        self._codec_maker = codec
        self._full_codec: TaskCodec | None = None
        self.plan: Plan = plan_for(name, self.signature)
        self._refuse_automatic_with_arguments()

    @property
    def perpetual(self) -> Perpetual | None:
        """The task's `Perpetual`, if it has one."""
        for dependency in self.signature.dependencies.values():
            if isinstance(dependency, Perpetual):
                return dependency
        return None

    def _refuse_automatic_with_arguments(self) -> None:
        required = self.signature.missing(())
        if self.perpetual is not None and self.perpetual.automatic and required:
            raise ValueError(
                f"{self.name} is a Perpetual(automatic=True), which a worker schedules without "
                f"arguments, found that it needs {', '.join(required)}. Give them defaults."
            )

    def plan_with(
        self,
        worker_dependencies: Mapping[str, AnyDependency],
        given: Iterable[str] = (),
        overrides: Overrides | None = None,
    ) -> Plan:
        """The plan for a worker with dependencies of its own, for a call that fills some, or with
        overrides in place.
        """
        overrides = overrides or Overrides()
        return plan_for(
            self.name,
            self.signature,
            worker_dependencies=worker_dependencies,
            given=tuple(given),
            overrides=overrides,
            policies=overrides.policies_of(self.function),
        )

    def encode(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bytes:
        """The arguments of a call as bytes.

        Raises:
            TypeError: they do not fit the signature, or cannot travel.
        """
        __tracebackhide__ = True
        try:
            arguments = self.signature.bind(args, kwargs)
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature.arguments}: {error}") from None
        if self.given_in(arguments):
            return self._codec_with_dependencies().encode_arguments(arguments)
        return self.codec.encode_arguments(arguments)

    def decode(self, payload: bytes) -> dict[str, object]:
        """The arguments by name, and the dependencies that the caller filled.

        Raises:
            PayloadError: the bytes cannot be read.
        """
        try:
            return self.codec.decode_arguments(payload)
        except PayloadError:
            if not self.signature.dependencies:
                raise
            try:
                return self._codec_with_dependencies().decode_arguments(payload)
            except PayloadError:
                pass
            raise

    def given_in(self, arguments: Mapping[str, object]) -> list[str]:
        """Which of the task's dependencies are among `arguments`."""
        dependencies = self.signature.dependencies
        return [name for name in arguments if name in dependencies] if dependencies else []

    def describe(self, payload: bytes) -> str:
        """The call as it reads in code, such as `charge(order_id=7)`; never raises."""
        try:
            arguments = self.decode(payload)
        except Exception:  # noqa: BLE001 - decoding builds the user's own classes
            return f"{self.name}(<unreadable>)"
        return f"{self.name}({', '.join(f'{n}={_shown(v)}' for n, v in arguments.items())})"

    def _codec_with_dependencies(self) -> TaskCodec:
        """The codec for a call that fills dependencies by keyword; rare, so made when needed."""
        if self._full_codec is None:
            types = self.signature.argument_types
            types.update((name, self.signature.types[name]) for name in self.signature.dependencies)
            self._full_codec = self._codec_maker.for_task(self._types(types))
        return self._full_codec

    def _types(self, arguments: Mapping[str, object]) -> TaskTypes:
        return TaskTypes(self.name, arguments, self.signature.returns)


@functools.lru_cache(maxsize=4096)
def _types_of(signature: Signature, name: str) -> TaskTypes:
    """What a codec goes by: one object for all dockets, so that it need look once only."""
    return TaskTypes(name, signature.argument_types, signature.returns)


class Registry:
    """The tasks of one docket by name."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._by_name: dict[str, Task] = {}

    def add(self, function: TaskFunction, name: str | None = None) -> Task:
        """Register `function` under `name`, by default its own.

        Registering the same function again changes nothing.

        Raises:
            ValueError: another function has that name.
        """
        name = name or name_of(function)
        task = self._by_name.get(name)
        if task is None:
            task = self._by_name[name] = Task(function, name, self._codec)
        elif task.function != function:
            raise ValueError(
                f"the task name {name!r} belongs to {_place(task.function)}; "
                f"{_place(function)} needs another: register(function, names=[...])"
            )
        return task

    def task_of(self, function: TaskFunction | str) -> Task:
        """The task that `function` is, registered if need be; it may have other names than its own.

        Raises:
            UnknownTask: the name of no task.
            TypeError, ValueError: as `add`.
        """
        if isinstance(function, str):
            return self.find(function)
        task = self._by_name.get(getattr(function, "__name__", ""))
        if task is None or task.function != function:
            # A partial or an instance has no name of its own, and goes by what it was given.
            task = next((one for one in self if one.function == function), None)
        return self.add(function) if task is None else task

    def find(self, name: str) -> Task:
        """The task called `name`.

        Raises:
            UnknownTask: there is none; the message offers close matches.
        """
        task = self._by_name.get(name)
        if task is None:
            near = get_close_matches(name, self._by_name)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise UnknownTask(
                f"this docket knows no task {name!r}: {hint}it knows {self.names()}. "
                f"Register it: docket.register(function), or simulate(tasks=[...])."
            )
        return task

    def names(self) -> str:
        """The names in one line, for messages."""
        return ", ".join(sorted(self._by_name)) or "no tasks"

    def codec_of(self, name: str) -> TaskCodec:
        """The codec of the task called `name`; an untyped one, where the task is not known."""
        task = self._by_name.get(name)
        return self._codec.for_task(TaskTypes(name, {}, Any)) if task is None else task.codec

    def decode(self, name: str, payload: bytes) -> dict[str, object]:
        """The arguments of a call of the task called `name`, as far as it is known.

        Raises:
            PayloadError: the bytes cannot be read.
        """
        task = self._by_name.get(name)
        return (
            self.codec_of(name).decode_arguments(payload) if task is None else task.decode(payload)
        )

    def __iter__(self) -> Iterator[Task]:
        return iter(self._by_name.values())


def name_of(function: TaskFunction) -> str:
    """The name that a function is registered under unless another is given."""
    name = getattr(function, "__name__", None)
    if name is None:
        raise TypeError(
            f"{function!r} has no __name__ to be registered under; "
            f"give it one: register(function, names=[...])"
        )
    return str(name)


def _refuse_plain(function: TaskFunction, name: str) -> None:
    inner = _innermost(function)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inner):
        return
    if inspect.isfunction(inner) and _returns_awaitable(inner):
        return
    raise TypeError(
        f"a task is a callable that returns an awaitable, found {name!r}, which does not. "
        f"Make it `async def`; blocking work belongs in asyncio.to_thread() inside one."
    )


def _innermost(function: Any) -> Any:
    """The function behind partials, bound methods and callable instances."""
    inner = function
    while issubclass(type(inner), functools.partial):
        inner = inner.func
    if issubclass(type(inner), type):
        return inner
    if not issubclass(type(inner), _ROUTINES):
        inner = getattr(inner, "__call__", inner)  # noqa: B004 - its own __call__
    return getattr(inner, "__func__", inner)


def _returns_awaitable(function: Callable[..., Any]) -> bool:
    """Whether a plain function says that it returns an awaitable, or wraps one that does."""
    returns = signature_of(function).returns
    origin = getattr(returns, "__origin__", returns)
    if isinstance(origin, type) and issubclass(origin, Awaitable):
        return True
    wrapped = getattr(function, "__wrapped__", None)
    return wrapped is not None and inspect.iscoroutinefunction(inspect.unwrap(wrapped))


def _place(function: Callable[..., Any]) -> str:
    module = getattr(function, "__module__", "?")
    return f"{module}.{getattr(function, '__qualname__', repr(function))}"


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        text = f"<{type(value).__name__}: repr() raised {type(error).__name__}>"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
