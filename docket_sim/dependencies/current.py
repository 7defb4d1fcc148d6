"""The attempt's own surroundings: docket, worker, execution, key, logger, arguments."""

import logging
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from docket_sim.dependencies.base import Immediate, T_co
from docket_sim.dependencies.context import AttemptContext
from docket_sim.errors import DocketError
from docket_sim.execution import Execution

if TYPE_CHECKING:
    from docket_sim.docket import Docket
    from docket_sim.worker import Worker


class _Current(Immediate[T_co]):
    """What the attempt is surrounded by; two that ask for the same are equal."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).values()))


class _CurrentDocket(_Current["Docket"]):
    outlives_attempt: ClassVar[bool] = True

    def provide(self, context: AttemptContext, parameter: str) -> "Docket":
        return context.docket


class _CurrentWorker(_Current["Worker"]):
    outlives_attempt: ClassVar[bool] = True

    def provide(self, context: AttemptContext, parameter: str) -> "Worker":
        return context.worker


class _CurrentExecution(_Current[Execution]):
    def provide(self, context: AttemptContext, parameter: str) -> Execution:
        return context.execution


class _TaskKey(_Current[str]):
    def provide(self, context: AttemptContext, parameter: str) -> str:
        return context.execution.key


class _TaskLog(logging.LoggerAdapter[logging.Logger]):
    """A logger that adds the execution's fields to those that the caller gives."""

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(self.extra or {}), **(kwargs.get("extra") or {})}
        return msg, kwargs


class _TaskLogger(_Current["logging.LoggerAdapter[logging.Logger]"]):
    def provide(
        self, context: AttemptContext, parameter: str
    ) -> "logging.LoggerAdapter[logging.Logger]":
        execution = context.execution
        return _TaskLog(
            logging.getLogger(f"docket_sim.task.{execution.function_name}"),
            {
                "docket": context.docket.name,
                "worker": context.worker.name,
                "task": execution.function_name,
                "key": execution.key,
                "attempt": execution.attempt,
            },
        )


class _TaskArgument(_Current[Any]):
    def __init__(self, parameter: str | None, *, optional: bool) -> None:
        self.parameter = parameter
        self.optional = optional

    def provide(self, context: AttemptContext, parameter: str) -> Any:
        name = self.parameter or parameter
        if name in context.arguments:
            return context.arguments[name]
        for spelling, value in context.arguments.items():
            if spelling in (f"*{name}", f"**{name}"):
                return value
            if spelling.startswith("**") and name in cast("dict[str, Any]", value):
                return cast("dict[str, Any]", value)[name]
        if self.optional:
            return None
        known = ", ".join(context.arguments) or "no arguments"
        raise DocketError(
            f"{parameter}=TaskArgument({name!r}) expects an argument {name!r} of "
            f"{context.execution.function_name}, which has {known}. Name one of those, or say "
            f"optional=True."
        )


def CurrentDocket() -> "Docket":
    """The docket that the worker works on, to schedule more work."""
    return cast("Docket", _CurrentDocket())


def CurrentWorker() -> "Worker":
    """The worker that runs the attempt."""
    return cast("Worker", _CurrentWorker())


def CurrentExecution() -> Execution:
    """The execution that is being run: its key, due time, attempt and arguments."""
    return cast("Execution", _CurrentExecution())


def TaskKey() -> str:
    """The key of the execution that is being run."""
    return cast("str", _TaskKey())


def TaskLogger() -> "logging.LoggerAdapter[logging.Logger]":
    """A logger, `docket_sim.task.<name>`, whose records carry the execution.

    Their extra fields: `docket`, `worker`, `task`, `key`, `attempt`.
    """
    return cast("logging.LoggerAdapter[logging.Logger]", _TaskLogger())


def TaskArgument(parameter: str | None = None, optional: bool = False) -> Any:
    """One of the task's own arguments, for a dependency of the task.

    Args:
        parameter: the argument's name; by default that of the parameter that this stands for.
        optional: give `None` where the task has no such argument, instead of failing.
    """
    return cast("Any", _TaskArgument(parameter, optional=optional))
