"""Every store: how calls come in, in which order they go out, and what is known of them."""

import asyncio
import dataclasses
from datetime import UTC, datetime

import pytest
from conformance import COMPLETED, FAILED, LEASE, NOON, STORES, TTL, Desk, seconds
from hypothesis import given, settings
from hypothesis import strategies as st

from docket_sim.execution import Cause, Disposition, ExecutionState, Finish
from docket_sim.store import Settled

# Submitting.


async def test_a_call_that_is_due_is_queued(desk):
    """A new call whose time has come waits for a worker at once."""
    submitted = await desk.submit("a")
    assert submitted.disposition is Disposition.SCHEDULED
    assert submitted.record.state is ExecutionState.QUEUED


async def test_a_call_of_the_future_is_scheduled(desk):
    """A new call whose time has not come waits for it."""
    submitted = await desk.submit("a", after=60)
    assert submitted.record.state is ExecutionState.SCHEDULED


async def test_a_call_of_the_past_is_queued(desk):
    """A due time that has passed means now."""
    await desk.submit("a", after=-60)
    assert await desk.keys_claimed() == ["a"]


async def test_a_scheduled_call_is_seen_as_queued_once_it_is_due(desk):
    """Nobody has to touch a call for its time to come."""
    await desk.submit("a", after=60)
    desk.pass_time(60)
    assert await desk.state("a") is ExecutionState.QUEUED


async def test_a_key_that_waits_keeps_the_call_it_has(desk):
    """Submitting a taken key changes nothing and tells what is there."""
    await desk.submit("a", after=60, arguments=b'{"n": 1}')
    again = await desk.submit("a", arguments=b'{"n": 2}')
    assert again.disposition is Disposition.ALREADY_SCHEDULED
    assert again.record.call.arguments == b'{"n": 1}'
    assert await desk.keys_claimed() == []


async def test_a_key_that_runs_keeps_the_call_it_has(desk):
    """A running key is as taken as a waiting one."""
    await desk.submit("a")
    claim = await desk.claim_one()
    again = await desk.submit("a")
    assert again.disposition is Disposition.ALREADY_SCHEDULED
    assert again.record.state is ExecutionState.RUNNING
    assert await desk.settle(claim) is Settled.APPLIED


async def test_a_key_that_waits_for_its_retry_keeps_the_call_it_has(desk):
    """Between two attempts a key is taken, too."""
    await desk.submit("a")
    await desk.retry(await desk.claim_one(), after=60)
    again = await desk.submit("a")
    assert again.disposition is Disposition.ALREADY_SCHEDULED
    assert again.record.call.attempt == 2


