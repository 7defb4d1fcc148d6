"""What becomes of the calls of a worker that is never heard of again."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import (
    CurrentExecution,
    Docket,
    Execution,
    ExecutionState,
    Retry,
    TaskFailed,
    UnknownTask,
    Worker,
)

LEASE = timedelta(seconds=10)


async def good(name: str = "good") -> str:
    """A task with nothing wrong."""
    return name


async def die_with(docket: Docket, key: str, *, times: int) -> None:
    """Claim the call of the key as workers that are never heard of again."""
    for number in range(times):
        claimed = await docket.store.claim(f"dead-{number}", limit=1, lease=LEASE, now=docket.now())
        assert [claim.call.key for claim in claimed.claims] == [key]
        await asyncio.sleep(LEASE.total_seconds())


async def work_off(docket: Docket, **options) -> None:
    """Let a worker run until nothing is left."""
    async with Worker(docket, **options) as worker:
        await worker.run_until_finished()


async def test_a_call_whose_worker_died_is_taken_over(sim):
    """The same attempt runs again when the lease is over, and knows of its first delivery."""
    seen = []

    async def job(execution: Execution = CurrentExecution()):
        seen.append((execution.attempt, execution.redelivered, sim.clock.elapsed))

    await sim.docket.add(job, key="k")()
    claimed = await sim.docket.store.claim("dead", limit=1, lease=LEASE, now=sim.docket.now())
    assert len(claimed.claims) == 1
    await work_off(sim.docket)
    assert seen == [(1, True, LEASE)]


async def test_a_first_delivery_is_no_redelivery(sim):
    """Nor is a retry one."""
    seen = []

    async def job(execution: Execution = CurrentExecution(), retry: Retry = Retry(attempts=2)):
        seen.append((execution.attempt, execution.redelivered))
        if retry.attempt == 1:
            raise ValueError("once more")

    await sim.docket.add(job)()
    await work_off(sim.docket)
    assert seen == [(1, False), (2, False)]


async def test_poison_ends_failed_after_five_deliveries(sim):
    """A call under which five workers died is not given to a sixth."""
    execution = await sim.docket.add(good, key="poison")("never runs")
    await die_with(sim.docket, "poison", times=5)
    behind = await sim.docket.add(good)()
    await work_off(sim.docket)
    [failure] = sim.acknowledge_failures()
    assert "5" in str(failure.error)
    with pytest.raises(Exception, match="worker"):
        await execution.get_result()
    assert await behind.get_result() == "good"


async def test_the_last_allowed_delivery_still_runs(sim):
    """Four deaths are not five."""
    execution = await sim.docket.add(good, key="survivor")()
    await die_with(sim.docket, "survivor", times=4)
    await work_off(sim.docket)
    assert await execution.get_result() == "good"


async def test_the_delivery_limit_can_be_set(sim):
    """With a limit of one, a call is never run again after a death."""
    execution = await sim.docket.add(good, key="once")()
    await die_with(sim.docket, "once", times=1)
    await work_off(sim.docket, max_deliveries=1)
    sim.acknowledge_failures()
    await execution.sync()
    assert execution.state is ExecutionState.FAILED


async def test_the_reason_for_poison_can_be_read_without_the_task(sim):
    """A client that has the task registered reads a failure that a person can act on."""
    await sim.docket.add(good, key="poison")()
    await die_with(sim.docket, "poison", times=1)
    await work_off(sim.docket, max_deliveries=1)
    sim.acknowledge_failures()
    async with Docket("other", store=sim.docket.store, clock=sim.clock) as other:
        other.register(good)
        execution = await other.get_execution("poison")
        with pytest.raises(Exception, match="handed to a worker") as caught:
            await execution.get_result()
        assert not isinstance(caught.value, UnknownTask | TaskFailed)
