"""How the docket and the workers of a simulation are made: the engine's own, other arguments."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from docket_sim.clock import VirtualClock
from docket_sim.codec import Codec
from docket_sim.docket import Docket
from docket_sim.simulation import refusals
from docket_sim.simulation.boundary import Boundary
from docket_sim.task import TaskFunction
from docket_sim.worker import Worker


def make_docket(
    clock: VirtualClock,
    boundary: Boundary,
    codec: str | Codec,
    after_submit: Callable[[], Awaitable[None]] | None,
    tasks: Iterable[TaskFunction] | str,
) -> Docket:
    """The docket of a simulation: on virtual time, and behind the boundary, with its tasks."""
    docket = Docket(
        "simulation",
        codec=codec,
        clock=clock,
        entropy=boundary.entropy,
        store=boundary.store,
        after_submit=after_submit,
        returned=boundary.unawaited.note,
    )
    _register(docket, tasks)
    return docket


def _register(docket: Docket, tasks: Iterable[TaskFunction] | str) -> None:
    """Register tasks: a list of them, or a collection as `module:attribute`."""
    if isinstance(tasks, str):
        docket.register_collection(tasks)
    else:
        for function in refusals.tasks_in(tasks):
            docket.register(function)


def maker_of_workers(
    docket: Docket, concurrency: int, dependencies: Mapping[str, Any] | Sequence[Any] | None
) -> "partial[Worker]":
    """Makes the worker of a name."""
    at_once = refusals.count("concurrency", concurrency)
    return partial(Worker, docket, concurrency=at_once, dependencies=dependencies)
