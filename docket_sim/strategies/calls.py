"""`Call`: a task and its arguments, as a value that reads like the call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from docket_sim.task import TaskFunction, name_of

Tasks = Sequence[TaskFunction] | Mapping[TaskFunction, SearchStrategy[tuple[Any, ...]]]
"""Tasks that need no arguments, the simplest first; or each with a strategy of its arguments."""


@dataclass(frozen=True, slots=True)
class Call:
    """A task and its arguments.

    Attributes:
        task: the task.
        args: the arguments, by position.
    """

    task: TaskFunction
    args: tuple[Any, ...] = ()

    @property
    def name(self) -> str:
        """The task's name."""
        return name_of(self.task)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.args))})"


def calls_of(tasks: Tasks) -> SearchStrategy[Call]:
    """Calls of tasks.

    Raises:
        ValueError: no tasks.
    """
    if not tasks:
        raise ValueError("a call needs a task; found none to choose from")
    arguments = tasks if isinstance(tasks, Mapping) else dict.fromkeys(tasks, st.just(()))
    return st.one_of([st.builds(Call, st.just(task), arguments[task]) for task in arguments])
