"""Invariants: what must hold in every run, how to switch one off, and how to add one's own."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from unittest.mock import patch

import pytest

from docket_sim import (
    CurrentDocket,
    Docket,
    ExponentialRetry,
    Faults,
    InvariantBroken,
    Perpetual,
    Retry,
    simulate,
)
from docket_sim.simulation.invariants.checked import IDS
from docket_sim.store.ledger import Ledger

SECOND = timedelta(seconds=1)
take = Ledger._take_claimable


@pytest.fixture
def early():
    """A store that claims what is due in ten seconds."""
    with patch.object(
        Ledger, "_take_claimable", lambda ledger, now: take(ledger, now + 10 * SECOND)
    ):
        yield


async def work() -> None:
    await asyncio.sleep(1)


def run_later(**world):
    """Run one execution that is due in a few seconds."""
    with simulate(tasks=[work], **world) as sim:
        sim.run(sim.docket.add(work, key="one", when=sim.clock.now() + 8 * SECOND)())
        return sim.run(sim.run_until_idle())


def test_a_broken_invariant_ends_the_verb(early):
    """No `explore` is needed: each run of each test is checked."""
    with pytest.raises(InvariantBroken, match="runs before it is due: 'one' was claimed") as caught:
        run_later()
    assert caught.value.id == "not-early"


@pytest.mark.parametrize("unchecked", [["not-early"], {"not-early", "indexes"}, ["all"]])
def test_an_invariant_can_be_switched_off_by_its_id(early, unchecked):
    """For a store whose promises are other ones; `all` stands for each of them."""
    assert run_later(unchecked=unchecked).succeeded == 1


@pytest.mark.usefixtures("early")
def test_to_switch_off_another_one_changes_nothing():
    """The rest are still checked."""
    with pytest.raises(InvariantBroken):
        run_later(unchecked=[one for one in IDS if one != "not-early"])


def test_an_unknown_id_is_refused():
    """A mistyped id must not look like a switch; the message lists those that there are."""
    with pytest.raises(ValueError, match=r"attempts, clean-end, .* or 'all', found 'not-erly'"):
        simulate(unchecked=["not-erly"])


async def flaky(
    retry: ExponentialRetry = ExponentialRetry(attempts=4, minimum_delay=SECOND),
) -> None:
    if retry.attempt < 4:
        raise ConnectionError


async def steady(perpetual: Perpetual = Perpetual(every=SECOND)) -> None:
    perpetual.after(2 * SECOND)


async def parent(docket: Docket = CurrentDocket()) -> None:
    await docket.replace(work, docket.now() + SECOND, "child")()


def test_none_is_broken_in_an_ordinary_run():
    """Retries, perpetuals, replacements and cancellations are all as they must be."""
    with simulate(workers=3, tasks=[work, flaky, steady, parent]) as sim:
        for task in (work, flaky, steady, parent):
            sim.run(sim.docket.add(task, key=task.__name__)())
        sim.at("+0.5s", lambda: sim.docket.replace(work, sim.clock.now(), "work")())
        sim.at("+0.7s", lambda: sim.docket.cancel("work"))
        sim.at("+9s", lambda: sim.docket.cancel("steady"))
        assert sim.run(sim.run_until_idle()).retried == 3


# One's own.


def counted(watch):
    """Run three executions, each of which is counted, while `watch(sim, count)` watches."""
    count = []

    async def add_one() -> None:
        count.append(1)
        await asyncio.sleep(1)

    with simulate(tasks=[add_one]) as sim:
        watch(sim, count)
        for number in range(3):
            when = sim.clock.now() + number * 10 * SECOND
            sim.run(sim.docket.add(add_one, when=when)())
        try:
            sim.run(sim.run_until_idle())
        finally:
            elapsed = sim.clock.elapsed
    return elapsed


def test_an_invariant_of_ones_own_may_raise():
    """It is checked at every event; its error is the cause of what ends the verb."""

    def at_most_two(sim, count):
        def few():
            assert len(count) <= 2, f"{len(count)} were made"

        sim.invariant(few)

    with pytest.raises(InvariantBroken, match="AssertionError: 3 were made") as caught:
        counted(at_most_two)
    assert caught.value.id == "few"
    assert isinstance(caught.value.__cause__, AssertionError)


def test_an_invariant_of_ones_own_may_return_false():
    """As a plain condition; other results, such as None, mean that all is well."""

    def at_most_two(sim, count):
        @sim.invariant
        def few():
            return len(count) <= 2

        assert callable(few), "the decorator gives the function back"

    with pytest.raises(InvariantBroken, match="the invariant few does not hold"):
        counted(at_most_two)


def test_an_invariant_of_ones_own_that_holds_is_not_heard_of():
    """The run ends as it would without."""
    assert counted(lambda sim, count: sim.invariant(lambda: None)) == 21 * SECOND


def test_an_invariant_of_ones_own_is_a_plain_function():
    """A coroutine function would be called, and its answer never awaited: it could not fail."""

    async def few():
        raise AssertionError

    with simulate() as sim, pytest.raises(TypeError, match=r"plain function.*coroutine function"):
        sim.invariant(few)


def test_an_invariant_of_ones_own_is_looked_at_in_the_end():
    """After the last event as well: when a verb is over, and when the world is left."""
    charges = []

    def never():
        return not charges

    def charged_in_the_end():
        with simulate() as sim:
            sim.invariant(never)
            sim.run(sim.run_for("1s"))
            charges.append(7)

    with pytest.raises(InvariantBroken, match="never does not hold"):
        charged_in_the_end()
    charges.clear()
    with simulate() as sim:
        sim.invariant(never)
        sim.at("+1s", lambda: charges.append(7))
        with pytest.raises(InvariantBroken, match="never"):
            sim.run(sim.run_for("2s"))
        sim.run(sim.run_for("2s"))  # what was told is not told again


def test_a_store_that_forgets_a_delay_is_found():
    """What is due is what was asked for, and not what the store says of itself."""

    async def flaky(retry: Retry = Retry(attempts=2, delay=timedelta(hours=1))) -> None:
        if retry.attempt == 1:
            raise ValueError

    def at_once(ledger, entry, claim, settlement, now):
        reschedule(ledger, entry, claim, replace(settlement, when=now), now)

    reschedule = Ledger._reschedule
    with simulate() as sim, patch.object(Ledger, "_reschedule", at_once):
        sim.run(sim.docket.add(flaky, key="one")())
        with pytest.raises(
            InvariantBroken, match=r"one' was claimed by .* 1:00:00 before its time"
        ):
            sim.run(sim.run_until_idle())


# What the search has taught.


def test_the_journal_ends_where_the_run_broke(early):
    """What a broken run does while it is torn down explains nothing."""
    with simulate(tasks=[work], allow_pending=True) as sim:
        sim.run(sim.docket.add(work, key="one", when=sim.clock.now() + 8 * SECOND)())
        with pytest.raises(InvariantBroken):
            sim.run(sim.run_until_idle())
    assert [getattr(entry, "verb", "") for entry in sim.journal.entries][-1] == "claim"


def test_a_record_whose_time_is_up_is_forgotten_in_passing():
    """By a settlement that comes too late, say; that is no change that it has made."""
    pause = Faults.pause(before="settle", for_="20m")
    with simulate(workers=2, faults=pause, execution_ttl=SECOND) as sim:
        sim.run(sim.docket.add(work, key="one")())
        tally = sim.run(sim.run_until_idle())
        assert (tally.succeeded, tally.lost) == (1, 1)
