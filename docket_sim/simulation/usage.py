"""Which of the registered tasks use a dependency, and why an override was not used."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

from docket_sim.dependencies import (
    AnyDependency,
    DependencyOverride,
    Factory,
    Override,
    factories_in,
    factory_name,
)
from docket_sim.docket import Docket
from docket_sim.errors import UnusedOverride

_SHOWN = 8


class Usage:
    """Who uses what, among the tasks of a docket."""

    def __init__(
        self, docket: Docket, dependencies: Mapping[str, Any] | Sequence[Any] | None
    ) -> None:
        """
        Args:
            docket: whose tasks are looked at.
            dependencies: what the workers add to every task.
        """
        self._docket = docket
        added = dependencies or ()
        self._worker_dependencies: list[AnyDependency] = list(
            added.values() if isinstance(added, Mapping) else added
        )

    def refuse_namesake(self, target: Factory) -> None:
        """Refuse, before anything has run, what looks like the wrong one of two namesakes.

        Raises:
            UnusedOverride: no registered task needs `target`, but one needs its namesake.
        """
        __tracebackhide__ = True
        namesakes = self._namesakes(target)
        if namesakes and not self.users_of(target):
            raise UnusedOverride(
                f"no registered task depends on {_placed(target)}, but {namesakes}. "
                f"Override the one that the task names."
            )

    def why_unused(self, override: Override) -> str:
        """Why `override` has served no attempt, in words."""
        target = override.target
        if not isinstance(override, DependencyOverride):
            return self._why_task(override)
        users = self.users_of(target)
        if users:
            return f"{_listed(users)} would use it, but no attempt that needed it began meanwhile"
        if namesakes := self._namesakes(target):
            return f"no registered task depends on {_placed(target)}, but {namesakes}"
        known = [factory_name(one) for name in self._docket.tasks for one in self._factories(name)]
        near = get_close_matches(factory_name(target), known)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"no registered task depends on {_placed(target)}{hint}"

    def _why_task(self, override: Override) -> str:
        names = [
            name for name, function in self._docket.tasks.items() if function == override.target
        ]
        if not names:
            name = factory_name(override.target)
            other = self._docket.tasks.get(name)
            also = f", but another function is: {_placed(other)}" if other is not None else ""
            return f"{_placed(override.target)} is not registered as a task{also}"
        return f"{_listed(names)} had no attempt that it concerns while it was in place"

    def users_of(self, target: Factory) -> list[str]:
        """The registered tasks that depend on `target`, at any depth."""
        return [name for name in self._docket.tasks if target in self._factories(name)]

    def _namesakes(self, target: Factory) -> str:
        """Who depends on another factory of the same name, in words; empty if nobody does."""
        wanted = factory_name(target)
        return " and ".join(
            f"{name} depends on another {wanted}: {_placed(factory)}"
            for name in self._docket.tasks
            for factory in self._factories(name)
            if factory != target and factory_name(factory) == wanted
        )

    def _factories(self, name: str) -> list[Factory]:
        signature = self._docket.task(name).signature
        annotated = [annotation.dependency for annotation in signature.annotations]
        return list(
            factories_in([*self._worker_dependencies, *signature.dependencies.values(), *annotated])
        )


def _placed(function: Callable[..., Awaitable[Any]] | Factory) -> str:
    """A function with the line that defines it."""
    if isinstance(function, functools.partial):
        return f"a partial of {_placed(function.func)}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        module = getattr(function, "__module__", "?")
        return f"{module}.{getattr(function, '__qualname__', factory_name(function))}"
    path = PurePath(code.co_filename)
    return f"{factory_name(function)} ({'/'.join(path.parts[-2:])}:{code.co_firstlineno})"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"
