"""A plan: the steps by which the dependencies of one task are resolved, worked out once.

What a signature says is turned into a flat list of steps, each filling a numbered slot from slots
filled before it. An attempt walks the list and inspects nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from docket_sim.dependencies.base import Dependency, Immediate, single_kind
from docket_sim.dependencies.context import AttemptContext
from docket_sim.dependencies.functional import (
    Factory,
    FactoryDependency,
    entering,
    factory_name,
    settle_value,
)
from docket_sim.dependencies.perpetual import Perpetual
from docket_sim.dependencies.retry import Retry
from docket_sim.dependencies.signature import (
    AnyDependency,
    Signature,
    is_dependency,
    signature_of,
)
from docket_sim.dependencies.timeout import Timeout
from docket_sim.errors import CycleError

Values = list[Any]
"""What the slots hold."""


class Step(Protocol):
    """Fills one slot.

    Attributes:
        path: from the task's parameter to here, for messages.
        needs: the slots that must be filled before.
    """

    @property
    def path(self) -> str: ...
    @property
    def needs(self) -> tuple[int, ...]: ...

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        """The value of the slot."""
        ...


@dataclass(frozen=True, slots=True)
class _Provide:
    """Asks an `Immediate` dependency."""

    path: str
    dependency: Immediate[Any]
    parameter: str
    needs: tuple[int, ...] = ()

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        return self.dependency.provide(context, self.parameter)


@dataclass(frozen=True, slots=True)
class _Enter:
    """Enters a `Dependency`; one that annotates an argument learns the argument first."""

    path: str
    dependency: Dependency[Any]
    argument: str | None = None
    needs: tuple[int, ...] = ()

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        dependency = self.dependency
        if self.argument is not None:
            value = context.arguments.get(self.argument)
            dependency = dependency.bind_to_parameter(self.argument, value)
        return await stack.enter_async_context(dependency)


@dataclass(frozen=True, slots=True)
class _Make:
    """Calls a factory with constants and with what other slots hold."""

    path: str
    factory: Factory
    constants: Mapping[str, Any]
    slots: Mapping[str, int]
    needs: tuple[int, ...]
    spread: Callable[[Mapping[str, object]], tuple[list[Any], dict[str, Any]]]

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        resolved = {name: values[slot] for name, slot in self.slots.items()}
        args, kwargs = self.spread({**self.constants, **resolved})
        return await settle_value(self.factory(*args, **kwargs), stack)


@dataclass(frozen=True, slots=True)
class _Share:
    """Asks the worker for its instance."""

    path: str
    dependency: FactoryDependency
    needs: tuple[int, ...] = ()

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        return await context.shared.get(self.dependency, context)


@dataclass(slots=True)
class Plan:
    """The steps of one task.

    Attributes:
        task: the task's name, for messages.
        steps: step n fills slot n.
        parameters: which slot each of the task's own parameters takes.
        retry, timeout, perpetual: the slot of that policy, if the task has one.
    """

    task: str
    steps: list[Step] = field(default_factory=list[Step])
    parameters: dict[str, int] = field(default_factory=dict[str, int])
    retry: int | None = None
    timeout: int | None = None
    perpetual: int | None = None


def plan_for(
    task: str,
    signature: Signature,
    *,
    worker_dependencies: Mapping[str, AnyDependency] | None = None,
    given: Sequence[str] = (),
) -> Plan:
    """Work out the plan of one task.

    Args:
        task: the task's name.
        signature: the task's signature.
        worker_dependencies: what a worker adds to every task, by name; resolved first.
        given: the task's dependencies that the caller filled, and that are not resolved.

    Raises:
        CycleError: factories need each other.
        TypeError: a factory cannot be called with what it is given.
        ValueError: a second policy of a kind that a task may have only one of, or a `Shared` that
            needs what an attempt has.
    """
    planner = _Planner(task)
    for name, dependency in (worker_dependencies or {}).items():
        planner.add_root(dependency, f"the worker's {name}", name)
    for name, dependency in signature.dependencies.items():
        if name not in given:
            slot = planner.add_root(dependency, f"parameter {name}", name)
            planner.plan.parameters[name] = slot
    for name, dependency in signature.annotations:
        planner.add_root(dependency, f"the annotation of {name}", name, annotates=name)
    return planner.plan


def plan_shared(dependency: FactoryDependency) -> Plan:
    """Work out the plan of what a `Shared` factory itself needs; its own slot is the last."""
    planner = _Planner(factory_name(dependency.factory), inside_shared=True)
    planner.make(dependency, factory_name(dependency.factory), ())
    return planner.plan


class _Planner:
    def __init__(self, task: str, *, inside_shared: bool = False) -> None:
        self.plan = Plan(task)
        self._inside_shared = inside_shared
        self._made: list[tuple[FactoryDependency, int]] = []
        self._singles: dict[type[Any], str] = {}

    def add_root(
        self, dependency: AnyDependency, place: str, parameter: str, *, annotates: str | None = None
    ) -> int:
        """Plan one dependency of the task itself."""
        self._refuse_second(dependency, place)
        if annotates is not None and isinstance(dependency, Dependency):
            if single_kind(dependency) is not None:
                raise ValueError(
                    f"{place}: {dependency!r} decides over the whole task; make it the default of "
                    f"a parameter of its own."
                )
            return self._append(_Enter(parameter, dependency, annotates))
        slot = self._add(dependency, parameter, parameter, ())
        match dependency:
            case Retry():
                self.plan.retry = slot
            case Timeout():
                self.plan.timeout = slot
            case Perpetual():
                self.plan.perpetual = slot
            case _:
                pass
        return slot

    def _add(
        self,
        dependency: AnyDependency,
        path: str,
        parameter: str,
        above: tuple[FactoryDependency, ...],
    ) -> int:
        if isinstance(dependency, FactoryDependency):
            return self._add_factory(dependency, path, above)
        if self._inside_shared and not dependency.outlives_attempt:
            raise ValueError(
                f"{path}: a Shared factory outlives the attempt, so it cannot need "
                f"{type(dependency).__name__.lstrip('_')}. Use Depends for it, or pass what it "
                f"needs as an argument of its methods."
            )
        if above and single_kind(dependency) is not None:
            raise ValueError(
                f"{path}: {dependency!r} decides over the whole task, so it belongs in the "
                f"signature of {self.plan.task} or among the worker's dependencies, not in that of "
                f"a factory."
            )
        if isinstance(dependency, Immediate):
            return self._append(_Provide(path, dependency, parameter))
        return self._append(_Enter(path, dependency))

    def _add_factory(
        self, dependency: FactoryDependency, path: str, above: tuple[FactoryDependency, ...]
    ) -> int:
        name = factory_name(dependency.factory)
        for place, one in enumerate(above):
            if one.same_as(dependency):
                circle = [factory_name(each.factory) for each in (*above[place:], dependency)]
                raise CycleError(
                    f"the dependencies of {self.plan.task} need each other: {' → '.join(circle)}"
                )
        for made, slot in self._made:
            if made.same_as(dependency):
                return slot
        path = f"{path} ← {name}"
        if dependency.shared:
            _Planner(self.plan.task, inside_shared=True).make(dependency, path, above)
            slot = self._append(_Share(path, dependency))
        else:
            slot = self.make(dependency, path, above)
        self._made.append((dependency, slot))
        return slot

    def make(
        self, dependency: FactoryDependency, path: str, above: tuple[FactoryDependency, ...]
    ) -> int:
        """Plan the call of a factory, and before it what it needs."""
        inner = (*above, dependency)
        signature = signature_of(dependency.factory)
        needed = {**signature.dependencies, **dependency.bindings}
        self._refuse_misfit(dependency, signature, path)
        slots: dict[str, int] = {}
        constants: dict[str, Any] = {}
        for name, value in needed.items():
            if is_dependency(value):
                slots[name] = self._add(value, path, name, inner)
            else:
                constants[name] = value
        needs = tuple(slots.values())
        factory = entering(dependency.factory)
        return self._append(_Make(path, factory, constants, slots, needs, signature.spread))

    def _refuse_misfit(
        self, dependency: FactoryDependency, signature: Signature, path: str
    ) -> None:
        missing = signature.missing(dependency.bindings)
        unknown = signature.unknown(dependency.bindings)
        if missing or unknown:
            what = f"nothing gives it {', '.join(missing)}" if missing else ""
            extra = f"it has no parameter {', '.join(unknown)}" if unknown else ""
            raise TypeError(
                f"{path}: {factory_name(dependency.factory)} cannot be called: "
                f"{' and '.join(filter(None, (what, extra)))}. Give its parameters defaults, such "
                f"as TaskArgument(), or bind them: Depends(factory, name=value)."
            )

    def _append(self, step: Step) -> int:
        self.plan.steps.append(step)
        return len(self.plan.steps) - 1

    def _refuse_second(self, dependency: AnyDependency, place: str) -> None:
        if not isinstance(dependency, Dependency) or (kind := single_kind(dependency)) is None:
            return
        first = self._singles.setdefault(kind, place)
        if first != place:
            raise ValueError(
                f"{self.plan.task} may have one {kind.__name__}, found two: {first} and {place}. "
                f"Remove one of them."
            )
