"""A plan: the steps by which the dependencies of one task are resolved, worked out once.

What a signature says is turned into a flat list of steps, each filling a numbered slot from slots
filled before it. An attempt walks the list and inspects nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from docket_sim.dependencies.base import Dependency, Immediate, single_kind
from docket_sim.dependencies.functional import (
    Factory,
    FactoryDependency,
    entering,
    factory_name,
)
from docket_sim.dependencies.overrides import (
    DependencyOverride,
    Given,
    Overrides,
    PolicyOverride,
    fitting,
)
from docket_sim.dependencies.perpetual import Perpetual
from docket_sim.dependencies.retry import Retry
from docket_sim.dependencies.signature import (
    AnyDependency,
    Signature,
    is_dependency,
    signature_of,
)
from docket_sim.dependencies.steps import Enter, Hand, Make, Plan, Provide, Share, Step
from docket_sim.dependencies.timeout import Timeout
from docket_sim.errors import CycleError

_NOTHING = Overrides()


def plan_for(
    task: str,
    signature: Signature,
    *,
    worker_dependencies: Mapping[str, AnyDependency] | None = None,
    given: Sequence[str] = (),
    overrides: Overrides = _NOTHING,
    policies: Sequence[PolicyOverride] = (),
) -> Plan:
    """Work out the plan of one task.

    Args:
        task: the task's name.
        signature: the task's signature.
        worker_dependencies: what a worker adds to every task, by name; resolved first.
        given: the task's dependencies that the caller filled, and that are not resolved.
        overrides: what stands in for dependencies.
        policies: what stands in for policies of this task, the newest last.

    Raises:
        CycleError: factories need each other.
        TypeError: a factory cannot be called with what it is given.
        ValueError: a second policy of a kind that a task may have only one of, or a `Shared` that
            needs what an attempt has.
    """
    planner = _Planner(task, overrides)
    standing_in = {single_kind(one.policy): one for one in policies}
    for name, dependency in (worker_dependencies or {}).items():
        if _kind_of(dependency) not in standing_in:
            planner.add_root(dependency, f"the worker's {name}", name)
    for name, dependency in signature.dependencies.items():
        if name not in given:
            override = standing_in.pop(_kind_of(dependency), None)
            slot = (
                planner.add_root(dependency, f"parameter {name}", name)
                if override is None
                else planner.add_policy(override, name)
            )
            planner.plan.parameters[name] = slot
    for override in standing_in.values():
        planner.add_policy(override, "the override")
    for name, dependency in signature.annotations:
        planner.add_root(dependency, f"the annotation of {name}", name, annotates=name)
    return planner.plan


def factories_in(dependencies: Iterable[AnyDependency]) -> Iterator[Factory]:
    """Every factory, and every class of dependencies, that `dependencies` lead to.

    In the order in which they are met, each once.
    """
    seen: list[Factory] = []
    waiting = list(dependencies)
    while waiting:
        dependency = waiting.pop(0)
        if not isinstance(dependency, FactoryDependency):
            found: Factory = type(dependency)
            needed: list[object] = []
        else:
            found = dependency.factory
            signature = signature_of(found)
            needed = [*signature.dependencies.values(), *dependency.bindings.values()]
        if found not in seen:
            seen.append(found)
            yield found
            waiting += [one for one in needed if is_dependency(one)]


def _kind_of(dependency: AnyDependency) -> type[Dependency[Any]] | None:
    return single_kind(dependency) if isinstance(dependency, Dependency) else None


class _Planner:
    def __init__(
        self,
        task: str,
        overrides: Overrides,
        *,
        inside_shared: bool = False,
        inside: Sequence[DependencyOverride] = (),
    ) -> None:
        self.plan = Plan(task)
        self._overrides = overrides
        self._inside_shared = inside_shared
        self._inside = list(inside)
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
            override = self._overrides.of_dependency(type(dependency))
            if override is not None:
                return self._add_override(override, dependency, parameter, ())
            return self._append(Enter(parameter, dependency, annotates))
        slot = self._add(dependency, parameter, parameter, ())
        self._note_policy(dependency, slot)
        return slot

    def add_policy(self, override: PolicyOverride, parameter: str) -> int:
        """Plan a policy that stands in for the task's own, or its worker's."""
        self._refuse_second(override.policy, "the override")
        policy = override.policy
        slot = self._append(
            Provide(parameter, policy, parameter)
            if isinstance(policy, Immediate)
            else Enter(parameter, policy)
        )
        self.plan.overridden.append(override)
        self._note_policy(override.policy, slot)
        return slot

    def _note_policy(self, dependency: AnyDependency, slot: int) -> None:
        match dependency:
            case Retry():
                self.plan.retry = slot
            case Timeout():
                self.plan.timeout = slot
            case Perpetual():
                self.plan.perpetual = slot
            case _:
                pass

    def _add(
        self,
        dependency: AnyDependency,
        path: str,
        parameter: str,
        above: tuple[FactoryDependency, ...],
    ) -> int:
        target = (
            dependency.factory if isinstance(dependency, FactoryDependency) else type(dependency)
        )
        override = self._overrides.of_dependency(target, self._inside) if self._overrides else None
        if override is not None:
            return self._add_override(override, dependency, path, above)
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
            return self._append(Provide(path, dependency, parameter))
        return self._append(Enter(path, dependency))

    def _add_factory(
        self, dependency: FactoryDependency, path: str, above: tuple[FactoryDependency, ...]
    ) -> int:
        name = factory_name(dependency.factory)
        dependency = self._as_seen_from_here(dependency)
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
        slot = (
            self._append(self._share(dependency, path, above))
            if dependency.shared
            else self.make(dependency, path, above)
        )
        self._made.append((dependency, slot))
        return slot

    def _as_seen_from_here(self, dependency: FactoryDependency) -> FactoryDependency:
        """`dependency`, told from the one outside of an override that it would itself lead to."""
        if not self._inside:
            return dependency
        needed = list(factories_in([dependency]))
        return dependency.seen_from(tuple(one for one in self._inside if one.target in needed))

    def _add_override(
        self,
        override: DependencyOverride,
        dependency: AnyDependency,
        path: str,
        above: tuple[FactoryDependency, ...],
    ) -> int:
        if override not in self.plan.overridden:
            self.plan.overridden.append(override)
        if isinstance(override.factory, Given):
            self.plan.made_by.append(override.factory)
            return self._append(Hand(path, override.factory.value))
        instead = override.in_place_of(dependency)
        unknown = signature_of(instead.factory).unknown(instead.bindings)
        instead.bindings = fitting(instead.bindings, unknown)
        self._inside.append(override)
        try:
            return self._add_factory(instead, path, above)
        finally:
            self._inside.pop()

    def _share(
        self, dependency: FactoryDependency, path: str, above: tuple[FactoryDependency, ...]
    ) -> Share:
        """Ask the worker for an instance, planned twice: as seen from the task, which says what is
        wrong with it here, and by itself, since it serves other tasks too.
        """
        name = factory_name(dependency.factory)
        seen_from_here = _Planner(
            self.plan.task, self._overrides, inside_shared=True, inside=self._inside
        )
        seen_from_here.make(dependency, path, above)
        itself = _Planner(name, self._overrides, inside_shared=True, inside=self._inside)
        itself.make(dependency, name, ())
        self.plan.overridden += [
            one for one in itself.plan.overridden if one not in self.plan.overridden
        ]
        self.plan.made_by += itself.plan.made_by
        return Share(path, dependency, itself.plan)

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
        self.plan.made_by.append(dependency.factory)
        return self._append(Make(path, factory, constants, slots, needs, signature.spread))

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
