"""Every store: cancelling what waits, what runs and what is blocked, and racing with the rest."""

import pytest
from conformance import COMPLETED, LEASE, TTL

from docket_sim.execution import Disposition, ExecutionState, Finish, Reason
from docket_sim.store import Settled

CANCELLED = Finish(ExecutionState.CANCELLED)


@pytest.mark.parametrize("after", [0, 60])
async def test_a_waiting_call_that_is_cancelled_never_runs(desk, after):
    """Queued or scheduled, it ends cancelled there and then."""
    await desk.submit("a", after=after)
    before = await desk.cancel("a")
    assert not before.state.finished
    assert await desk.state("a") is ExecutionState.CANCELLED
    desk.pass_time(60)
    assert await desk.keys_claimed() == []
    assert await desk.outstanding() == 0


async def test_a_retry_that_waits_can_be_cancelled(desk):
    """Between two attempts it waits like any other call."""
    await desk.submit("a")
    await desk.retry(await desk.claim_one(), after=30)
    await desk.cancel("a")
    desk.pass_time(30)
    assert await desk.keys_claimed() == []
    assert await desk.state("a") is ExecutionState.CANCELLED


async def test_cancelling_an_unknown_key_finds_nothing(desk):
    """There is nothing to cancel, and that is no error."""
    assert await desk.cancel("nothing") is None
    assert await desk.get("nothing") is None


async def test_cancelling_an_ended_key_changes_nothing(desk):
    """What has ended stays as it ended."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one(), COMPLETED)
    before = await desk.cancel("a")
    assert before.state is ExecutionState.COMPLETED
    assert (await desk.get("a")).result == b"1"


async def test_a_running_call_that_is_cancelled_runs_on_until_its_worker_ends_it(desk):
    """The store asks for the cancellation; the worker carries it out."""
    await desk.submit("a")
    claim = await desk.claim_one()
    before = await desk.cancel("a")
    assert before.state is ExecutionState.RUNNING
    record = await desk.get("a")
    assert (record.state, record.cancel_requested) == (ExecutionState.RUNNING, True)
    assert await desk.outstanding() == 1
    assert await desk.settle(claim, CANCELLED) is Settled.APPLIED
    record = await desk.get("a")
    assert (record.state, record.cancel_requested) == (ExecutionState.CANCELLED, False)


async def test_renewal_tells_that_a_running_call_was_cancelled(desk):
    """A worker that missed the notice learns it from its renewal."""
    await desk.submit("a")
    await desk.submit("b")
    a, b = (await desk.claim()).claims
    await desk.cancel("a")
    renewal = await desk.store.renew([a, b], lease=LEASE, now=desk.now)
    assert (list(renewal.lost), list(renewal.cancelled)) == ([], [a.fence])


async def test_a_body_that_completed_in_spite_of_a_cancellation_has_completed(desk):
    """What was done is done: the settlement that finishes wins over the request."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.cancel("a")
    assert await desk.settle(claim, COMPLETED) is Settled.APPLIED
    assert await desk.state("a") is ExecutionState.COMPLETED


@pytest.mark.parametrize("reason", Reason)
async def test_a_cancelled_call_does_not_go_on(desk, reason):
    """A retry, a next run or a release that races with a cancellation loses."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.cancel("a")
    assert await desk.settle(claim, desk.again(claim, reason)) is Settled.CANCELLED
    assert await desk.state("a") is ExecutionState.CANCELLED
    assert await desk.keys_claimed() == []
    assert await desk.outstanding() == 0


async def test_a_cancellation_that_comes_after_the_reschedule_wins(desk):
    """In the other order, too, nothing goes on."""
    await desk.submit("a")
    await desk.retry(await desk.claim_one())
    await desk.cancel("a")
    assert await desk.keys_claimed() == []
    assert await desk.state("a") is ExecutionState.CANCELLED


async def test_a_call_cancelled_while_its_worker_is_dead_is_not_taken_over(desk):
    """Cancelled before its lease ran out, it ends cancelled instead of running once more."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    await desk.cancel("a")
    desk.pass_time(10)
    claimed = await desk.claim("bob")
    assert (list(claimed.claims), claimed.outstanding) == ([], 0)
    assert await desk.state("a") is ExecutionState.CANCELLED
    assert await desk.settle(claim) is Settled.LOST


