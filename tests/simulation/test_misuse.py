"""What a newcomer tries, and what the simulation says to it."""

import asyncio
from datetime import UTC, datetime

import freezegun
import pytest

from docket_sim import (
    CurrentDocket,
    Docket,
    Retry,
    SimulationError,
    Tally,
    WorkerSettings,
    simulate,
)


async def job(): ...


async def test_run_inside_an_async_test_is_refused(sim):
    """There, the verbs are awaited; and what was passed is not left behind un-awaited."""
    with pytest.raises(SimulationError, match="await the verbs themselves"):
        sim.run(sim.docket.add(job)())
    assert len(sim.timeline) == 0


def test_a_simulation_cannot_be_opened_inside_a_running_loop():
    """It has a loop of its own, and asyncio runs one at a time."""

    async def program():
        with simulate():
            pytest.fail("it was opened")

    with pytest.raises(SimulationError, match="cannot be opened inside a running one"):
        asyncio.run(program())


def test_a_verb_on_another_loop_is_refused():
    """It would wait for ever for what only the simulation's loop can do."""
    with simulate() as sim, pytest.raises(SimulationError, match=r"use sim\.run\(sim\.run_due"):
        asyncio.run(sim.run_due())


def test_a_simulation_has_to_be_entered():
    """Before that there is no loop to run on."""
    sim = simulate()
    with pytest.raises(SimulationError, match="with simulate"):
        sim.run(sim.run_due())


def test_a_simulation_is_entered_once():
    """Another run is another world."""
    with simulate() as sim:
        pass
    with pytest.raises(SimulationError, match="make another one"):
        sim.__enter__()


async def test_a_clock_frozen_on_top_is_found_out(sim):
    """Else user code would live in another year than the world, without a word."""
    await sim.docket.add(job)()
    refused = pytest.raises(SimulationError, match=r"user code sees 2025-05-05.*2030-01-01")
    with freezegun.freeze_time("2025-05-05"), refused:
        await sim.run_due()
    assert await sim.run_due() == Tally(succeeded=1)


def test_two_worlds_at_a_time_are_left_in_turn():
    """User code sees the time of the inner one; the outer one says whose."""
    refused = pytest.raises(SimulationError, match="another simulation was entered after this one")
    with simulate() as outer, simulate() as inner:
        with refused:
            outer.run(outer.run_due())
        inner.run(inner.run_due())


@freezegun.freeze_time("2025-05-05")
def test_a_clock_that_was_frozen_before_is_covered():
    """Inside the world it is the world's time, and outside the other again."""
    with simulate() as sim:
        sim.run(asyncio.sleep(1))
        assert datetime.now(UTC) == sim.clock.now()
    assert datetime.now(UTC) == datetime(2025, 5, 5, tzinfo=UTC)


@pytest.mark.parametrize("forgotten", [CurrentDocket, Retry], ids=["function", "class"])
def test_forgotten_parentheses_are_found_at_registration(sim, forgotten):
    """The function or class itself is not what the task asks for."""

    async def task(value=forgotten): ...

    with pytest.raises(TypeError, match=rf"write value={forgotten.__name__}\(\.\.\.\)"):
        sim.docket.register(task)


async def test_a_number_of_seconds_is_no_duration(sim):
    """A timedelta says what is meant."""
    with pytest.raises(TypeError, match="expected a timedelta or a text such as '2h', found 60"):
        await sim.run_for(60)
    with pytest.raises(TypeError, match="must be a timedelta, found 60"):
        Docket(execution_ttl=60)


def test_a_world_has_one_worker_at_least():
    """Without any, nothing would ever run."""
    with pytest.raises(ValueError, match="at least 1 worker, found 0"), simulate(workers=0):
        pass


def test_settings_of_a_worker_are_durations():
    """Seconds or minutes? A timedelta says which."""
    with pytest.raises(TypeError, match="reconnection_delay must be a timedelta, found 5"):
        WorkerSettings(reconnection_delay=5)
