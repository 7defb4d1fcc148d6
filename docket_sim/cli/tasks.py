"""`docket-sim tasks`: which tasks there are, what they take, and which policies they have."""

import inspect
from typing import Any

from docket_sim.cli.complaints import usage
from docket_sim.cli.loading import register
from docket_sim.cli.output import Json, print_json, print_table
from docket_sim.cli.place import Place
from docket_sim.dependencies import AnyDependency, Dependency
from docket_sim.docket import Docket
from docket_sim.task import Task


def tasks(place: Place, json: Json = False) -> None:
    """Show the tasks of collections; no docket is contacted."""
    docket = Docket(url="memory://")
    register(docket, place.tasks)
    if not docket.tasks:
        raise usage("expected one collection or more, such as shop.tasks:tasks", of="--tasks")
    found = [docket.task(name) for name in sorted(docket.tasks)]
    if json:
        print_json([_told(task) for task in found])
        return
    rows = [
        (
            f"{task.name}{task.signature.arguments}",
            ", ".join(_policies(task)) or "-",
            "yes" if _automatic(task) else "-",
            _summary(task) or "-",
        )
        for task in found
    ]
    print_table("tasks", ["task", "policies", "automatic", "what it does"], rows)


def _told(task: Task) -> dict[str, object]:
    return {
        "name": task.name,
        "function": f"{task.function.__module__}:{_qualified(task.function)}",
        "signature": str(task.signature.arguments),
        "arguments": [_argument(one) for one in task.signature.arguments.parameters.values()],
        "policies": _policies(task),
        "automatic": _automatic(task),
        "summary": _summary(task),
    }


def _argument(parameter: inspect.Parameter) -> dict[str, object]:
    told: dict[str, object] = {
        "name": parameter.name,
        "kind": parameter.kind.description,
        "type": None
        if parameter.annotation is parameter.empty
        else inspect.formatannotation(parameter.annotation),
    }
    return told if parameter.default is parameter.empty else told | {"default": parameter.default}


def _policies(task: Task) -> list[str]:
    annotating = [one.dependency for one in task.signature.annotations]
    every = [*task.signature.dependencies.values(), *annotating]
    return [_readable(one) for one in every if _is_policy(one)]


def _is_policy(dependency: AnyDependency) -> bool:
    """Whether it decides something, rather than hand a value to the body."""
    # Those that hand a value over are made by functions; their classes are private.
    return isinstance(dependency, Dependency) and not type(dependency).__name__.startswith("_")


def _readable(policy: AnyDependency) -> str:
    own = type(policy).__repr__ is not object.__repr__
    return repr(policy) if own else type(policy).__name__


def _automatic(task: Task) -> bool:
    return task.perpetual is not None and task.perpetual.automatic


def _summary(task: Task) -> str | None:
    lines = (inspect.getdoc(task.function) or "").splitlines()
    return lines[0] if lines else None


def _qualified(function: Any) -> str:
    return str(getattr(function, "__qualname__", repr(function)))