async def test_a_call_cancelled_after_its_lease_ran_out_is_not_taken_over(desk):
    """The worker was dead already when the cancellation came."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(10)
    await desk.cancel("a")
    assert await desk.keys_claimed("bob") == []
    assert await desk.state("a") is ExecutionState.CANCELLED


async def test_a_cancellation_does_not_reach_the_next_generation(desk):
    """A key that is scheduled again after its cancellation runs, and is not cancelled."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.cancel("a")
    await desk.settle(claim, CANCELLED)
    assert (await desk.submit("a")).disposition is Disposition.SCHEDULED
    claim = await desk.claim_one()
    renewal = await desk.store.renew([claim], lease=LEASE, now=desk.now)
    assert list(renewal.cancelled) == []
    assert await desk.retry(claim) is Settled.APPLIED


async def test_replacing_a_cancelled_run_runs_the_replacement(desk):
    """The cancellation was meant for the run that it found, not for what comes after."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.cancel("a")
    await desk.submit("a", replace=True, arguments=b"new")
    assert await desk.settle(old, CANCELLED) is Settled.SUPERSEDED
    assert not (await desk.get("a")).cancel_requested
    new = await desk.claim_one()
    assert new.call.arguments == b"new"
    assert await desk.retry(new) is Settled.APPLIED


# Blocked.


async def test_cancelling_a_blocked_key_cancels_the_replacement(desk):
    """The replacement never runs, and what runs is told to stop."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", replace=True)
    before = await desk.cancel("a")
    assert before.state is ExecutionState.BLOCKED
    assert await desk.state("a") is ExecutionState.CANCELLED
    assert await desk.outstanding() == 0
    renewal = await desk.store.renew([old], lease=LEASE, now=desk.now)
    assert list(renewal.cancelled) == [old.fence]
    assert await desk.settle(old, CANCELLED) is Settled.SUPERSEDED
    assert await desk.keys_claimed() == []
    assert await desk.state("a") is ExecutionState.CANCELLED


async def test_a_blocked_key_that_was_cancelled_can_be_added_again(desk):
    """The new call waits for the old attempt as the cancelled one would have."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", replace=True)
    await desk.cancel("a")
    again = await desk.submit("a", arguments=b"new")
    assert again.disposition is Disposition.SCHEDULED
    assert again.record.state is ExecutionState.BLOCKED
    assert await desk.keys_claimed("bob") == []
    assert await desk.settle(old, CANCELLED) is Settled.SUPERSEDED
    assert (await desk.claim_one("bob")).call.arguments == b"new"
    assert await desk.outstanding() == 1


async def test_a_blocked_key_that_was_cancelled_is_forgotten_in_time(desk):
    """When the old attempt is over, the record is kept like any other."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", replace=True)
    await desk.cancel("a")
    await desk.settle(old, CANCELLED)
    desk.pass_time(TTL.total_seconds())
    assert await desk.get("a") is None


# Without a ttl.


async def test_a_cancelled_key_that_is_added_again_runs_once_without_a_ttl(forgetful_desk):
    """No leftover of the cancelled call runs, and the new one does."""
    desk = forgetful_desk
    await desk.submit("a", arguments=b"old")
    await desk.cancel("a")
    await desk.submit("a", arguments=b"new")
    claims = (await desk.claim()).claims
    assert [claim.call.arguments for claim in claims] == [b"new"]
    await desk.settle(claims[0])
    assert await desk.outstanding() == 0


async def test_a_run_cancelled_without_a_ttl_frees_its_key(forgetful_desk):
    """The key of a cancelled run can be used again, and is not cancelled again."""
    desk = forgetful_desk
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.cancel("a")
    await desk.settle(claim, CANCELLED)
    await desk.submit("a")
    assert await desk.retry(await desk.claim_one()) is Settled.APPLIED


async def test_a_blocked_key_cancelled_without_a_ttl_does_not_run_beside_the_old_attempt(
    forgetful_desk,
):
    """Even where no record is kept, one key never runs twice at once."""
    desk = forgetful_desk
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", replace=True)
    await desk.cancel("a")
    await desk.submit("a")
    assert await desk.keys_claimed("bob") == []
    await desk.settle(old, CANCELLED)
    assert await desk.keys_claimed("bob") == ["a"]
