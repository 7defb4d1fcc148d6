"""Faults that last: what a worker hears meanwhile, what is under way, and how they end."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import ExecutionState, Faults, Tally, simulate
from docket_sim.simulation.faults.calls import StoreCall

SECOND = timedelta(seconds=1)
LEASE = timedelta(minutes=5)
HOUR = timedelta(hours=1)
began: list[timedelta] = []
ended: list[timedelta] = []


@pytest.fixture(autouse=True)
def _afresh():
    began.clear()
    ended.clear()


def working(sim, lasting):
    """A task of that length, which notes when it begins and ends."""

    async def work() -> None:
        began.append(sim.clock.elapsed)
        try:
            await asyncio.sleep(lasting.total_seconds())
        finally:
            ended.append(sim.clock.elapsed)

    return work


def asked(sim, worker):
    """When a worker has asked the store for something."""
    calls = [entry for entry in sim.journal.entries if isinstance(entry, StoreCall)]
    return [timedelta(microseconds=call.at) for call in calls if call.lane == worker]


# What a worker hears.

cut = Faults.partition("worker-1", at="+1s", for_="1m")
away = Faults.restart_store(at="+1s", for_="1m")
still = Faults.pause("worker-1", at="+1s", for_="1m")


@pytest.mark.parametrize("faults", [cut, away, still], ids=repr)
def test_of_new_work_a_worker_hears_when_it_is_back(faults):
    """An idle worker does not know what it misses, so it asks for nothing until then."""
    with simulate(faults=faults) as sim:
        sim.at("+10s", lambda: sim.docket.add(working(sim, SECOND))())
        sim.run(sim.run_until("+11s"))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert began == [61 * SECOND]
        assert not [at for at in asked(sim, "worker-1") if SECOND < at < 61 * SECOND]


@pytest.mark.parametrize("faults", [cut, away], ids=repr)
def test_that_nothing_is_left_a_worker_hears_when_it_is_back(faults):
    """The end of the last call rings at every idle worker that can be reached, and at no other."""
    with simulate(faults=faults) as sim:
        due = sim.clock.now() + HOUR
        sim.run(sim.docket.add(working(sim, SECOND), key="k", when=due)())
        sim.at("+10s", lambda: sim.docket.cancel("k"))
        sim.run(sim.run_for("2m"))
        assert not [at for at in asked(sim, "worker-1") if SECOND < at < 61 * SECOND]


def test_of_a_cancellation_a_worker_that_is_cut_off_does_not_hear():
    """What it runs goes on; that it was cancelled, the first renewal that gets through tells it."""
    with simulate(faults=cut) as sim:
        sim.run(sim.docket.add(working(sim, HOUR), key="k")())
        sim.at("+10s", lambda: sim.docket.cancel("k"))
        assert sim.run(sim.run_until_idle()) == Tally(cancelled=1)
        assert ended == [LEASE / 3]


def test_a_cancellation_reaches_a_machine_that_stands_still_when_it_goes_on():
    """As a message does that has waited in its socket."""
    with simulate(faults=still) as sim:
        sim.run(sim.docket.add(working(sim, HOUR), key="k")())
        sim.at("+10s", lambda: sim.docket.cancel("k"))
        assert sim.run(sim.run_until_idle()) == Tally(cancelled=1)
        assert ended == [61 * SECOND]


# What is under way.


def test_an_answer_that_is_under_way_does_not_arrive_once_the_line_is_cut():
    """The claim counts for the store, but its worker never learns of it: the lease has to end."""
    late = Faults.delay("claim", by="2s", reply=True)
    with simulate(faults=late + cut) as sim:
        sim.run(sim.docket.add(working(sim, SECOND))())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, redelivered=1)
        assert began == [LEASE]


def test_a_call_that_is_under_way_does_not_arrive_once_the_line_is_cut():
    """The settlement is sent again when the line is back; until then, the store knows nothing."""
    late = Faults.delay("settle", by="2s")
    with simulate(faults=late + cut) as sim:
        work = working(sim, SECOND / 2)
        execution = sim.run(sim.docket.add(work, key="k")())
        sim.run(sim.run_for("30s"))
        assert sim.run(sim.docket.get_execution("k")).state is ExecutionState.RUNNING
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert sim.run(execution.get_result()) is None
        assert ended == [SECOND / 2]


# How it ends.


@pytest.mark.parametrize(
    "faults",
    [
        Faults.partition("worker-1", at="+1s"),
        Faults.partition("worker-1", at="+1s", for_="1h"),
        Faults.pause("worker-1", at="+1s"),
        Faults.pause("worker-1", at="+1s", for_="1h"),
        Faults.restart_store(at="+1s", for_="1h"),
    ],
    ids=repr,
)
def test_what_is_healed_ends_at_once(faults):
    """The worker is told to look again, and takes what it has missed."""
    with simulate(faults=faults) as sim:
        sim.at("+10s", lambda: sim.docket.add(working(sim, SECOND))())
        sim.at("+30s", sim.heal)
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert began == [30 * SECOND]


def test_to_heal_ends_what_lasts_and_not_what_is_yet_to_come():
    """The rules stay in force."""
    later = Faults.fail("settle") + Faults.partition("worker-1", at="+1m", for_="10s")
    with simulate(faults=cut + later) as sim:
        work = working(sim, SECOND)
        sim.run(sim.run_for("30s"))
        sim.heal()
        sim.run(sim.docket.add(work)())
        sim.run(sim.run_until("+65s"))
        sim.run(sim.docket.add(work)())
        sim.run(sim.run_until_idle())
        assert began == [30 * SECOND, 70 * SECOND]
        assert sim.journal.faults == {"partition": 2, "fail": 1}


def test_a_machine_that_was_healed_is_waited_for_again():
    """It is still to find out that it has lost its lease, and what it has begun it tidies up."""
    tidied = []
    with simulate(workers=2, faults=Faults.pause(after="claim", key="k")) as sim:

        async def work() -> None:
            try:
                await asyncio.sleep(600)
            finally:
                await asyncio.sleep(60)
                tidied.append(sim.clock.elapsed)

        sim.run(sim.docket.add(work, key="k")())
        sim.at("+15m 30s", sim.heal)
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, redelivered=1, lost=1)
        assert tidied == [timedelta(minutes=16), timedelta(minutes=16.5)]


def test_the_end_of_one_outage_ends_no_other():
    """One worker is back, and does the work of both; the other is still cut off."""
    faults = cut + Faults.partition("worker-2", at="+1s", for_="1h")
    with simulate(workers=2, concurrency=1, faults=faults) as sim:
        work = working(sim, SECOND)
        for key in ("a", "b"):
            sim.run(sim.docket.add(work, key=key, when=sim.clock.now() + 70 * SECOND)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=2)
        assert began == [70 * SECOND, 71 * SECOND]
