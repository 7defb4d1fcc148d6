"""Every store: listening, watching, taking stock, clearing, and never hogging the loop."""

import asyncio
from contextlib import aclosing

import pytest
from conformance import COMPLETED, FAILED, LEASE, NOON, Desk, Ear, seconds

from docket_sim.execution import ExecutionState, Finish


async def time_to_hear() -> None:
    """Let notices arrive; the time is virtual."""
    await asyncio.sleep(1)


# Listening.


async def test_a_listener_hears_of_new_work(desk):
    """It is told when the work is due, so that it knows how long it can sleep."""
    ear = Ear("bob")
    with desk.store.listen(ear):
        await desk.submit("a", after=30)
        await time_to_hear()
    assert NOON + seconds(30) in ear.due


async def test_a_listener_hears_of_a_retry(desk):
    """Work that comes back is work."""
    await desk.submit("a")
    claim = await desk.claim_one()
    ear = Ear("bob")
    with desk.store.listen(ear):
        await desk.retry(claim, after=30)
        await time_to_hear()
    assert NOON + seconds(30) in ear.due


async def test_a_listener_hears_of_a_replacement_that_is_unblocked(desk):
    """It could not be claimed before, so now is the time to tell."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.submit("a", replace=True)
    ear = Ear("bob")
    with desk.store.listen(ear):
        await desk.settle(claim)
        await time_to_hear()
    assert NOON in ear.due


async def test_a_listener_hears_when_anothers_claim_will_expire(desk):
    """So the others look whether its worker is still alive by then."""
    await desk.submit("a")
    ear = Ear("bob")
    with desk.store.listen(ear):
        await desk.claim("ann")
        await time_to_hear()
    assert NOON + LEASE in ear.due


async def test_a_listener_hears_of_a_cancellation(desk):
    """The worker that runs it is among those who hear."""
    await desk.submit("a")
    await desk.claim_one("ann")
    ear = Ear("ann")
    with desk.store.listen(ear):
        await desk.cancel("a")
        await time_to_hear()
    assert ear.cancelled == ["a"]


async def test_cancelling_what_waits_is_no_news_for_workers(desk):
    """Nobody runs it, so nobody has to stop."""
    await desk.submit("a", after=30)
    ear = Ear("ann")
    with desk.store.listen(ear):
        await desk.cancel("a")
        await time_to_hear()
    assert ear.cancelled == []


@pytest.mark.parametrize("end", [COMPLETED, FAILED, Finish(ExecutionState.CANCELLED)], ids=str)
async def test_a_listener_hears_when_nothing_is_outstanding(desk, end):
    """Whatever way the last execution ended."""
    await desk.submit("a")
    claim = await desk.claim_one()
    ear = Ear("ann")
    with desk.store.listen(ear):
        await desk.settle(claim, end)
        await time_to_hear()
    assert ear.drains >= 1


async def test_cancelling_the_last_waiting_call_drains_the_docket(desk):
    """A worker that waits for the end hears of it at once."""
    await desk.submit("a", after=30)
    ear = Ear("ann")
    with desk.store.listen(ear):
        await desk.cancel("a")
        await time_to_hear()
    assert ear.drains >= 1


async def test_a_docket_is_not_drained_while_something_is_outstanding(desk):
    """The end of one execution is not the end of all."""
    await desk.submit("a")
    await desk.submit("b", after=30)
    claim = await desk.claim_one()
    ear = Ear("ann")
    with desk.store.listen(ear):
        await desk.settle(claim)
        await time_to_hear()
    assert ear.drains == 0


async def test_a_listener_that_has_left_hears_nothing(desk):
    """The context's end is the end of listening."""
    ear = Ear("ann")
    with desk.store.listen(ear):
        pass
    await desk.submit("a")
    await time_to_hear()
    assert ear.due == []


# Watching.


async def test_watching_begins_with_what_is_known(desk):
    """The first record is the present one."""
    await desk.submit("a")
    async with aclosing(desk.store.watch("a", now=desk.now)) as records:
        assert (await anext(records)).state is ExecutionState.QUEUED


async def test_watching_an_unknown_key_begins_with_nothing(desk):
    """What is unknown is None, and not a wait."""
    async with aclosing(desk.store.watch("nothing", now=desk.now)) as records:
        assert await anext(records) is None


async def test_watching_sees_a_key_through_to_its_end(desk):
    """Each change is told, in order, the result with the last."""
    await desk.submit("a")
    async with aclosing(desk.store.watch("a", now=desk.now)) as records:
        seen = [(await anext(records)).state]
        claim = await desk.claim_one()
        seen.append((await anext(records)).state)
        await desk.retry(claim, after=30)
        seen.append((await anext(records)).state)
        desk.pass_time(30)
        claim = await desk.claim_one()
        seen.append((await anext(records)).state)
        await desk.settle(claim)
        last = await anext(records)
    assert [state.value for state in seen] == ["queued", "running", "scheduled", "running"]
    assert (last.state, last.result) == (ExecutionState.COMPLETED, b"1")


