"""Asking what became of an execution: results, subscriptions and snapshots."""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from docket_sim import (
    Docket,
    ExecutionCancelled,
    ExecutionState,
    Perpetual,
    ResultExpired,
    Retry,
    TaskCall,
    Worker,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


async def slow(seconds: float, value: str = "slow") -> str:
    """Takes its time."""
    await asyncio.sleep(seconds)
    return value


async def fail() -> None:
    """Fails."""
    raise LookupError("no such thing")


@asynccontextmanager
async def working(docket: Docket):
    """A worker that works until the end of the block."""
    async with Worker(docket) as worker:
        task = asyncio.create_task(worker.run_forever())
        try:
            yield worker
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


# get_result().


async def test_get_result_waits_for_the_value(sim):
    """It returns what the body returned, when it has."""
    execution = await sim.docket.add(slow, when=sim.docket.now() + HOUR)(10, "value")
    async with working(sim.docket):
        assert await execution.get_result() == "value"
    assert sim.clock.elapsed == HOUR + 10 * SECOND


async def test_get_result_can_be_asked_again(sim):
    """A result is kept, not handed out."""
    execution = await sim.docket.add(double)(2)
    await sim.run_until_idle()
    assert [await execution.get_result() for _ in range(2)] == [4, 4]


async def test_get_result_of_nothing_is_none(sim):
    """A body that returns nothing has the result None."""

    async def nothing(): ...

    execution = await sim.docket.add(nothing)()
    await sim.run_until_idle()
    assert await execution.get_result() is None


@pytest.mark.docket(allow_failures=True)
async def test_get_result_raises_what_the_body_raised(sim):
    """The same class, with the same arguments."""
    execution = await sim.docket.add(fail)()
    async with working(sim.docket):
        with pytest.raises(LookupError, match="no such thing"):
            await execution.get_result()


async def test_get_result_waits_for_the_last_attempt(sim):
    """A failure that is retried is not the end."""

    async def flaky(retry: Retry = Retry(attempts=2, delay=HOUR)):
        if retry.attempt == 1:
            raise ValueError("not yet")
        return "second"

    execution = await sim.docket.add(flaky)()
    async with working(sim.docket):
        assert await execution.get_result() == "second"


@pytest.mark.parametrize("after", [0.0, 5.0])
async def test_get_result_of_a_cancelled_execution_raises_execution_cancelled(sim, after):
    """Whether it waited or ran when it was cancelled."""
    execution = await sim.docket.add(slow, key="k")(60)
    async with working(sim.docket):
        asking = asyncio.create_task(execution.get_result())
        if after:
            await asyncio.sleep(after)
        await sim.docket.cancel("k")
        with pytest.raises(ExecutionCancelled, match="k"):
            await asking


async def test_get_result_of_a_perpetual_ends_when_it_is_cancelled(sim):
    """Its single runs have no results of their own."""

    async def tick(perpetual: Perpetual = Perpetual(every=SECOND)): ...

    execution = await sim.docket.add(tick, key="k")()
    async with working(sim.docket):
        asking = asyncio.create_task(execution.get_result())
        await asyncio.sleep(10)
        assert not asking.done()
        await sim.docket.cancel("k")
        with pytest.raises(ExecutionCancelled):
            await asking


async def test_get_result_waits_no_longer_than_its_timeout(sim):
    """The error names the execution; the execution goes on."""
    execution = await sim.docket.add(slow, key="k")(60)
    async with working(sim.docket):
        with pytest.raises(TimeoutError, match="k"):
            await execution.get_result(timeout=5 * SECOND)
        assert sim.clock.elapsed == 5 * SECOND
        assert await execution.get_result(timeout=HOUR) == "slow"


async def test_get_result_waits_no_longer_than_its_deadline(sim):
    """An instant instead of a duration."""
    execution = await sim.docket.add(slow)(60)
    async with working(sim.docket):
        await asyncio.sleep(1)
        with pytest.raises(TimeoutError):
            await execution.get_result(deadline=sim.clock.start + 5 * SECOND)
        assert sim.clock.elapsed == 5 * SECOND


async def test_a_timeout_error_of_the_bodys_own_is_told_from_the_waits(sim):
    """What the body raised arrives with the body's message."""

    async def impatient():
        raise TimeoutError("the body's own")

    execution = await sim.docket.add(impatient)()
    await sim.run_until_idle()
    sim.acknowledge_failures()
    with pytest.raises(TimeoutError, match="the body's own"):
        await execution.get_result(timeout=HOUR)


@pytest.mark.docket(allow_pending=True)
async def test_get_result_takes_one_limit_and_not_two(sim):
    """Which of them should hold?"""
    execution = await sim.docket.add(double)(1)
    with pytest.raises(ValueError, match="not both"):
        await execution.get_result(timeout=SECOND, deadline=sim.docket.now())


@pytest.mark.docket(allow_pending=True)
async def test_get_result_refuses_a_naive_deadline(sim):
    """The error says how to fix it."""
    execution = await sim.docket.add(double)(1)
    with pytest.raises(ValueError, match=r"deadline.*timezone"):
        await execution.get_result(deadline=datetime(2030, 1, 1))


@pytest.mark.docket(execution_ttl=60 * SECOND)
async def test_get_result_of_an_expired_record_is_an_error_of_its_own(sim):
    """It is never a silent None."""
    execution = await sim.docket.add(double, key="k")(1)
    await sim.run_until_idle()
    await sim.run_for(HOUR)
    with pytest.raises(ResultExpired, match=r"k.*execution_ttl"):
        await execution.get_result()


@pytest.mark.docket(execution_ttl=timedelta(0))
async def test_who_waits_gets_the_result_even_if_none_is_kept(sim):
    """With a ttl of zero, asking beforehand is the way to get it."""
    execution = await sim.docket.add(double)(21)
    async with working(sim.docket):
        assert await execution.get_result() == 42
    with pytest.raises(ResultExpired):
        await execution.get_result()


async def test_get_result_of_a_replaced_key_waits_for_the_replacement(sim):
    """A handle follows its key."""
    execution = await sim.docket.add(slow, key="k")(10, "old")
    async with working(sim.docket):
        asking = asyncio.create_task(execution.get_result())
        await asyncio.sleep(5)
        await sim.docket.replace(slow, when=sim.docket.now() + HOUR, key="k")(1, "new")
        assert await asking == "new"
    assert sim.clock.elapsed == HOUR + 6 * SECOND


async def test_many_can_wait_for_one_result(sim):
    """Each of them gets it."""
    execution = await sim.docket.add(slow)(5)
    async with working(sim.docket):
        results = await asyncio.gather(*(execution.get_result() for _ in range(3)))
    assert results == ["slow"] * 3


# subscribe().


async def test_subscribing_shows_an_execution_through_to_its_end(sim):
    """Its states come in order, and the subscription ends with it."""
    when = sim.docket.now() + SECOND
    execution = await sim.docket.add(double, when=when)(2)
    async with working(sim.docket):
        states = [record.state.value async for record in execution.subscribe()]
    assert states == ["scheduled", "running", "completed"]


async def test_subscribing_to_what_has_ended_shows_how_it_ended(sim):
    """There is one record, the last."""
    execution = await sim.docket.add(double)(2)
    await sim.run_until_idle()
    states = [record.state async for record in execution.subscribe()]
    assert states == [ExecutionState.COMPLETED]


@pytest.mark.docket(execution_ttl=60 * SECOND)
async def test_subscribing_to_what_is_gone_shows_nothing(sim):
    """And ends."""
    execution = await sim.docket.add(double)(2)
    await sim.run_until_idle()
    await sim.run_for(HOUR)
    assert [record async for record in execution.subscribe()] == []


async def test_a_handle_shows_what_it_was_last_synced_to(sim):
    """Its attributes do not change behind one's back."""
    execution = await sim.docket.add(double)(2)
    await sim.run_until_idle()
    assert execution.state is ExecutionState.QUEUED
    await execution.sync()
    assert execution.state is ExecutionState.COMPLETED


# snapshot() and clear().


async def test_a_snapshot_sorts_executions_by_where_they_stand(sim):
    """What waits, what runs, and what has ended and is kept."""
    await sim.docket.add(double, key="ended")(1)
    await sim.docket.add(slow, key="runs")(60)
    await sim.docket.add(double, key="later", when=sim.docket.now() + 2 * HOUR)(1)
    await sim.docket.add(double, key="waits", when=sim.docket.now() + HOUR)(1)
    await sim.run_due()
    snapshot = await sim.docket.snapshot()
    assert [execution.key for execution in snapshot.future] == ["waits", "later"]
    assert [execution.key for execution in snapshot.running] == ["runs"]
    assert [execution.key for execution in snapshot.finished] == ["ended"]
    assert snapshot.total_tasks == 3


@pytest.mark.docket(allow_pending=True)
async def test_a_snapshot_with_poison_inside_shows_it_with_the_rest(sim):
    """What cannot be decoded is in the docket, too, and can be described."""
    sim.docket.register(double)
    now = sim.docket.now()
    for key, task, payload in (("bytes", "double", b"\xff"), ("task", "unknown", b"{}")):
        await sim.docket.store.submit(TaskCall(key, task, payload, now), now=now)
    await sim.docket.add(double, key="good")(1)
    snapshot = await sim.docket.snapshot()
    described = {execution.key: execution.call_repr() for execution in snapshot.future}
    assert described["good"] == "double(number=1)"
    assert "double" in described["bytes"]
    assert "unknown" in described["task"]


async def test_clearing_removes_what_waits_and_leaves_what_runs(sim):
    """It says how many it removed; who waits for them is told."""
    running = await sim.docket.add(slow)(60)
    await sim.run_due()
    cleared = await sim.docket.add(double, when=sim.docket.now() + HOUR)(1)
    assert await sim.docket.clear() == 1
    with pytest.raises((ExecutionCancelled, ResultExpired)):
        await cleared.get_result()
    await sim.run_until_idle()
    assert await running.get_result() == "slow"
