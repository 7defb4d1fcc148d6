"""Strategies of whole simulations: settings, workload, failures and faults in one plan."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from docket_sim.dependencies import Timeout
from docket_sim.simulation import Faults, ScriptedOutcome
from docket_sim.strategies.calls import Call, Tasks, calls_of
from docket_sim.strategies.faults import fault_plans, worker_names
from docket_sim.strategies.plan import Plan
from docket_sim.strategies.schedules import Schedule, schedules

T = TypeVar("T")


def simulations(  # noqa: PLR0913 - keywords, each of which a user may want to say
    tasks: Tasks,
    *,
    keys: Sequence[str] = ("a", "b", "c"),
    schedule: SearchStrategy[Schedule] | None = None,
    workers: int = 3,
    concurrency: int = 3,
    scripts: SearchStrategy[list[ScriptedOutcome]] | None = None,
    timeouts: SearchStrategy[Timeout] | None = None,
    faults: SearchStrategy[Faults] | None = None,
) -> SearchStrategy[Plan]:
    """Whole simulations, as plans to be played; the simplest adds the first task, once.

        @given(plan=simulations({charge: st.tuples(st.integers(1, 3))}))
        def test_nothing_breaks(plan):
            plan.check()

    A key stands for one call for as long as a plan goes. What is planned is played to its end, so
    tasks are to end: a `Perpetual` that never does is an `EndlessRun`.

    Args:
        tasks: the tasks, the simplest first, if they need no arguments; or each with a strategy of
            tuples of its arguments.
        keys: the keys, for `schedules`.
        schedule: what is asked; by default any of `schedules(keys=keys)`.
        workers: how many workers there are at most.
        concurrency: how many attempts each may run at once, at most.
        scripts: what attempts at some of the keys come to, such as `failure_scripts()`; by default
            all run. Where a task has no `Timeout` of its own, let there be `timeouts`, or
            `hangs=False`.
        timeouts: how long attempts at some of the tasks may take, such as `timeouts()`; by default
            as long as they say. Tasks without a `Timeout` of their own take one as well.
        faults: what goes wrong; by default `fault_plans()`. `st.just(Faults())` for nothing.

    Raises:
        ValueError: no tasks or keys, or fewer workers or less concurrency than 1.
    """
    for name, number in (("workers", workers), ("concurrency", concurrency)):
        if number < 1:
            raise ValueError(f"{name}: expected at least 1, found {number}")
    planned = schedules(keys=keys) if schedule is None else schedule
    calls = calls_of(tasks)

    @st.composite
    def plans(draw: DrawFn) -> Plan:
        asked = draw(planned)
        crew = draw(st.integers(1, workers))
        given: dict[str, Call] = {key: draw(calls) for key in asked.keys}
        return Plan(
            calls=given,
            schedule=asked,
            workers=crew,
            concurrency=draw(st.integers(1, concurrency)),
            scripts=draw(_some(given, scripts)),
            timeouts=draw(_some({call.name: call for call in given.values()}, timeouts)),
            faults=draw(fault_plans(workers=worker_names(crew)) if faults is None else faults),
        )

    return plans()


def _some(names: Iterable[str], values: SearchStrategy[T] | None) -> SearchStrategy[dict[str, T]]:
    """A value for some of the names; the simplest is none for any."""
    if values is None:
        return st.just({})
    drawn = st.fixed_dictionaries({name: st.none() | values for name in names})
    return drawn.map(lambda each: {name: one for name, one in each.items() if one is not None})
