"""Every store: settlements are applied once, by whom the claim belongs to, or not at all."""

from datetime import UTC, datetime

from conformance import COMPLETED, FAILED, NOON, seconds

from docket_sim.execution import ExecutionState, Finish, Reason, Reschedule
from docket_sim.store import Settled


async def test_finishing_ends_the_execution(desk):
    """Nothing of it can be claimed any more, now or later."""
    await desk.submit("a")
    assert await desk.settle(await desk.claim_one()) is Settled.APPLIED
    desk.pass_time(60)
    assert await desk.keys_claimed() == []
    assert await desk.outstanding() == 0


async def test_a_failure_is_kept(desk):
    """The encoded exception stays with the record."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one(), Finish(ExecutionState.FAILED, error=b"boom"))
    record = await desk.get("a")
    assert (record.state, record.error, record.result) == (ExecutionState.FAILED, b"boom", None)


async def test_rescheduling_makes_the_call_due_again(desk):
    """The next attempt has its own number and time, and the same arguments."""
    await desk.submit("a", arguments=b'{"n": 1}')
    claim = await desk.claim_one()
    assert await desk.retry(claim, after=30) is Settled.APPLIED
    record = await desk.get("a")
    assert (record.state, record.call.attempt) == (ExecutionState.SCHEDULED, 2)
    assert record.call.when == NOON + seconds(30)
    desk.pass_time(29)
    assert await desk.keys_claimed() == []
    desk.pass_time(1)
    again = await desk.claim_one()
    assert (again.call.attempt, again.call.arguments) == (2, b'{"n": 1}')
    assert again.call.generation == claim.call.generation


async def test_rescheduling_for_now_can_be_claimed_at_once(desk):
    """A retry without a delay is queued, not scheduled."""
    await desk.submit("a")
    await desk.retry(await desk.claim_one())
    assert await desk.state("a") is ExecutionState.QUEUED
    assert await desk.keys_claimed() == ["a"]


async def test_rescheduling_can_change_the_arguments(desk):
    """A perpetual may give its next run other arguments."""
    await desk.submit("a", arguments=b'{"n": 1}')
    claim = await desk.claim_one()
    await desk.settle(claim, Reschedule(desk.now, 1, Reason.PERPETUAL, b'{"n": 2}'))
    assert (await desk.claim_one()).call.arguments == b'{"n": 2}'


async def test_a_call_due_in_a_thousand_years_is_no_trouble(desk):
    """Due times are instants, however far away."""
    await desk.submit("a")
    claim = await desk.claim_one()
    far = datetime(3030, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    await desk.settle(claim, Reschedule(far, 2, Reason.RETRY))
    assert (await desk.claim()).next_due == far


async def test_a_second_settlement_of_one_claim_is_refused(desk):
    """A duplicate changes nothing, whatever it says."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.settle(claim, COMPLETED)
    assert await desk.settle(claim, FAILED) is Settled.LOST
    record = await desk.get("a")
    assert (record.state, record.error) == (ExecutionState.COMPLETED, None)


async def test_a_settlement_of_an_ended_generation_does_not_reach_the_next(desk):
    """A late duplicate cannot end what was scheduled since under the same key."""
    await desk.submit("a")
    first = await desk.claim_one()
    await desk.settle(first)
    await desk.submit("a")
    second = await desk.claim_one()
    assert await desk.settle(first, FAILED) is Settled.LOST
    assert await desk.state("a") is ExecutionState.RUNNING
    assert await desk.settle(second) is Settled.APPLIED


async def test_a_settlement_of_a_forgotten_generation_does_not_reach_the_next(forgetful_desk):
    """Where no record is kept, generations begin anew, and claims are still told apart."""
    desk = forgetful_desk
    await desk.submit("a")
    first = await desk.claim_one()
    await desk.settle(first)
    await desk.submit("a")
    await desk.claim_one()
    assert await desk.settle(first, FAILED) is Settled.LOST
    assert await desk.state("a") is ExecutionState.RUNNING


async def test_a_refused_settlement_does_not_count_down_what_is_outstanding(desk):
    """Settling twice does not end two executions."""
    await desk.submit("a")
    await desk.submit("b")
    claim, _ = (await desk.claim()).claims
    await desk.settle(claim)
    await desk.settle(claim)
    await desk.settle(claim, FAILED)
    assert await desk.outstanding() == 1


# Replacing.


