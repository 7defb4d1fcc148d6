"""Actions planted on the virtual timeline: what is to happen to the world at an instant."""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from docket_sim.dependencies import factory_name
from docket_sim.events import Source
from docket_sim.simulation.loop import VirtualLoop

Action = Callable[[], Any]
"""What can be planted: called without arguments; an awaitable that it returns is awaited."""


@dataclass(eq=False, slots=True)
class _Plant:
    when: datetime
    action: Action
    source: Source | None
    task: asyncio.Task[None] | None = None


class Planted:
    """The actions whose time has yet to come, or that are under way."""

    def __init__(self, ended: Callable[[BaseException | None], None]) -> None:
        """
        Args:
            ended: is told when an action is over, with what it raised, if anything.
        """
        self._waiting: list[_Plant] = []
        self._ended = ended
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def plant(
        self,
        loop: VirtualLoop,
        when: datetime,
        action: Action,
        *,
        source: Source | None,
        context: Context,
    ) -> None:
        """Let `action` happen at `when`.

        Raises:
            TypeError: `action` cannot be called.
        """
        __tracebackhide__ = True
        _refuse_uncallable(action)
        plant = _Plant(when, action, source)
        self._waiting.append(plant)

        def begin() -> None:
            plant.task = loop.create_task(
                _perform(plant.action), name=f"sim.at: {factory_name(action)}", context=context
            )
            plant.task.add_done_callback(lambda task: self._over(plant, task))

        seconds = loop.clock.microseconds_at(when) / 1_000_000
        loop.call_at(seconds, begin, context=context)

    def close(self) -> None:
        """Nothing ends any more: what is cancelled from now on has not happened."""
        self._closed = True

    def owns(self, task: "asyncio.Task[Any]") -> bool:
        """Whether `task` performs one of the actions."""
        return any(plant.task is task for plant in self._waiting)

    def take(self) -> list[str]:
        """What has not happened, in words; it is forgotten herewith."""
        waiting, self._waiting = self._waiting, []
        return [
            f"{factory_name(plant.action)}, planted for {plant.when:%Y-%m-%d %H:%M:%SZ}"
            + (
                f" at {PurePath(plant.source.filename).name}:{plant.source.line}"
                if plant.source
                else ""
            )
            + (", is still under way" if plant.task is not None else ", whose time never came")
            for plant in waiting
        ]

    def _over(self, plant: _Plant, task: "asyncio.Task[None]") -> None:
        if plant in self._waiting and not self._closed:
            self._waiting.remove(plant)
        self._ended(None if task.cancelled() else task.exception())


def _refuse_uncallable(action: object) -> None:
    __tracebackhide__ = True
    if not callable(action):
        if inspect.iscoroutine(action):
            action.close()  # it was made too early, and will not be awaited
        raise TypeError(
            f"sim.at() takes a function to call at that time, found {action!r}: "
            f"write sim.at(when, lambda: ...)"
        )


async def _perform(action: Action) -> None:
    made = action()
    if inspect.isawaitable(made):
        await made
