"""Every store: claims are leases. They expire, are renewed, and are taken over."""

import pytest
from conformance import COMPLETED, LEASE, NOON, seconds

from docket_sim.execution import ExecutionState, Reason
from docket_sim.store import Settled


async def test_a_claimed_call_cannot_be_claimed_again(desk):
    """While the lease holds, neither another worker nor the same one gets it."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(9)
    assert await desk.keys_claimed("bob") == []
    assert await desk.keys_claimed("ann") == []


async def test_an_expired_claim_is_taken_over(desk):
    """When the lease is up, another worker gets the same attempt, as a second delivery."""
    await desk.submit("a")
    first = await desk.claim_one("ann")
    desk.pass_time(10)
    second = await desk.claim_one("bob")
    assert second.call == first.call
    assert (second.worker, second.delivery, second.call.attempt) == ("bob", 2, 1)


async def test_a_worker_can_claim_again_what_it_lost_itself(desk):
    """A worker that stopped renewing competes for its own old claim like any other."""
    await desk.submit("a")
    first = await desk.claim_one("ann")
    desk.pass_time(10)
    second = await desk.claim_one("ann")
    assert second.delivery == 2
    assert second.fence != first.fence


async def test_fences_are_never_used_twice(desk):
    """Each claim of a docket has a number of its own, over keys, attempts and generations."""
    fences = set()
    for _ in range(3):
        for key in ("a", "b"):
            await desk.submit(key)
        claims = (await desk.claim()).claims
        fences.update(claim.fence for claim in claims)
        for claim in claims:
            await desk.settle(claim)
    assert len(fences) == 6


async def test_an_expired_claim_keeps_its_place_in_the_order(desk):
    """What is taken over has been due longer than what came since."""
    await desk.submit("old")
    await desk.claim_one("ann")
    desk.pass_time(5)
    await desk.submit("new")
    desk.pass_time(5)
    assert await desk.keys_claimed("bob") == ["old", "new"]


async def test_an_expired_claim_still_counts_as_outstanding(desk):
    """Work whose worker died has not ended."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(60)
    assert await desk.outstanding() == 1


async def test_a_renewed_claim_does_not_expire(desk):
    """Renewing extends the lease from now, not from its old end."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    desk.pass_time(6)
    renewal = await desk.store.renew([claim], lease=LEASE, now=desk.now)
    assert (list(renewal.lost), list(renewal.cancelled)) == ([], [])
    desk.pass_time(9)
    assert await desk.keys_claimed("bob") == []
    desk.pass_time(1)
    assert await desk.keys_claimed("bob") == ["a"]


async def test_renewing_moves_the_next_expiry(desk):
    """What the others are told about a lease follows its renewal."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    desk.pass_time(6)
    await desk.store.renew([claim], lease=LEASE, now=desk.now)
    assert (await desk.claim("bob")).next_expiry == NOON + seconds(16)


async def test_a_claim_that_expired_unnoticed_can_be_renewed(desk):
    """As long as nobody has taken it over, a late renewal saves the claim."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    desk.pass_time(15)
    renewal = await desk.store.renew([claim], lease=LEASE, now=desk.now)
    assert list(renewal.lost) == []
    assert await desk.keys_claimed("bob") == []


async def test_renewal_tells_which_claims_are_lost(desk):
    """Of several claims only those that others have are lost; the rest are renewed."""
    await desk.submit("a")
    await desk.submit("b")
    a, b = (await desk.claim("ann")).claims
    desk.pass_time(5)
    await desk.store.renew([b], lease=LEASE, now=desk.now)
    desk.pass_time(5)
    assert await desk.keys_claimed("bob") == ["a"]
    renewal = await desk.store.renew([a, b], lease=LEASE, now=desk.now)
    assert list(renewal.lost) == [a.fence]
    desk.pass_time(9)
    assert await desk.keys_claimed("cid") == []


async def test_a_lost_claim_cannot_extend_the_lease_of_its_successor(desk):
    """A zombie's renewal does not keep alive what another worker holds."""
    await desk.submit("a")
    zombie = await desk.claim_one("ann")
    desk.pass_time(10)
    await desk.claim_one("bob")
    desk.pass_time(9)
    await desk.store.renew([zombie], lease=LEASE, now=desk.now)
    desk.pass_time(1)
    assert await desk.keys_claimed("cid") == ["a"]


async def test_a_settled_claim_is_lost_at_renewal(desk):
    """A claim that was ended is nobody's any more."""
    await desk.submit("a")
    claim = await desk.claim_one()
    await desk.settle(claim)
    renewal = await desk.store.renew([claim], lease=LEASE, now=desk.now)
    assert list(renewal.lost) == [claim.fence]


async def test_renewing_nothing_is_allowed(desk):
    """An empty renewal has an empty answer."""
    renewal = await desk.store.renew([], lease=LEASE, now=desk.now)
    assert (list(renewal.lost), list(renewal.cancelled)) == ([], [])


