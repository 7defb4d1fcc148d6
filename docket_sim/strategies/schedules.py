"""Schedules: adds, replacements and cancellations over a few keys, as values that can be played."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, get_args

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from docket_sim.simulation import Simulation
from docket_sim.strategies.durations import durations
from docket_sim.task import TaskFunction

Operation = Literal["add", "replace", "cancel"]
"""What a step does to its key."""

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on one key.

    Attributes:
        operation: `add`, `replace` or `cancel`.
        key: the execution's key.
        when: how long from then it is to be due; means nothing to a cancellation.
        after: how much virtual time passes between the step before and this one.
    """

    operation: Operation
    key: str
    when: timedelta = _ZERO
    after: timedelta = _ZERO

    def __repr__(self) -> str:
        spans = {"when": self.when, "after": self.after}
        shown = [
            f"{name}=timedelta(seconds={span.total_seconds():g})"
            for name, span in spans.items()
            if span
        ]
        return f"Step({', '.join([repr(self.operation), repr(self.key), *shown])})"

    async def take(self, sim: Simulation, task: TaskFunction, /, *args: Any, **kwargs: Any) -> None:
        """Let `after` pass, and do it.

        Args:
            sim: the simulation, entered.
            task: what is added under its key.
            args, kwargs: the arguments of the call.

        Raises:
            TypeError: the arguments do not fit the task.
        """
        if self.after:
            await sim.run_for(self.after)
        due = sim.clock.now() + self.when
        match self.operation:
            case "add":
                await sim.docket.add(task, when=due, key=self.key)(*args, **kwargs)
            case "replace":
                await sim.docket.replace(task, when=due, key=self.key)(*args, **kwargs)
            case "cancel":
                await sim.docket.cancel(self.key)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Steps, in the order in which they are taken.

    Attributes:
        steps: the steps.
    """

    steps: tuple[Step, ...]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def keys(self) -> list[str]:
        """The keys that it speaks of, each once, in order."""
        return list(dict.fromkeys(step.key for step in self.steps))

    async def play(self, sim: Simulation, task: TaskFunction, /, *args: Any, **kwargs: Any) -> None:
        """Take each step in turn, on a simulation's docket; between them, what is due runs.

            sim.run(schedule.play(sim, remind, 7))
            sim.run(sim.run_until_idle())

        What is due later than the last step is left for you to drive.

        Args:
            sim: the simulation, entered.
            task: what is added under each key.
            args, kwargs: the arguments of each call.

        Raises:
            TypeError: the arguments do not fit the task.
        """
        for step in self.steps:
            await step.take(sim, task, *args, **kwargs)


def schedules(
    *,
    keys: Sequence[str] = ("a", "b", "c"),
    min_size: int = 1,
    max_size: int = 10,
    operations: Sequence[Operation] = get_args(Operation),
    latest: timedelta = timedelta(minutes=1),
    longest_pause: timedelta = timedelta(minutes=1),
) -> SearchStrategy[Schedule]:
    """Schedules of adds, replacements and cancellations; the simplest adds the first key, once.

    Keys collide often, which is where the trouble is. A step may cancel or replace what is not
    there: the engine allows it.

    Args:
        keys: what the steps are about, the simplest first.
        min_size: how many steps there are, at least.
        max_size: how many at most.
        operations: what a step may do, the simplest first.
        latest: how far in the future something may be due.
        longest_pause: how much virtual time may pass between two steps.

    Raises:
        ValueError: no keys or operations, negative sizes or durations, or sizes in the wrong order.
    """
    if not keys or not operations:
        raise ValueError("a step needs a key and an operation; found none to choose from")
    if not 0 <= min_size <= max_size:
        raise ValueError(f"sizes go from 0 up, in order; found {min_size} and {max_size}")
    steps = st.builds(
        Step,
        operation=st.sampled_from(list(operations)),
        key=st.sampled_from(list(keys)),
        when=durations(_ZERO, latest),
        after=durations(_ZERO, longest_pause),
    )
    several = st.lists(steps, min_size=min_size, max_size=max_size)
    return several.map(lambda drawn: Schedule(tuple(drawn)))