async def test_watching_sees_the_end_where_no_record_is_kept(forgetful_desk):
    """Who watches when it ends is told how, even with a ttl of zero."""
    desk = forgetful_desk
    await desk.submit("a")
    claim = await desk.claim_one()
    async with aclosing(desk.store.watch("a", now=desk.now)) as records:
        await anext(records)
        await desk.settle(claim)
        last = await anext(records)
    assert (last.state, last.result) == (ExecutionState.COMPLETED, b"1")


async def test_several_can_watch_one_key(desk):
    """Each sees every change, and one that leaves takes nothing from the other."""
    await desk.submit("a")
    async with aclosing(desk.store.watch("a", now=desk.now)) as first:
        await anext(first)
        async with aclosing(desk.store.watch("a", now=desk.now)) as second:
            await anext(second)
        await desk.cancel("a")
        assert (await anext(first)).state is ExecutionState.CANCELLED


async def test_watching_one_key_tells_nothing_of_another(desk):
    """Changes elsewhere are no changes here."""
    await desk.submit("a")
    async with aclosing(desk.store.watch("a", now=desk.now)) as records:
        await anext(records)
        await desk.submit("b")
        await desk.cancel("b")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(records), timeout=5)


# Taking stock, and clearing.


async def test_a_snapshot_shows_everything_in_the_order_of_due_times(desk):
    """Waiting, running and ended alike, as at that moment."""
    for key, after in (("waits", 30), ("runs", -1), ("ended", -2)):
        await desk.submit(key, after=after)
    ended, _ = (await desk.claim()).claims
    await desk.settle(ended)
    snapshot = await desk.store.snapshot(now=desk.now)
    assert snapshot.taken == desk.now
    assert [(record.call.key, record.state.value) for record in snapshot.records] == [
        ("ended", "completed"),
        ("runs", "running"),
        ("waits", "scheduled"),
    ]


async def test_a_snapshot_shows_no_record_whose_time_is_up(desk):
    """What get() does not find, a snapshot does not show."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    desk.pass_time(3600)
    assert list((await desk.store.snapshot(now=desk.now)).records) == []


async def test_clearing_removes_what_waits_and_says_how_much(desk):
    """Running work goes on and can be settled; nothing else is left to claim."""
    await desk.submit("runs")
    claim = await desk.claim_one()
    await desk.submit("due")
    await desk.submit("later", after=30)
    assert len(await desk.store.clear(now=desk.now)) == 2
    desk.pass_time(5)
    assert await desk.keys_claimed("bob") == []
    assert await desk.state("runs") is ExecutionState.RUNNING
    assert await desk.outstanding() == 1
    await desk.settle(claim)
    assert await desk.state("runs") is ExecutionState.COMPLETED


async def test_clearing_removes_a_blocked_replacement_and_leaves_the_attempt_alone(desk):
    """The superseded attempt is not told to stop, and nothing comes after it."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", replace=True)
    assert len(await desk.store.clear(now=desk.now)) == 1
    renewal = await desk.store.renew([old], lease=LEASE, now=desk.now)
    assert (list(renewal.lost), list(renewal.cancelled)) == ([], [])
    await desk.settle(old)
    assert await desk.keys_claimed() == []


async def test_clearing_frees_the_keys(desk):
    """What was cleared can be scheduled again."""
    await desk.submit("a", after=30)
    await desk.store.clear(now=desk.now)
    await desk.submit("a")
    assert await desk.keys_claimed() == ["a"]


async def test_clearing_an_empty_docket_removes_nothing(desk):
    """There being nothing to do is no error."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    assert len(await desk.store.clear(now=desk.now)) == 0


# The loop.


async def _watch(desk: Desk) -> None:
    async with aclosing(desk.store.watch("a", now=desk.now)) as records:
        await anext(records)


VERBS = {
    "submit": lambda desk, claim: desk.submit("new"),
    "submit a taken key": lambda desk, claim: desk.submit("a"),
    "replace": lambda desk, claim: desk.submit("a", replace=True),
    "claim": lambda desk, claim: desk.claim("bob"),
    "renew": lambda desk, claim: desk.store.renew([claim], lease=LEASE, now=desk.now),
    "settle": lambda desk, claim: desk.settle(claim),
    "cancel": lambda desk, claim: desk.cancel("a"),
    "cancel an unknown key": lambda desk, claim: desk.cancel("nothing"),
    "get": lambda desk, claim: desk.get("a"),
    "watch": lambda desk, claim: _watch(desk),
    "snapshot": lambda desk, claim: desk.store.snapshot(now=desk.now),
    "clear": lambda desk, claim: desk.store.clear(now=desk.now),
}


@pytest.mark.parametrize("verb", VERBS)
async def test_every_verb_gives_up_the_loop(desk, verb):
    """What else is ready runs before the verb returns, as it would beside a call over a network."""
    await desk.submit("a")
    claim = await desk.claim_one()
    others = []
    asyncio.get_running_loop().call_soon(others.append, "ran")
    await VERBS[verb](desk, claim)
    assert others == ["ran"]
