"""Every store: a settlement that is sent again is answered as the first time, and does nothing.

A worker that has not seen the answer sends it again, and has to learn what became of it.
"""

import asyncio

import pytest
from conformance import COMPLETED, FAILED, TTL, seconds

from docket_sim.execution import ExecutionState, Finish, Reason, Reschedule
from docket_sim.store import Settled

CANCELLED = Finish(ExecutionState.CANCELLED)


@pytest.mark.parametrize("end", [COMPLETED, FAILED, CANCELLED])
async def test_an_end_that_is_sent_again_is_applied(desk, end):
    """The record stays what it was."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.settle(claim, end)
    record = await desk.get("a")
    desk.pass_time(5)
    assert await desk.settle(claim, end) is Settled.APPLIED
    assert await desk.get("a") == record


async def test_a_retry_that_is_sent_again_is_applied_once(desk):
    """The next attempt waits as before, with the number and the time that it was given first."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.retry(claim, after=30)
    record = await desk.get("a")
    desk.pass_time(5)
    assert await desk.retry(claim, after=30) is Settled.APPLIED
    assert await desk.get("a") == record
    assert await desk.outstanding() == 1


async def test_a_retry_that_is_sent_again_does_not_reach_the_next_attempt(desk):
    """Somebody has claimed that already, and goes on with it."""
    await desk.submit("a")
    first = await desk.claim_one()
    await desk.retry(first)
    second = await desk.claim_one("bob")
    assert await desk.retry(first) is Settled.APPLIED
    record = await desk.get("a")
    assert (record.state, record.call.attempt) == (ExecutionState.RUNNING, 2)
    assert await desk.settle(second) is Settled.APPLIED


async def test_a_retry_that_is_sent_again_after_the_next_attempt_has_ended(desk):
    """It is answered as before, and ends nothing."""
    await desk.submit("a")
    first = await desk.claim_one()
    await desk.retry(first)
    second = await desk.claim_one("bob")
    await desk.settle(second, FAILED)
    assert await desk.retry(first) is Settled.APPLIED
    assert await desk.settle(second, FAILED) is Settled.APPLIED
    assert await desk.state("a") is ExecutionState.FAILED


async def test_the_next_run_of_a_perpetual_is_scheduled_once(desk):
    """What follows is part of the settlement, with its arguments."""
    await desk.submit("a")
    claim = await desk.claim_one()
    again = Reschedule(desk.now + seconds(10), 1, Reason.PERPETUAL, b"next")
    await desk.settle(claim, again)
    assert await desk.settle(claim, again) is Settled.APPLIED
    desk.pass_time(10)
    [run] = (await desk.claim()).claims
    assert (run.call.arguments, run.delivery) == (b"next", 1)
    await desk.settle(run)
    assert await desk.settle(claim, again) is Settled.APPLIED
    assert await desk.outstanding() == 0


async def test_a_superseded_settlement_that_is_sent_again_is_superseded(desk):
    """The replacement is left alone, whether it waits or runs."""
    await desk.submit("a")
    old = await desk.claim_one("ann")
    await desk.submit("a", replace=True)
    for _ in range(2):
        assert await desk.settle(old) is Settled.SUPERSEDED
    new = await desk.claim_one("bob")
    assert await desk.settle(old) is Settled.SUPERSEDED
    assert await desk.settle(new) is Settled.APPLIED


async def test_a_superseded_settlement_whose_replacement_was_cancelled_is_superseded(desk):
    """That one has ended before the attempt that it replaced."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", replace=True)
    await desk.cancel("a")
    for _ in range(2):
        assert await desk.settle(old) is Settled.SUPERSEDED
    assert await desk.state("a") is ExecutionState.CANCELLED


async def test_a_retry_of_what_was_cancelled_is_cancelled_each_time(desk):
    """The first sending has ended the execution."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.cancel("a")
    for _ in range(2):
        assert await desk.retry(claim) is Settled.CANCELLED


async def test_what_was_scheduled_since_under_the_same_key_is_left_alone(desk):
    """The settlement is known across generations."""
    await desk.submit("a")
    first = await desk.claim_one()
    await desk.settle(first)
    await desk.submit("a")
    second = await desk.claim_one()
    assert await desk.settle(first) is Settled.APPLIED
    assert await desk.state("a") is ExecutionState.RUNNING
    assert await desk.settle(second) is Settled.APPLIED


