"""What one attempt knows of itself, and how code that it runs finds it."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from docket_sim.entropy import Entropy
from docket_sim.execution import Execution

if TYPE_CHECKING:  # the rooms above, which a task may ask for; named in annotations alone
    from docket_sim.docket import Docket
    from docket_sim.worker import Worker


class SharedInstances(Protocol):
    """Where the instances are that live as long as the worker."""

    async def get(self, dependency: Any, plan: Any, context: "AttemptContext") -> Any: ...


@dataclass(slots=True)
class AttemptContext:
    """What one attempt knows of itself.

    Attributes:
        docket: the docket that the worker works on.
        worker: the worker that runs the attempt.
        execution: the execution that is being run.
        arguments: the task's arguments by name, its defaults included.
        now: tells the time on the docket's clock.
        entropy: where the docket takes its chances from.
        encode_arguments: binds and encodes arguments for another run of the same task.
        shared: the worker's `Shared` instances.
    """

    docket: "Docket"
    worker: "Worker"
    execution: Execution
    arguments: Mapping[str, object]
    now: Callable[[], datetime]
    entropy: Entropy
    encode_arguments: Callable[[tuple[Any, ...], Mapping[str, Any]], bytes]
    shared: SharedInstances


current_attempt: ContextVar[AttemptContext] = ContextVar("current_attempt")
"""The attempt that the running code belongs to; unset outside of tasks."""
