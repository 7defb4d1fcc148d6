"""Overrides: what stands in for a dependency, for a task's policy, or for a task's body.

They are kept in the order in which they were made. The newest one counts; what it stands in for may
be asked for by the one that stands in, and is then the next older one, or the real thing.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, cast

from docket_sim.dependencies.base import Dependency
from docket_sim.dependencies.functional import Factory, FactoryDependency, factory_name

Body = Callable[..., Awaitable[Any]]
"""What runs as the body of a task."""


class Given:
    """Stands in for a factory: a value that is taken as it is, neither entered nor awaited."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __call__(self) -> object:
        return self.value


class Override:
    """One thing that stands in for another.

    Attributes:
        target: the factory, dependency class or task that it concerns.
        uses: how many attempts it has served.
    """

    def __init__(self, target: Factory) -> None:
        self.target = target
        self.uses = 0


class DependencyOverride(Override):
    """A factory, or a value, that stands in for a factory or for a class of dependencies.

    Attributes:
        factory: what is called instead.
    """

    def __init__(self, target: Factory, factory: Factory) -> None:
        super().__init__(target)
        self.factory = factory

    def in_place_of(self, dependency: Any) -> FactoryDependency:
        """The dependency to resolve instead of `dependency`."""
        if isinstance(dependency, FactoryDependency):
            return FactoryDependency(self.factory, dependency.bindings, shared=dependency.shared)
        return FactoryDependency(self.factory, {})


class PolicyOverride(Override):
    """A policy that stands in for a task's own, or for its worker's, of the same kind.

    Attributes:
        policy: the policy.
    """

    def __init__(self, target: Body, policy: Dependency[Any]) -> None:
        super().__init__(target)
        self.policy = policy


class BodyOverride(Override):
    """Something that is called in place of a task's body, or around it.

    Attributes:
        around: makes the body that is called of the one that would be called without it.
    """

    def __init__(self, target: Body, around: Callable[[Body], Body]) -> None:
        super().__init__(target)
        self.around = around


class Overrides:
    """Everything that stands in for something else on one docket.

    Attributes:
        version: changes whenever something is put in place or taken away.
        exit_stack: makes the stack by which the dependencies of an attempt are torn down.
    """

    def __init__(self) -> None:
        self.version = 0
        self.exit_stack: Callable[[], AsyncExitStack] = AsyncExitStack
        self._layers: list[Override] = []

    def __bool__(self) -> bool:
        return bool(self._layers)

    def __iter__(self) -> Iterator[Override]:
        return iter(self._layers)

    def put(self, override: Override) -> None:
        """Let `override` count from now on."""
        self._layers.append(override)
        self.version += 1

    def take_away(self, override: Override) -> None:
        """Let `override` count no longer; one that does not is left alone."""
        if override in self._layers:
            self._layers.remove(override)
            self.version += 1

    def of_dependency(
        self, target: Factory, inside: Sequence[DependencyOverride] = ()
    ) -> DependencyOverride | None:
        """What stands in for `target`, or `None`.

        Args:
            target: a factory, or a class of dependencies.
            inside: the overrides whose own dependencies are being looked up; what one of them
                stands in for is what was in its place before.
        """
        layers = [
            layer
            for layer in self._layers
            if isinstance(layer, DependencyOverride) and layer.target == target
        ]
        for one in inside:
            if one in layers:
                layers = layers[: layers.index(one)]
        return layers[-1] if layers else None

    def policies_of(self, task: Body) -> list[PolicyOverride]:
        """What stands in for policies of `task`, the newest last."""
        return [
            layer
            for layer in self._layers
            if isinstance(layer, PolicyOverride) and layer.target == task
        ]

    def body_of(self, task: Body) -> Body:
        """What is to be called as the body of `task`."""
        body = task
        for layer in self._layers:
            if isinstance(layer, BodyOverride) and layer.target == task:
                body = layer.around(body)
        return body


class FactoryOverrides(MutableMapping[Factory, Factory]):
    """The dependency overrides of a docket as a mapping, from a factory to what stands in for it.

        docket.dependency_overrides[get_gateway] = get_sandbox_gateway

    Attempts that begin afterwards see a change; what is running does not.
    """

    def __init__(self, overrides: Overrides) -> None:
        self._overrides = overrides

    def __getitem__(self, target: Factory) -> Factory:
        override = self._overrides.of_dependency(target)
        if override is None:
            raise KeyError(target)
        return override.factory

    def __setitem__(self, target: Factory, factory: Factory) -> None:
        refuse_target(target)
        if not callable(factory):
            raise TypeError(
                f"what stands in for {factory_name(target)} must be a factory, found "
                f"{factory!r}; for a value write a lambda that returns it"
            )
        previous = self._overrides.of_dependency(target)
        if previous is not None:
            self._overrides.take_away(previous)
        self._overrides.put(DependencyOverride(target, factory))

    def __delitem__(self, target: Factory) -> None:
        override = self._overrides.of_dependency(target)
        if override is None:
            raise KeyError(target)
        self._overrides.take_away(override)

    def __iter__(self) -> Iterator[Factory]:
        seen: list[Factory] = []
        for override in self._overrides:
            if isinstance(override, DependencyOverride) and override.target not in seen:
                seen.append(override.target)
        return iter(seen)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def refuse_target(target: Any) -> None:
    """Refuse what no dependency is made by.

    Raises:
        TypeError: `target` is a dependency itself, a policy, or nothing that can be called.
    """
    if isinstance(target, FactoryDependency):
        raise TypeError(
            f"an override is keyed by the factory, found {target!r}: "
            f"name {factory_name(target.factory)} itself"
        )
    if isinstance(target, Dependency):
        name = type(cast("object", target)).__name__
        raise TypeError(
            f"an override is keyed by a factory, or by a class of dependencies, found an instance "
            f"of {name}: name the class"
        )
    if _is_policy(target):
        name = target.__name__
        raise TypeError(
            f"{name} is a policy, and a task's policy is overridden by the task: "
            f"sim.override(task, {name.lower()}=...)"
        )
    if not callable(target):
        raise TypeError(f"an override is keyed by a factory function, found {target!r}")


def _is_policy(target: object) -> bool:
    return isinstance(target, type) and any(vars(one).get("single") for one in target.__mro__)


def fitting(bindings: Mapping[str, Any], unknown: Sequence[str]) -> dict[str, Any]:
    """Those of `bindings` that are not `unknown` to what stands in."""
    return {name: value for name, value in bindings.items() if name not in unknown}