async def test_another_end_of_the_same_claim_is_lost(desk):
    """It is not the settlement that was applied."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.settle(claim, COMPLETED)
    for other in (FAILED, CANCELLED, desk.again(claim, Reason.RETRY)):
        assert await desk.settle(claim, other) is Settled.LOST
    assert await desk.state("a") is ExecutionState.COMPLETED


async def test_a_claim_that_was_taken_over_is_lost_each_time(desk):
    """However its heir has settled it."""
    await desk.submit("a")
    late = await desk.claim_one("ann")
    desk.pass_time(10)
    heir = await desk.claim_one("bob")
    assert await desk.settle(late) is Settled.LOST
    await desk.settle(heir)
    assert await desk.settle(late) is Settled.LOST


async def test_a_cancelled_attempt_whose_lease_expired_is_lost(desk):
    """The store has ended it, not the settlement."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.cancel("a")
    desk.pass_time(10)
    await desk.claim("bob")
    assert await desk.settle(claim, CANCELLED) is Settled.LOST


async def test_the_last_four_settlements_of_a_key_are_known(desk):
    """A key that is settled all the time does not grow for ever."""
    await desk.submit("a")
    claims = []
    for _ in range(5):
        claims.append(await desk.claim_one())
        await desk.retry(claims[-1])
    answers = [await desk.retry(claim) for claim in claims]
    assert answers == [Settled.LOST, *[Settled.APPLIED] * 4]


async def test_it_is_known_as_long_as_the_record_is_kept(desk):
    """Whoever comes later learns nothing any more."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.settle(claim)
    desk.pass_time(TTL.total_seconds() - 1)
    assert await desk.settle(claim) is Settled.APPLIED
    desk.pass_time(1)
    assert await desk.settle(claim) is Settled.LOST


@pytest.fixture(params=[0, 5])
def brief_desk(request, desk_keeping):
    """A desk whose store keeps records for less than a minute."""
    return desk_keeping(seconds(request.param))


async def test_it_is_known_for_a_minute_where_no_record_is_kept_for_that_long(brief_desk):
    """The settlement is remembered, and nothing else of the execution."""
    desk = brief_desk
    await desk.submit("a")
    await desk.submit("b")
    first, second = (await desk.claim()).claims
    await desk.settle(first)
    await desk.cancel("b")
    await desk.retry(second)
    desk.pass_time(5)
    await desk.claim()
    assert await desk.get("a") is None
    assert (await desk.store.snapshot(now=desk.now)).records == []
    desk.pass_time(54)
    await desk.claim()
    assert await desk.settle(first) is Settled.APPLIED
    assert await desk.settle(first, FAILED) is Settled.LOST
    assert await desk.retry(second) is Settled.CANCELLED
    desk.pass_time(1)
    assert await desk.settle(first) is Settled.LOST


async def test_a_key_that_is_used_again_is_left_alone_where_no_record_is_kept(forgetful_desk):
    """The claims of two executions are never mistaken for one another."""
    desk = forgetful_desk
    await desk.submit("a")
    first = await desk.claim_one()
    await desk.settle(first)
    await desk.submit("a")
    second = await desk.claim_one()
    assert await desk.settle(first) is Settled.APPLIED
    assert await desk.state("a") is ExecutionState.RUNNING
    assert await desk.settle(second) is Settled.APPLIED


async def test_settlements_that_travel_together_may_be_the_same(desk, forgetful_desk):
    """Whichever comes first is applied, and the others are it."""
    for one in (desk, forgetful_desk):
        await one.submit("a")
        claim = await one.claim_one()
        answers = await asyncio.gather(*(one.settle(claim) for _ in range(5)))
        assert answers == [Settled.APPLIED] * 5


async def test_the_watched_and_the_listening_are_told_nothing_again(desk):
    """Nothing has changed."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.settle(claim)
    changes = desk.store.watch("a", now=desk.now)
    first = await anext(changes)
    await desk.settle(claim)
    await desk.submit("a")
    assert (await anext(changes)).call.generation == first.call.generation + 1
    await changes.aclose()
