"""The store being down is survived: workers ask again, bodies go on, and leases decide the rest."""

import asyncio
from collections import Counter
from datetime import timedelta
from functools import partial

import pytest

from docket_sim import (
    Docket,
    ExecutionState,
    MemoryStore,
    Perpetual,
    Retry,
    StoreUnavailable,
    Worker,
)
from docket_sim.events import Finished, LeaseLost
from docket_sim.store import Store

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=10)
VERBS = ("submit", "claim", "renew", "settle", "cancel", "get", "snapshot", "clear")


class Line:
    """A connection to a store that can be cut: for all verbs or for some.

    Attributes:
        cut: the verbs that fail before they reach the store.
        mute: the verbs whose answer is lost on its way back, once each.
        asked: how often each verb was called.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.cut: set[str] = set()
        self.mute: set[str] = set()
        self.asked: Counter[str] = Counter()
        for verb in VERBS:
            setattr(self, verb, partial(self.call, verb))
        self.watch, self.listen = store.watch, store.listen
        self.open, self.close = store.open, store.close

    async def call(self, verb, *args, **kwargs):
        self.asked[verb] += 1
        if verb in self.cut:
            await asyncio.sleep(0)
            raise StoreUnavailable(f"{verb}: the line is cut")
        answer = await getattr(self.store, verb)(*args, **kwargs)
        if verb in self.mute:
            self.mute.discard(verb)
            raise StoreUnavailable(f"{verb}: the answer was lost")
        return answer


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def line(store):
    return Line(store)


@pytest.fixture
def docket(sim, line):
    """A docket at the end of the line, open."""
    docket = Docket("far", store=line, clock=sim.clock)
    sim.run(docket.__aenter__())
    yield docket
    sim.run(docket.__aexit__(None, None, None))


@pytest.fixture
def ran(sim):
    """When bodies began, in seconds."""
    return []


@pytest.fixture
def job(sim, ran):
    async def job(duration: float = 0):
        ran.append(sim.clock.elapsed.total_seconds())
        await asyncio.sleep(duration)
        return "done"

    return job


def repair_after(line, seconds):
    """Let the line be whole again in so many seconds."""
    asyncio.get_running_loop().call_later(seconds, line.cut.clear)


def worker_on(docket, **options) -> Worker:
    return Worker(docket, redelivery_timeout=LEASE, reconnection_delay=SECOND, **options)


async def test_a_worker_that_cannot_claim_asks_again(docket, line, job, ran):
    """It begins to work as soon as the store is back, and does not hammer it until then."""
    execution = await docket.add(job)()
    line.cut = set(VERBS)
    repair_after(line, 30.5)
    async with worker_on(docket) as worker:
        await worker.run_until_finished()
    [began] = ran
    assert 30.5 <= began <= 31.5 + 5
    assert line.asked["claim"] <= 40
    assert await execution.get_result() == "done"


async def test_after_a_blip_a_worker_goes_on_at_once(docket, line, job, ran):
    """It asks again soon at first, whatever the longest wait is."""
    execution = await docket.add(job)()
    line.cut = {"claim"}
    repair_after(line, 0.2)
    async with Worker(docket) as worker:
        await worker.run_until_finished()
    [began] = ran
    assert began < 0.4
    assert await execution.get_result() == "done"


async def test_after_a_blip_every_settlement_is_sent_at_once(docket, line, job, ran, sim):
    """That others were refused as well makes nobody wait longer."""
    executions = [await docket.add(job)(1) for _ in range(50)]
    line.cut = {"settle"}
    repair_after(line, 1.2)
    async with Worker(docket, concurrency=50) as worker:
        await worker.run_until_finished()
    assert sim.clock.elapsed.total_seconds() < 1.4
    assert [await execution.get_result() for execution in executions] == ["done"] * 50
    assert len(ran) == 50


async def test_a_store_that_is_away_for_long_is_asked_each_five_seconds(docket, line, job):
    """The waits grow, but not for ever."""
    await docket.add(job)()
    line.cut = {"claim"}
    repair_after(line, 600)
    async with Worker(docket) as worker:
        await worker.run_until_finished()
    assert 600 / 5 <= line.asked["claim"] <= 600 / 5 + 10


async def test_an_outage_while_idle_is_survived(docket, line, job, ran):
    """Work that is added after the outage is done."""
    async with worker_on(docket) as worker:
        working = asyncio.create_task(worker.run_forever())
        await asyncio.sleep(1)
        line.cut = {"claim"}
        execution = await docket.add(job)()
        await asyncio.sleep(60)
        assert not working.done()
        line.cut.clear()
        assert await execution.get_result() == "done"
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_automatic_tasks_are_scheduled_once_the_store_is_back(docket, line, ran, sim):
    """A worker that starts during an outage survives it, too."""

    async def tick(perpetual: Perpetual = Perpetual(automatic=True)):
        ran.append(sim.clock.elapsed)
        perpetual.cancel()

    docket.register(tick)
    line.cut = set(VERBS)
    repair_after(line, 5)
    async with worker_on(docket) as worker:
        await worker.run_until_finished()
    assert len(ran) == 1


@pytest.fixture
def tick(docket, ran, sim):
    """An automatic perpetual that runs each ten seconds."""

    async def tick(perpetual: Perpetual = Perpetual(10 * SECOND, automatic=True)):
        ran.append(sim.clock.elapsed.total_seconds())

    docket.register(tick)
    return tick


async def work_for(worker, seconds):
    """Let a worker run for so long."""
    working = asyncio.create_task(worker.run_forever())
    await asyncio.sleep(seconds)
    assert not working.done()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


@pytest.mark.parametrize("scheduling", [True, False])
async def test_automatic_tasks_are_scheduled_again_where_the_store_has_lost_them(
    docket, line, tick, ran, scheduling
):
    """A server without persistence has started anew; the workers have not."""
    loop = asyncio.get_running_loop()
    loop.call_later(15, line.cut.update, VERBS)
    loop.call_later(20, lambda: setattr(line, "store", MemoryStore()))
    loop.call_later(25, line.cut.clear)
    if not scheduling:
        await docket.add(tick, key="tick")()
    async with worker_on(docket, schedule_automatic_tasks=scheduling) as worker:
        await work_for(worker, 60)
    assert ran[:2] == [0, 10]
    assert [25 <= at <= 27 for at in ran[2:3]] == [True] * scheduling
    assert len(ran) == (6 if scheduling else 2)


async def test_an_automatic_task_that_has_ended_is_not_begun_again_by_a_blip(
    docket, line, job, tick, ran
):
    """It was cancelled, and is known to be: nothing was lost."""
    loop = asyncio.get_running_loop()
    loop.call_later(15, lambda: loop.create_task(docket.cancel("tick")))
    loop.call_later(18, line.cut.update, VERBS)
    await docket.add(job, when=docket.now() + 20 * SECOND)()  # so that it asks during the outage
    loop.call_later(25, line.cut.clear)
    async with worker_on(docket) as worker:
        await work_for(worker, 60)
    assert ran[:2] == [0, 10]
    assert len(ran) == 3  # and the job
    assert line.asked["submit"] == 2  # the job, and one at the start


async def test_where_nothing_is_amiss_nobody_asks_for_automatic_tasks(docket, line, tick, ran):
    """One submission at the start is all."""
    async with worker_on(docket) as worker:
        await work_for(worker, 55)
    assert len(ran) == 6
    assert (line.asked["get"], line.asked["submit"]) == (0, 1)


async def test_a_settlement_is_sent_again_and_the_body_is_not_run_again(docket, line, job, ran):
    """What was done is settled when the store is back."""
    execution = await docket.add(job)(1)
    async with worker_on(docket) as worker:
        working = asyncio.create_task(worker.run_until_finished())
        await asyncio.sleep(0.5)
        line.cut = {"settle"}
        repair_after(line, 5)
        await working
    assert ran == [0]
    assert await execution.get_result() == "done"


async def test_a_settlement_whose_answer_was_lost_counts_once(docket, line, job, ran):
    """It was applied; sending it again changes nothing, and nothing runs again."""
    execution = await docket.add(job)()
    line.mute = {"settle"}
    async with worker_on(docket) as worker:
        await worker.run_until_finished()
    assert ran == [0]
    assert line.asked["settle"] == 2
    assert await execution.get_result() == "done"


async def test_what_was_settled_is_told_though_the_answer_was_lost(docket, line, job):
    """Observers learn that the execution has ended, and of no lost lease."""
    told = []

    class Ear:
        def notify(self, event):
            told.append(type(event))

    docket.observe(Ear())
    await docket.add(job)()
    line.mute = {"settle"}
    async with worker_on(docket) as worker:
        await worker.run_until_finished()
    assert (Finished in told, LeaseLost in told) == (True, False)


async def test_a_retry_whose_answer_was_lost_is_one_retry(docket, line, sim, ran):
    """The attempt is counted once."""

    async def flaky(retry: Retry = Retry(attempts=3)):
        ran.append(retry.attempt)
        if retry.attempt < 2:
            raise ValueError("not yet")

    await docket.add(flaky)()
    line.mute = {"settle"}
    async with worker_on(docket) as worker:
        await worker.run_until_finished()
    assert ran == [1, 2]


async def test_a_claim_whose_answer_was_lost_is_delivered_again(docket, line, job, ran):
    """Nobody knows of that claim: it expires, and the call runs then."""
    execution = await docket.add(job)()
    line.mute = {"claim"}
    async with worker_on(docket) as lucky, worker_on(docket) as other:
        await asyncio.gather(lucky.run_until_finished(), other.run_until_finished())
    assert ran == [10]
    assert await execution.get_result() == "done"


async def test_a_lone_worker_finds_again_what_was_lost_on_the_way(docket, line, job, ran):
    """It does not need another worker to notice that a claim of its own has expired."""
    execution = await docket.add(job)()
    line.mute = {"claim"}
    async with worker_on(docket) as worker:
        await worker.run_until_finished()
    assert ran == [10]
    assert await execution.get_result() == "done"


async def test_a_body_goes_on_through_an_outage(docket, line, job, ran):
    """An outage shorter than the lease is not even noticed by the body."""
    execution = await docket.add(job)(60)
    async with worker_on(docket) as worker:
        working = asyncio.create_task(worker.run_until_finished())
        await asyncio.sleep(20)
        line.cut = set(VERBS)
        repair_after(line, 6)
        await working
    assert ran == [0]
    assert await execution.get_result() == "done"


async def test_a_body_whose_lease_expired_unclaimed_is_settled_after_all(docket, line, job, ran):
    """An outage longer than the lease does no harm while nobody else takes the call over."""
    execution = await docket.add(job)(60)
    async with worker_on(docket) as worker:
        working = asyncio.create_task(worker.run_until_finished())
        await asyncio.sleep(20)
        line.cut = set(VERBS)
        repair_after(line, 30)
        await working
    assert ran == [0]
    assert await execution.get_result() == "done"


async def cut_off(docket, line, worker, *, after):
    """Let a worker run, and cut its line after so many seconds."""
    working = asyncio.create_task(worker.run_until_finished())
    await asyncio.sleep(after)
    line.cut = set(VERBS)
    return working


async def test_a_worker_that_lost_its_lease_cancels_the_attempt(docket, line, store, sim):
    """It learns it at its renewal; the body sees a cancellation and can clean up."""
    ended = []

    async def job():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            ended.append(sim.clock.elapsed.total_seconds())
            raise

    await docket.add(job, key="k")()
    async with worker_on(docket) as worker:
        working = await cut_off(docket, line, worker, after=1)
        await asyncio.sleep(15)
        claimed = await store.claim("heir", limit=1, lease=60 * SECOND, now=docket.now())
        assert [claim.call.key for claim in claimed.claims] == ["k"]
        assert ended == []
        line.cut.clear()
        await asyncio.sleep(5)
        assert len(ended) == 1
        record = await store.get("k", now=docket.now())
        assert (record.state, record.worker) == (ExecutionState.RUNNING, "heir")
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_what_a_worker_decided_after_it_lost_its_lease_is_refused(docket, line, store, job):
    """The body ended during the outage, too late: the heir's result is the one that counts."""
    execution = await docket.add(job, key="k")(5)
    async with worker_on(docket) as worker:
        working = await cut_off(docket, line, worker, after=1)
        await asyncio.sleep(15)
        async with Docket("near", store=store, clock=docket.clock) as near:
            heard = []

            async def as_heir(duration: float):
                heard.append(duration)
                return "by the heir"

            near.register(as_heir, names=["job"])
            async with worker_on(near) as heir:
                await heir.run_until_finished()
        line.cut.clear()
        await working
    assert heard == [5]
    assert await execution.get_result() == "by the heir"


async def test_cancelling_a_worker_ends_it_though_the_store_stays_down(docket, line, job):
    """Settlements are sent again until their leases are over, and no longer."""
    await docket.add(job)(2)
    async with worker_on(docket) as worker:
        working = await cut_off(docket, line, worker, after=1)
        working.cancel()
        done, _ = await asyncio.wait([working], timeout=300)
        assert done