async def test_a_superseded_claim_is_renewed_without_complaint(desk):
    """The superseded attempt goes on to its end, so its lease must not run out."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    await desk.submit("a", replace=True)
    for _ in range(3):
        desk.pass_time(6)
        renewal = await desk.store.renew([claim], lease=LEASE, now=desk.now)
        assert (list(renewal.lost), list(renewal.cancelled)) == ([], [])
    assert await desk.keys_claimed("bob") == []


# Deliveries.


async def test_each_takeover_is_one_more_delivery(desk):
    """A call that takes its workers down is counted, so that it can be told from bad luck."""
    await desk.submit("a")
    deliveries = []
    for worker in ("ann", "bob", "cid", "dan"):
        deliveries.append((await desk.claim_one(worker)).delivery)
        desk.pass_time(10)
    assert deliveries == [1, 2, 3, 4]


async def test_a_retry_counts_its_deliveries_afresh(desk):
    """Deliveries are those of one attempt."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(10)
    await desk.retry(await desk.claim_one("bob"))
    claim = await desk.claim_one("bob")
    assert (claim.call.attempt, claim.delivery) == (2, 1)


async def test_a_perpetuals_next_run_counts_its_deliveries_afresh(desk):
    """The next run of a perpetual is a new first attempt."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(10)
    claim = await desk.claim_one("bob")
    await desk.settle(claim, desk.again(claim, Reason.PERPETUAL))
    claim = await desk.claim_one("bob")
    assert (claim.call.attempt, claim.delivery) == (1, 1)


async def test_a_claim_that_is_released_is_no_delivery(desk):
    """However often it was passed on, whoever can run it does not see it as delivered before."""
    await desk.submit("a")
    deliveries = []
    for worker in ("ann", "bob", "ann"):
        claim = await desk.claim_one(worker)
        deliveries.append((claim.call.attempt, claim.delivery))
        await desk.settle(claim, desk.again(claim, Reason.RELEASE))
        assert (await desk.get("a")).delivery == 0
    assert deliveries == [(1, 1), (1, 1), (1, 1)]


async def test_a_release_takes_back_its_own_delivery_only(desk):
    """A worker died with the call before: that goes on counting."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(10)
    claim = await desk.claim_one("bob")
    await desk.settle(claim, desk.again(claim, Reason.RELEASE))
    assert (await desk.get("a")).delivery == 1
    assert (await desk.claim_one("ann")).delivery == 2


async def test_a_claim_tells_since_when_its_call_was_only_released(desk):
    """By the first of those claims; so a worker knows again what it has left to others before."""
    await desk.submit("a")
    first = await desk.claim_one("ann")
    assert first.released_since is None
    await desk.settle(first, desk.again(first, Reason.RELEASE))
    for worker in ("bob", "ann"):
        claim = await desk.claim_one(worker)
        assert claim.released_since == first.fence
        await desk.settle(claim, desk.again(claim, Reason.RELEASE))


@pytest.mark.parametrize("reason", [Reason.RETRY, Reason.PERPETUAL])
async def test_what_was_run_since_is_not_what_was_released_before(desk, reason):
    """The next run of a perpetual has its key, its generation and its attempt, and is another."""
    await desk.submit("a")
    for why in (Reason.RELEASE, reason):
        claim = await desk.claim_one()
        await desk.settle(claim, desk.again(claim, why))
    assert (await desk.claim_one()).released_since is None


async def test_a_new_generation_was_not_released(desk):
    """Whether what was there before has ended or still waits."""
    for key in ("ended", "waiting"):
        await desk.submit(key)
    for claim in (await desk.claim()).claims:
        await desk.settle(claim, desk.again(claim, Reason.RELEASE))
    await desk.cancel("ended")
    for key in ("ended", "waiting"):
        await desk.submit(key, replace=True)
    assert [claim.released_since for claim in (await desk.claim()).claims] == [None, None]


async def test_a_new_generation_counts_its_deliveries_afresh(desk):
    """Scheduling a key again forgets the deliveries of what was there before."""
    await desk.submit("a")
    await desk.claim_one("ann")
    desk.pass_time(10)
    await desk.settle(await desk.claim_one("bob"))
    await desk.submit("a")
    assert (await desk.claim_one("bob")).delivery == 1


# Settling late.


async def test_a_settlement_holds_though_its_lease_has_expired(desk):
    """A claim that nobody has taken over is in force: work that was done is not done twice."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    desk.pass_time(60)
    assert await desk.settle(claim) is Settled.APPLIED
    assert await desk.state("a") is ExecutionState.COMPLETED


async def test_a_settlement_holds_though_others_have_claimed_other_work(desk):
    """A claim that had no room for an expired call has not taken it over."""
    await desk.submit("a")
    claim = await desk.claim_one("ann")
    desk.pass_time(60)
    assert await desk.keys_claimed("bob", limit=0) == []
    assert await desk.settle(claim, COMPLETED) is Settled.APPLIED


async def test_a_settlement_after_the_takeover_is_refused(desk):
    """The zombie is told, and what the new worker does is what counts."""
    await desk.submit("a")
    zombie = await desk.claim_one("ann")
    desk.pass_time(10)
    heir = await desk.claim_one("bob")
    assert await desk.settle(zombie) is Settled.LOST
    record = await desk.get("a")
    assert (record.state, record.worker, record.result) == (ExecutionState.RUNNING, "bob", None)
    assert await desk.settle(heir) is Settled.APPLIED