@pytest.mark.parametrize("end", [COMPLETED, FAILED, Finish(ExecutionState.CANCELLED)], ids=str)
async def test_a_key_that_has_ended_starts_afresh(desk, end):
    """After completed, failed and cancelled alike, the key is free, and a new generation begins."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one(), end)
    again = await desk.submit("a")
    assert again.disposition is Disposition.SCHEDULED
    assert (again.record.call.generation, again.record.call.attempt) == (2, 1)
    assert (again.record.result, again.record.error, again.record.finished_at) == (None, None, None)
    assert await desk.keys_claimed() == ["a"]


async def test_the_first_generation_is_one(desk):
    """Generations are given by the store and count from 1."""
    assert (await desk.submit("a")).record.call.generation == 1


async def test_a_call_comes_back_as_it_was_submitted(desk):
    """Bytes, cause, task and instant survive the store, to the byte and the microsecond."""
    call = dataclasses.replace(
        desk.call("a"),
        arguments=bytes(range(256)),
        task="täsk",
        cause=Cause("parent", 3),
        when=datetime(2030, 1, 1, 11, 59, 59, 999_999, tzinfo=UTC),
    )
    await desk.store.submit(call, now=desk.now)
    claim = await desk.claim_one()
    assert dataclasses.replace(claim.call, generation=call.generation) == call


# The order of claims, and what else a claim tells.


async def test_what_has_been_due_longest_is_claimed_first(desk):
    """Not the order of submission counts, but that of due times."""
    for key, after in (("late", 3), ("early", 1), ("middle", 2)):
        await desk.submit(key, after=after)
    desk.pass_time(5)
    assert await desk.keys_claimed() == ["early", "middle", "late"]


async def test_a_claim_takes_no_more_than_its_limit(desk):
    """What exceeds the limit is left, the longest due first."""
    for number in range(5):
        await desk.submit(f"k{number}", after=number - 10)
    assert await desk.keys_claimed(limit=2) == ["k0", "k1"]
    assert await desk.keys_claimed("bob", limit=2) == ["k2", "k3"]


async def test_what_is_not_due_cannot_be_claimed(desk):
    """A microsecond before its time a call is not handed out; at its time it is."""
    await desk.submit("a", after=60)
    desk.pass_time(59.999999)
    assert await desk.keys_claimed() == []
    desk.pass_time(0.000001)
    assert await desk.keys_claimed() == ["a"]


async def test_a_claim_tells_when_the_next_call_is_due(desk):
    """An idle worker sleeps until then."""
    await desk.submit("a", after=60)
    await desk.submit("b", after=30)
    assert (await desk.claim()).next_due == NOON + seconds(30)


async def test_a_claim_tells_that_more_is_due_than_it_took(desk):
    """What is left because of the limit is due in the past."""
    await desk.submit("a")
    await desk.submit("b")
    claimed = await desk.claim(limit=1)
    assert claimed.next_due == NOON


async def test_nothing_is_next_when_nothing_waits(desk):
    """A call that runs does not count as one that waits."""
    assert (await desk.claim()).next_expiry is None
    await desk.submit("a")
    assert (await desk.claim()).next_due is None


async def test_a_claim_tells_when_the_earliest_lease_expires(desk):
    """Whose it is does not matter: its own, too, a worker may have lost sight of."""
    await desk.submit("a")
    assert (await desk.claim("ann")).next_expiry == NOON + LEASE
    desk.pass_time(3)
    await desk.submit("b")
    assert (await desk.claim("bob")).next_expiry == NOON + LEASE


async def test_an_ended_claim_does_not_expire_any_more(desk):
    """Whether it was settled for good or goes on later."""
    await desk.submit("ends")
    await desk.submit("goes on")
    ends, goes_on = (await desk.claim()).claims
    await desk.settle(ends)
    await desk.retry(goes_on, after=60)
    assert (await desk.claim()).next_expiry is None


async def test_outstanding_counts_what_has_not_ended(desk):
    """Waiting, running and due again all count; ended does not."""
    for key in ("ends", "retries", "runs"):
        await desk.submit(key)
    await desk.submit("waits", after=60)
    ends, retries, _ = (await desk.claim()).claims
    await desk.settle(ends)
    await desk.retry(retries, after=60)
    assert await desk.outstanding() == 3


# Records.


async def test_an_unknown_key_has_no_record(desk):
    """What was never submitted is not known."""
    assert await desk.get("nothing") is None


async def test_the_record_of_a_running_call_tells_who_has_it(desk):
    """Worker, start and delivery are those of the claim."""
    await desk.submit("a")
    desk.pass_time(1)
    await desk.claim_one("ann")
    record = await desk.get("a")
    assert record.state is ExecutionState.RUNNING
    assert (record.worker, record.started_at, record.delivery) == ("ann", desk.now, 1)


async def test_the_record_of_an_ended_call_tells_how_it_ended(desk):
    """The result and the time are kept, byte for byte."""
    await desk.submit("a")
    claim = await desk.claim_one()
    desk.pass_time(2)
    await desk.settle(claim, Finish(ExecutionState.COMPLETED, result=b"\x00\xff"))
    record = await desk.get("a")
    assert record.state is ExecutionState.COMPLETED
    assert (record.result, record.error, record.finished_at) == (b"\x00\xff", None, desk.now)


async def test_a_record_is_kept_for_the_ttl_and_no_longer(desk):
    """Just before the time is up the record is there, and then it is gone."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    desk.pass_time(TTL.total_seconds() - 1)
    assert await desk.state("a") is ExecutionState.COMPLETED
    desk.pass_time(1)
    assert await desk.get("a") is None


async def test_cancelling_an_expired_record_finds_nothing(desk):
    """A record whose time is up is gone for every verb, the cancelling one included."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    desk.pass_time(TTL.total_seconds())
    assert await desk.cancel("a") is None


async def test_a_key_that_is_scheduled_again_outlives_its_old_record(desk):
    """The old record's time being up does not reach the new call."""
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    await desk.submit("a", after=2 * TTL.total_seconds())
    desk.pass_time(TTL.total_seconds() + 1)
    assert await desk.state("a") is ExecutionState.SCHEDULED
    desk.pass_time(TTL.total_seconds())
    assert await desk.keys_claimed() == ["a"]


