"""Steps: how one slot of an attempt is filled, and the list of them that is a plan.

A plan is walked by the resolver, from the first step to the last; each step reads only slots that
were filled before it.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from docket_sim.dependencies.base import Dependency, Immediate
from docket_sim.dependencies.context import AttemptContext
from docket_sim.dependencies.functional import Factory, FactoryDependency, settle_value
from docket_sim.dependencies.overrides import Override

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
class Provide:
    """Asks an `Immediate` dependency."""

    path: str
    dependency: Immediate[Any]
    parameter: str
    needs: tuple[int, ...] = ()

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        return self.dependency.provide(context, self.parameter)


@dataclass(frozen=True, slots=True)
class Enter:
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
class Make:
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
class Hand:
    """Hands out a value that stands in for what a factory would make."""

    path: str
    value: object
    needs: tuple[int, ...] = ()

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        return self.value


@dataclass(frozen=True, slots=True)
class Share:
    """Asks the worker for its instance.

    Attributes:
        dependency: what it is an instance of.
        plan: how it is made, its own slot being the last.
    """

    path: str
    dependency: FactoryDependency
    plan: "Plan"
    needs: tuple[int, ...] = ()

    async def fill(self, context: AttemptContext, values: Values, stack: AsyncExitStack) -> Any:
        return await context.shared.get(self.dependency, self.plan, context)


@dataclass(slots=True)
class Plan:
    """The steps of one task.

    Attributes:
        task: the task's name, for messages.
        steps: step n fills slot n.
        parameters: which slot each of the task's own parameters takes.
        retry, timeout, perpetual: the slot of that policy, if the task has one.
        overridden: the overrides that have a part in it.
        made_by: what makes each of the instances, in order.
    """

    task: str
    steps: list[Step] = field(default_factory=list[Step])
    parameters: dict[str, int] = field(default_factory=dict[str, int])
    retry: int | None = None
    timeout: int | None = None
    perpetual: int | None = None
    overridden: list[Override] = field(default_factory=list[Override])
    made_by: list[Factory] = field(default_factory=list[Factory])
