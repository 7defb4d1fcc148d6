"""Scheduling many calls at once."""

from datetime import UTC, datetime, timedelta

import pytest

from docket_sim import CurrentDocket, Disposition, Docket, Tally

START = datetime(2030, 1, 1, tzinfo=UTC)


async def charge(order_id: int) -> int:
    return order_id


async def test_many_calls_are_added_with_one_await(sim):
    """Each has its own key, due time and arguments, and a handle of its own."""
    docket = sim.docket
    executions = await docket.add_many(
        docket.call(charge, when=START + timedelta(hours=n), key=f"order-{n}")(n) for n in range(5)
    )
    assert [execution.key for execution in executions] == [f"order-{n}" for n in range(5)]
    assert await sim.run_until_idle() == Tally(succeeded=5)
    assert [await execution.get_result() for execution in executions] == [0, 1, 2, 3, 4]
    assert sim.clock.elapsed == timedelta(hours=4)


async def test_a_wrong_argument_is_refused_where_the_call_is_made(sim):
    """Before anything is scheduled, as `add` does."""
    with pytest.raises(TypeError, match="charge"):
        sim.docket.call(charge)("seven", 8)
    sim.assert_nothing_scheduled()


async def test_a_taken_key_keeps_what_it_has(sim):
    """The handle says so, and stands for the execution that has the key."""
    await sim.docket.add(charge, key="order-1")(1)
    taken, free = await sim.docket.add_many(
        [sim.docket.call(charge, key="order-1")(7), sim.docket.call(charge, key="order-2")(2)]
    )
    assert taken.disposition is Disposition.ALREADY_SCHEDULED
    assert free.disposition is Disposition.SCHEDULED
    await sim.run_until_idle()
    assert await taken.get_result() == 1


async def test_many_calls_can_replace_what_their_keys_have(sim):
    """With `replace`, the newest counts."""
    await sim.docket.add(charge, when=START + timedelta(days=1), key="order-1")(1)
    [execution] = await sim.docket.add_many(
        [sim.docket.call(charge, key="order-1")(7)], replace=True
    )
    await sim.run_due()
    assert await execution.get_result() == 7


async def fan_out(count: int, docket: Docket = CurrentDocket()) -> None:
    await docket.add_many(docket.call(charge, key=f"part-{n}")(n) for n in range(count))


async def test_what_a_task_adds_knows_its_cause(sim):
    """The timeline and assertions see who scheduled what, and from which line."""
    await sim.docket.add(fan_out, key="split")(3)
    await sim.run_until_idle()
    assert len(sim.assert_ran(charge, times=3, by=fan_out)) == 3


async def test_what_is_no_call_is_refused(sim):
    """Un-awaited `add()`s are the likely mistake."""
    adding = sim.docket.add(charge)(1)
    with pytest.raises(TypeError, match=r"takes what docket\.call\(task\)\(\.\.\.\) makes"):
        await sim.docket.add_many([adding])
    adding.close()


async def test_clearing_tells_how_far_it_is(sim):
    """Every now and then, and at the end."""
    docket = sim.docket
    later = START + timedelta(days=1)
    await docket.add_many(docket.call(charge, when=later)(n) for n in range(2_500))
    told: list[int] = []
    assert await docket.clear(progress=told.append) == 2_500
    assert told == [1_000, 2_000, 2_500]