async def test_replacing_a_waiting_call_gives_way_at_once(desk):
    """The new call is there in a new generation, and the old one never runs."""
    await desk.submit("a", arguments=b"old")
    replaced = await desk.submit("a", after=5, replace=True, arguments=b"new")
    assert replaced.record.call.generation == 2
    assert await desk.keys_claimed() == []
    desk.pass_time(5)
    assert (await desk.claim_one()).call.arguments == b"new"
    assert await desk.outstanding() == 1


async def test_replacing_an_unknown_key_schedules_it(desk):
    """Replace is add where there is nothing to replace."""
    replaced = await desk.submit("a", replace=True)
    assert replaced.record.state is ExecutionState.QUEUED
    assert await desk.outstanding() == 1


async def test_replacing_an_ended_key_schedules_it(desk):
    """What has ended gives way like what never was."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    await desk.submit("a", replace=True)
    assert await desk.keys_claimed() == ["a"]


async def test_a_replacement_is_blocked_while_the_key_runs(desk):
    """One key never runs twice at once."""
    await desk.submit("a")
    await desk.claim_one("ann")
    replaced = await desk.submit("a", replace=True)
    assert replaced.record.state is ExecutionState.BLOCKED
    assert await desk.keys_claimed("bob") == []
    assert await desk.outstanding() == 1


async def test_a_superseded_settlement_is_void_and_unblocks_the_replacement(desk):
    """The superseded attempt is told so, and the replacement can run from then on."""
    await desk.submit("a", arguments=b"old")
    old = await desk.claim_one("ann")
    await desk.submit("a", replace=True, arguments=b"new")
    assert await desk.settle(old, COMPLETED) is Settled.SUPERSEDED
    record = await desk.get("a")
    assert (record.state, record.result) == (ExecutionState.QUEUED, None)
    assert (await desk.claim_one("bob")).call.arguments == b"new"


async def test_a_superseded_retry_does_not_bring_the_old_call_back(desk):
    """Rescheduling is as void as finishing."""
    await desk.submit("a", arguments=b"old")
    old = await desk.claim_one("ann")
    await desk.submit("a", replace=True, arguments=b"new")
    assert await desk.retry(old) is Settled.SUPERSEDED
    claim = await desk.claim_one()
    assert (claim.call.arguments, claim.call.attempt, claim.delivery) == (b"new", 1, 1)


async def test_a_replacement_of_the_future_waits_for_its_time_once_unblocked(desk):
    """Unblocked, it is scheduled like any other call."""
    await desk.submit("a")
    old = await desk.claim_one()
    await desk.submit("a", after=30, replace=True)
    await desk.settle(old)
    assert await desk.state("a") is ExecutionState.SCHEDULED
    desk.pass_time(30)
    assert await desk.keys_claimed() == ["a"]


async def test_a_replacement_is_unblocked_when_the_lease_expires(desk):
    """The superseded attempt's worker died: the replacement does not wait for ever."""
    await desk.submit("a", arguments=b"old")
    old = await desk.claim_one("ann")
    await desk.submit("a", replace=True, arguments=b"new")
    desk.pass_time(10)
    new = await desk.claim_one("bob")
    assert (new.call.arguments, new.delivery) == (b"new", 1)
    assert await desk.settle(old) is Settled.LOST
    assert await desk.settle(new) is Settled.APPLIED


async def test_only_the_last_of_several_replacements_runs(desk):
    """Each replacement gives way to the next, blocked or not."""
    await desk.submit("a")
    old = await desk.claim_one()
    for number in range(3):
        replaced = await desk.submit("a", replace=True, arguments=b"%d" % number)
        assert replaced.record.state is ExecutionState.BLOCKED
    assert replaced.record.call.generation == 4
    await desk.settle(old)
    assert (await desk.claim_one()).call.arguments == b"2"
    assert await desk.outstanding() == 1


async def test_adding_to_a_blocked_key_changes_nothing(desk):
    """A blocked key is taken."""
    await desk.submit("a")
    await desk.claim_one()
    await desk.submit("a", replace=True, arguments=b"new")
    again = await desk.submit("a", arguments=b"newer")
    assert again.record.state is ExecutionState.BLOCKED
    assert again.record.call.arguments == b"new"


async def test_replacing_what_waits_for_its_retry_starts_at_attempt_one(desk):
    """Nothing of the old generation's attempts is left."""
    await desk.submit("a")
    await desk.retry(await desk.claim_one(), after=60)
    await desk.submit("a", replace=True)
    claim = await desk.claim_one()
    assert (claim.call.attempt, claim.call.generation) == (1, 2)
    desk.pass_time(60)
    assert await desk.keys_claimed("bob", limit=10) == ["a"]  # its lease is up; no second call
    assert await desk.outstanding() == 1