async def test_without_a_ttl_nothing_is_kept(forgetful_desk):
    """With a ttl of zero the record is gone with the settlement."""
    desk = forgetful_desk
    await desk.submit("a")
    await desk.settle(await desk.claim_one())
    assert await desk.get("a") is None
    assert await desk.outstanding() == 0


# Keys.


@pytest.mark.parametrize("store_name", STORES)
@settings(max_examples=25, deadline=None)
@given(keys=st.lists(st.text(), min_size=2, max_size=4, unique=True))
def test_keys_of_any_characters_are_kept_apart(store_name, keys):
    """Each key, whatever it is made of, is an execution of its own from submission to its end."""

    async def live_through() -> None:
        desk = Desk(STORES[store_name](TTL))
        await desk.store.open()
        for key in keys:
            await desk.submit(key, arguments=key.encode())
        claims = (await desk.claim()).claims
        assert {claim.call.key for claim in claims} == set(keys)
        for claim in claims:
            assert claim.call.arguments == claim.call.key.encode()
        await desk.settle(claims[0])
        await desk.cancel(claims[1].call.key)
        assert await desk.state(claims[0].call.key) is ExecutionState.COMPLETED
        for claim in claims[1:]:
            assert await desk.state(claim.call.key) is ExecutionState.RUNNING
        await desk.store.close()

    asyncio.run(live_through())


@pytest.mark.parametrize(
    "key", ["", "queue", "stream", "runs:x", "a:b", "{a}", "a b", "\n", "*", "*args", "\x00", "🦆"]
)
async def test_keys_that_look_like_a_stores_own_are_safe(desk, key):
    """No name that a store might use for itself can be broken by a key, nor break one."""
    await desk.submit(key)
    await desk.submit("other")
    assert sorted(await desk.keys_claimed()) == sorted([key, "other"])
    assert (await desk.get(key)).call.key == key


# Many at once.


async def test_many_calls_are_accepted_each_on_its_own(desk):
    """Those whose keys are free are scheduled, in their order; the others keep what they have."""
    await desk.submit("b", after=60)
    calls = [desk.call(key) for key in ("a", "b", "c", "a")]
    answers = await desk.store.submit_many(calls, now=desk.now)
    assert [answer.disposition for answer in answers] == [
        Disposition.SCHEDULED,
        Disposition.ALREADY_SCHEDULED,
        Disposition.SCHEDULED,
        Disposition.ALREADY_SCHEDULED,
    ]
    assert answers[1].record.call.when == desk.now + seconds(60)
    assert await desk.keys_claimed() == ["a", "c"]


async def test_many_calls_can_take_the_place_of_others(desk):
    """As one replaces another, also within the same request."""
    await desk.submit("a", after=60)
    calls = [desk.call("a", after=30), desk.call("a", arguments=b"last")]
    answers = await desk.store.submit_many(calls, now=desk.now, replace=True)
    assert [answer.record.call.generation for answer in answers] == [2, 3]
    [claim] = (await desk.claim()).claims
    assert claim.call.arguments == b"last"
    assert await desk.outstanding() == 1


async def test_a_thousand_and_more_calls_go_out_as_they_came_in(desk):
    """However a request is divided on its way."""
    keys = [f"key-{number}" for number in range(2_345)]
    await desk.store.submit_many([desk.call(key) for key in keys], now=desk.now)
    assert await desk.outstanding() == len(keys)
    claimed: list[str] = []
    while page := await desk.keys_claimed(limit=700):
        claimed += page
    assert claimed == keys


async def test_nothing_at_all_can_be_submitted(desk):
    """An empty list is no error."""
    assert list(await desk.store.submit_many([], now=desk.now)) == []


async def test_clearing_stops_at_its_limit(desk):
    """So that clearing a million can be shown as it goes, and nobody else waits for it to end."""
    await desk.submit("runs")
    await desk.claim_one()
    for number in range(5):
        await desk.submit(f"key-{number}", after=number)
    assert len(await desk.store.clear(now=desk.now, limit=3)) == 3
    assert len(await desk.store.clear(now=desk.now, limit=3)) == 2
    assert len(await desk.store.clear(now=desk.now, limit=3)) == 0
    assert await desk.outstanding() == 1
