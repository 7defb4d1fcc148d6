"""What is refused at registration: circles of factories, and two policies of one kind."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from guide_helpers import the_failure

from docket_sim import (
    CycleError,
    Depends,
    ExponentialRetry,
    Perpetual,
    Retry,
    Tally,
    Timeout,
    Worker,
)


def needing(name: str) -> Any:
    """A factory of that name whose parameter `needed` is yet to be filled."""

    def factory(needed: None = None) -> None: ...

    factory.__name__ = name
    return factory


async def test_a_cycle_among_factories_is_drawn_as_a_path(sim):
    """Factories that need each other are refused before anything runs."""
    get_a, get_b, get_c = needing("get_a"), needing("get_b"), needing("get_c")
    get_a.__defaults__ = (Depends(get_b),)
    get_b.__defaults__ = (Depends(get_c),)
    get_c.__defaults__ = (Depends(get_b),)

    async def task(a: None = Depends(get_a)) -> None: ...

    with pytest.raises(CycleError, match="task need each other: get_b → get_c → get_b"):
        sim.docket.register(task)
    with pytest.raises(CycleError):
        sim.docket.add(task)


@pytest.mark.parametrize(
    ("one", "two", "kind"),
    [
        (Retry(attempts=2), Retry(attempts=3), "Retry"),
        (Retry(attempts=2), ExponentialRetry(attempts=3), "Retry"),
        (Timeout(timedelta(1)), Timeout(timedelta(2)), "Timeout"),
        (Perpetual(), Perpetual(), "Perpetual"),
    ],
    ids=["retry", "kinds of retry", "timeout", "perpetual"],
)
async def test_a_second_policy_of_one_kind_is_refused_and_both_places_named(sim, one, two, kind):
    """Which of the two should hold, nobody could tell."""

    async def task(first: object = one, second: object = two) -> None: ...

    with pytest.raises(
        ValueError,
        match=f"task may have one {kind}, found two: parameter first and parameter second",
    ):
        sim.docket.register(task)


async def with_retry(retry: Retry = Retry(attempts=2)) -> None: ...


async def test_a_policy_of_the_task_and_one_of_its_worker_are_two(sim):
    """The worker says so when it is made, before it takes anything."""
    sim.docket.register(with_retry)

    with pytest.raises(
        ValueError, match=r"with_retry may have one Retry.*the worker's limit and parameter retry"
    ):
        Worker(sim.docket, dependencies={"limit": Retry(attempts=5)})


@pytest.mark.docket(dependencies={"limit": Retry(attempts=5)})
async def test_a_task_that_is_registered_after_its_worker_began_is_refused_by_name(sim):
    """Then its execution fails, with both places named."""
    await sim.run_due()

    await sim.docket.add(with_retry)()
    assert await sim.run_until_idle() == Tally(failed=1)
    message = str(the_failure(sim))
    assert "with_retry may have one Retry" in message
    assert "arguments cannot be rebuilt" not in message


@pytest.mark.docket(dependencies=[Timeout(timedelta(seconds=5)), Retry(attempts=2)])
async def test_the_workers_policies_hold_for_tasks_without_their_own(sim):
    """A limit for everything need not stand in every signature."""

    async def task() -> None:
        await asyncio.sleep(60)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1, retried=1, timed_out=2)
    sim.acknowledge_failures()
