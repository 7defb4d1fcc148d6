"""A store that restarts without its last writes: what becomes of work that was accepted or done."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import (
    FailureFound,
    Faults,
    Perpetual,
    ResultExpired,
    Retry,
    SimulationError,
    Tally,
    explore,
    simulate,
)

LEASE = timedelta(minutes=5)
charged: list[int] = []


@pytest.fixture(autouse=True)
def _afresh():
    charged.clear()


async def charge(order_id: int) -> None:
    charged.append(order_id)


async def charge_slowly(order_id: int) -> None:
    charged.append(order_id)
    await asyncio.sleep(2)


async def flaky(retry: Retry = Retry(attempts=4, delay=timedelta(seconds=1))) -> None:
    if retry.attempt < 3:
        raise ConnectionError


def losing_a_second(*, at="+5s"):
    return Faults.restart_store(at=at, losing="1s")


def test_what_was_written_in_the_last_second_is_gone():
    """What was there before is there still, and what is added afterwards stays."""
    with simulate(faults=losing_a_second()) as sim:
        tomorrow = sim.clock.start + timedelta(days=1)
        for key, at in (("old", "+1s"), ("just", "+4s"), ("lost", "+4.1s"), ("new", "+5.1s")):
            sim.at(at, lambda key=key: sim.docket.add(charge, key=key, when=tomorrow)(7))
        sim.run(sim.run_for("10s"))
        waiting = sim.run(sim.docket.snapshot()).future
        assert [one.key for one in waiting] == ["old", "just", "new"]
        assert sim.journal.faults == {"restart_store": 1}


def test_a_lost_settlement_lets_the_body_run_again():
    """The claim was written down, and its lease has to end first; then another has its turn."""
    with simulate(workers=2, faults=losing_a_second()) as sim:
        sim.at("+2.5s", lambda: sim.docket.add(charge_slowly, key="order-7")(7))
        sim.run(sim.run_for("5s"))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, redelivered=1)
        assert charged == [7, 7]
        assert sim.clock.elapsed == timedelta(seconds=2.5 + 2) + LEASE


def test_a_lost_claim_is_given_to_another_while_the_first_still_runs():
    """Whoever has lost it learns so when it settles; all ends well, but for the second charge."""
    with simulate(workers=2, faults=losing_a_second()) as sim:
        sim.at("+3.5s", lambda: sim.docket.add(charge_slowly, key="early")(1))
        due = sim.clock.start + timedelta(seconds=4.5)
        sim.run(sim.docket.add(charge_slowly, key="order-7", when=due)(7))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=2, lost=1)
        assert charged == [1, 7, 7]


def test_who_waits_for_the_result_of_what_is_lost_is_told():
    """Nothing is known of it any more, and nothing waits for ever."""
    with simulate(faults=losing_a_second()) as sim:

        async def program():
            await sim.run_for("4.5s")
            tomorrow = sim.clock.now() + timedelta(days=1)
            execution = await sim.docket.add(charge, key="order-7", when=tomorrow)(7)
            with pytest.raises(ResultExpired):
                await execution.get_result()
            assert sim.clock.elapsed == timedelta(seconds=5)
            return await sim.run_until_idle()

        assert sim.run(program()) == Tally()
        assert charged == []


def test_a_perpetual_goes_on_after_its_next_run_was_lost():
    """What was to follow is lost with the settlement of the run before, so that one runs again."""

    async def tick(perpetual: Perpetual = Perpetual(every=timedelta(seconds=4.5))) -> None:
        charged.append(0)

    with simulate(faults=losing_a_second()) as sim:
        sim.run(sim.docket.add(tick, key="tick")())
        sim.run(sim.run_for("1m"))
        assert len(charged) == 14 + 1


def test_two_restarts_lose_what_was_written_before_each():
    """What has survived the first is written down, and survives the second."""
    faults = losing_a_second() + Faults.restart_store(at="+5.5s", losing="1s", for_="0.1s")
    with simulate(faults=faults) as sim:
        tomorrow = sim.clock.start + timedelta(days=1)
        for key, at in (("old", "+3s"), ("lost", "+4.9s"), ("lost, too", "+5.2s")):
            sim.at(at, lambda key=key: sim.docket.add(charge, key=key, when=tomorrow)(7))
        sim.run(sim.run_for("10s"))
        assert [one.key for one in sim.run(sim.docket.snapshot()).future] == ["old"]


def test_a_strike_may_forget_what_a_rule_lets_the_store_remember():
    """To copy the store before each write costs something, so a world has to be made for it."""
    with simulate(faults=Faults.restart_store(losing="1s", odds=0.01)) as sim:
        sim.run(sim.docket.add(charge, key="order-7")(7))
        sim.strike(Faults.restart_store(losing="1s"))
        assert sim.run(sim.run_until_idle()) == Tally()
        with pytest.raises(SimulationError, match="a rule says so from the beginning"):
            sim.strike(Faults.restart_store(losing="2s"))


def test_only_a_store_in_memory_can_be_put_back():
    """On others it is refused, and not silently left out."""
    with pytest.raises(ValueError, match=r"needs the store in memory.*found RedisStore"):
        simulate(store="fakeredis", faults=losing_a_second())


def test_the_sets_of_rules_lose_nothing():
    """An engine cannot make up for what its store has forgotten; whoever wants that says so."""
    for faults in (Faults.none(), Faults.rough(), Faults.hostile()):
        assert "losing" not in repr(faults)


def test_a_search_finds_what_a_lost_write_does():
    """At any call of the store; the row of the diagram says what was lost."""

    async def charged_once(sim):
        charged.clear()
        await sim.docket.add(charge, key="order-7")(7)
        await sim.run_until_idle()
        assert charged.count(7) == 1

    with pytest.raises(FailureFound) as caught:
        explore(
            charged_once, runs=50, faults=Faults.restart_store(losing="1s", odds=0.1, times=None)
        )
    assert "✗ away for 1s, without the last 1s" in str(caught.value)


@pytest.mark.parametrize("losing", ["0.05s", "1s", "10m"])
def test_the_invariants_hold_whatever_is_lost(losing):
    """What the store has forgotten is not the engine's fault; what it then does is."""

    async def scenario(sim):
        soon = sim.clock.now() + timedelta(seconds=3)
        await sim.docket.add(charge, key="a")(1)
        await sim.docket.add(charge_slowly, key="b")(2)
        await sim.docket.add(flaky, key="c")()
        await sim.docket.add(charge_slowly, key="d", when=soon)(3)
        await sim.run_for("1s")
        await sim.docket.replace(charge_slowly, key="b", when=soon)(4)
        await sim.docket.cancel("d")
        await sim.docket.add(charge, key="a")(5)
        await sim.run_until_idle()
        sim.acknowledge_failures()

    forgets = Faults.restart_store(losing=losing, odds=0.05, times=None)
    seen = explore(scenario, runs=150, faults=forgets + Faults.rough(), workers=3)
    assert seen.runs == 150
    assert seen.faults["restart_store"] > 30


def test_a_settlement_that_was_kept_may_be_sent_again_after_the_restart():
    """Its worker saw no answer before the store went away; it is answered as the first time."""
    answer_lost = Faults.lose_reply("settle", key="order-7")
    away = Faults.restart_store(at="+2.01s", losing="0.001s", for_="5s")
    with simulate(faults=answer_lost + away) as sim:
        sim.at("+2.0095s", lambda: sim.docket.add(charge, key="lost")(1))
        sim.run(sim.docket.add(charge_slowly, key="order-7")(7))
        sim.run(sim.run_until_idle())
        sim.assert_ran(charge_slowly, times=1)
        assert sim.journal.faults == {"lose_reply": 1, "restart_store": 1}
        assert charged.count(7) == 1
