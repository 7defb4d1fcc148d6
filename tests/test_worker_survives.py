"""Nothing that a task or a message contains can end a worker: it ends that execution instead."""

import asyncio
import pickle
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import pairwise

import pytest

from docket_sim import (
    CurrentExecution,
    Depends,
    Docket,
    Execution,
    ExecutionState,
    Perpetual,
    Retry,
    TaskCall,
    UnknownTask,
    Worker,
)

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def good(name: str = "good") -> str:
    """A task with nothing wrong."""
    return name


async def submit_raw(docket: Docket, task: str, payload: bytes, key: str = "bad") -> None:
    """Put a call into the store that no docket would have made."""
    now = docket.now()
    await docket.store.submit(TaskCall(key, task, payload, now), now=now)


async def work_off(docket: Docket, **options) -> None:
    """Let a worker run until nothing is left."""
    async with Worker(docket, **options) as worker:
        await worker.run_until_finished()


def another_docket(sim, **options) -> Docket:
    """A docket of another process: the same store, other registrations."""
    return Docket("other", store=sim.docket.store, clock=sim.clock, **options)


# What a task does.


class Odd(BaseException):
    """Neither an Exception nor one of Python's own."""


@pytest.mark.docket(allow_failures=True)
@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError(), GeneratorExit(), Odd("x")],
    ids=repr,
)
@pytest.mark.parametrize("where", ["body", "factory", "teardown"])
async def test_a_base_exception_ends_the_execution_and_not_the_worker(sim, error, where):
    """Whatever is raised, and wherever, the work behind it is done."""

    async def factory():
        if where == "factory":
            raise error
        yield
        if where == "teardown":
            raise error

    async def bad(value=Depends(factory)):
        if where == "body":
            raise error

    execution = await sim.docket.add(bad)()
    behind = await sim.docket.add(good)()
    await work_off(sim.docket, concurrency=1)
    await execution.sync()
    assert execution.state is ExecutionState.FAILED
    assert await behind.get_result() == "good"


async def test_a_cancelled_error_of_the_bodys_own_is_retried_like_any_failure(sim):
    """Awaiting something that was cancelled is a failure of the body, not a cancellation."""

    async def bad(retry: Retry = Retry(attempts=3)):
        if retry.attempt < 3:
            raise asyncio.CancelledError
        return retry.attempt

    execution = await sim.docket.add(bad)()
    await work_off(sim.docket)
    assert await execution.get_result() == 3


async def test_a_result_that_cannot_travel_fails_the_execution_once(sim):
    """The body is not run again for it, whatever its retry policy says."""
    runs = []

    async def bad(retry: Retry = Retry(attempts=3)):
        runs.append(1)
        return object()

    execution = await sim.docket.add(bad)()
    behind = await sim.docket.add(good)()
    await work_off(sim.docket)
    sim.acknowledge_failures()
    assert runs == [1]
    with pytest.raises(TypeError, match="bad returned"):
        await execution.get_result()
    assert await behind.get_result() == "good"


# What a message contains.


@pytest.mark.docket(allow_failures=True)
@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1]",
        b'"text"',
        b"7",
        b'{"name": {"a": 1}}',
        b'{"nome": "x"}',
        pickle.dumps({"name": "x"}),
        b"[" * 100_000,
    ],
    ids=lambda payload: repr(payload[:12]),
)
async def test_a_payload_that_cannot_be_decoded_ends_failed_and_nothing_else(sim, payload):
    """It fails with a reason, and the work behind it is done."""
    sim.docket.register(good)
    await submit_raw(sim.docket, "good", payload)
    behind = await sim.docket.add(good)("behind")
    await work_off(sim.docket, concurrency=1)
    assert await behind.get_result() == "behind"
    execution = await sim.docket.get_execution("bad")
    assert execution.state is ExecutionState.FAILED
    [failure] = sim.acknowledge_failures()
    assert "good" in str(failure.error)


async def test_a_payload_that_cannot_be_decoded_is_not_retried(sim):
    """It would not get better."""

    async def patient(name: str, retry: Retry = Retry(attempts=5, delay=SECOND)): ...

    sim.docket.register(patient)
    await submit_raw(sim.docket, "patient", b"{")
    await work_off(sim.docket)
    [failure] = sim.acknowledge_failures()
    assert failure.call.attempt == 1
    assert sim.clock.elapsed == timedelta(0)


# Unknown tasks.


async def test_an_unknown_task_is_left_for_a_worker_that_knows_it(sim):
    """A rolling deployment: the old worker passes the call on, and the new one runs it."""
    new = another_docket(sim)
    async with new:
        execution = await new.add(good)("new")
        async with Worker(sim.docket, "old") as old_worker, Worker(new, "new") as new_worker:
            old = asyncio.create_task(old_worker.run_until_finished())
            await asyncio.sleep(0.5)
            await execution.sync()
            assert not execution.state.finished
            await new_worker.run_until_finished()
            await old
        assert await execution.get_result() == "new"
        assert execution.attempt == 1


@pytest.mark.parametrize("unknown", ["vanished", "gud"])
async def test_an_unknown_task_fails_in_the_end_naming_those_that_are_known(sim, unknown):
    """Nobody came who knows it: the reason says which names there are, near or not."""

    async def other(): ...

    sim.docket.register(good)
    sim.docket.register(other)
    await submit_raw(sim.docket, unknown, b"{}")
    await work_off(sim.docket)
    [failure] = sim.acknowledge_failures()
    assert isinstance(failure.error, UnknownTask)
    for name in (unknown, "good", "other"):
        assert name in str(failure.error)
    assert (await sim.docket.get_execution("bad")).state is ExecutionState.FAILED


@pytest.mark.parametrize("workers", [1, 2])
async def test_an_unknown_task_fails_when_it_was_left_to_others_for_an_hour(sim, workers):
    """However many workers pass it on to each other, and however few deliveries are allowed."""
    told = []
    await submit_raw(sim.docket, "vanished", b"{}")
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            worker = Worker(sim.docket, max_deliveries=1)
            told.append((await stack.enter_async_context(worker)).run_until_finished())
        await asyncio.gather(*told)
    sim.acknowledge_failures()
    assert HOUR <= sim.clock.elapsed <= HOUR + 2 * MINUTE
    record = await sim.docket.store.get("bad", now=sim.docket.now())
    assert (record.state, record.delivery) == (ExecutionState.FAILED, 1)


async def test_an_unknown_task_is_asked_for_ever_more_rarely(sim):
    """After 1 s, 2 s, 4 s and so on, and each minute in the end."""
    await submit_raw(sim.docket, "vanished", b"{}")
    await work_off(sim.docket)
    sim.acknowledge_failures()
    at = [moment.elapsed for moment in sim.timeline if moment.what == "released"]
    waits = [round((late - early).total_seconds()) for early, late in pairwise(at)]
    assert waits[:7] == [1, 2, 4, 8, 16, 32, 60]
    assert set(waits[7:]) == {60}


@pytest.mark.parametrize("ignorant", [1, 3])
async def test_no_call_is_lost_where_one_worker_knows_the_task(sim, ignorant):
    """The one that does is busy: most calls meet the others, which claim them time and again."""

    async def job() -> str:
        await asyncio.sleep(1)
        return "done"

    async with another_docket(sim) as new, AsyncExitStack() as stack:
        executions = [await new.add(job)() for _ in range(200)]
        runs = []
        for number in range(ignorant):
            worker = Worker(sim.docket, f"old-{number}", concurrency=100)
            runs.append((await stack.enter_async_context(worker)).run_until_finished())
        knowing = await stack.enter_async_context(Worker(new, "new", concurrency=2))
        await asyncio.gather(*runs, knowing.run_until_finished())
        assert [await execution.get_result() for execution in executions] == ["done"] * 200
        for execution in executions:
            assert (execution.attempt, execution.redelivered) == (1, False)


async def test_a_perpetual_outlives_a_worker_that_does_not_know_it(sim):
    """Each of its runs is left to others anew, though all have one key and one attempt."""
    began = []

    async def tick(perpetual: Perpetual = Perpetual(every=10 * SECOND)):
        began.append(sim.clock.elapsed)

    async with another_docket(sim) as new:
        await new.add(tick, key="tick")()
        async with Worker(sim.docket, "old") as old, Worker(new, "new") as knowing:
            working = [asyncio.create_task(one.run_forever()) for one in (old, knowing)]
            await asyncio.sleep(3 * HOUR.total_seconds())
            for one in working:
                one.cancel()
            await asyncio.gather(*working, return_exceptions=True)
    assert began[-1] > 3 * HOUR - MINUTE


async def test_a_worker_leaves_a_call_for_an_hour_from_when_it_met_it(sim):
    """That all were down for longer says nothing on whether one that knows the task will start."""
    await submit_raw(sim.docket, "vanished", b"{}")
    async with Worker(sim.docket, "before") as before:
        working = asyncio.create_task(before.run_forever())
        await asyncio.sleep(MINUTE.total_seconds())
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    await asyncio.sleep(3 * HOUR.total_seconds())
    came_back = sim.clock.elapsed
    await work_off(sim.docket)
    sim.acknowledge_failures()
    assert sim.clock.elapsed - came_back >= HOUR


async def test_a_fallback_runs_what_the_docket_does_not_know(sim):
    """It gets the arguments and knows which call it stands in for."""
    got = []

    async def fallback(*args, execution: Execution = CurrentExecution(), **kwargs):
        got.append((args, kwargs, execution.key, execution.function_name))

    await submit_raw(sim.docket, "vanished", b'{"order_id": 7}')
    await work_off(sim.docket, fallback_task=fallback)
    assert got == [((), {"order_id": 7}, "bad", "vanished")]
    assert (await sim.docket.get_execution("bad")).state is ExecutionState.COMPLETED


async def test_a_fallback_leaves_known_tasks_alone(sim):
    """It is for what is unknown only."""

    async def fallback(**kwargs):
        raise AssertionError("not for this")

    execution = await sim.docket.add(good)()
    await work_off(sim.docket, fallback_task=fallback)
    assert await execution.get_result() == "good"


def plain(**kwargs):
    """Not a task."""


async def with_retry(retry: Retry = Retry(attempts=2), **kwargs): ...


@pytest.mark.parametrize(
    ("fallback", "error"), [(plain, TypeError), (with_retry, ValueError)], ids=["plain", "two"]
)
async def test_a_fallback_that_cannot_work_is_refused_where_the_worker_is_made(
    sim, fallback, error
):
    """Otherwise the first unknown message would take the worker down."""
    with pytest.raises(error):
        Worker(sim.docket, fallback_task=fallback, dependencies={"again": Retry(attempts=2)})


@pytest.mark.docket(allow_failures=True)
async def test_a_fallback_for_an_unreadable_payload_ends_failed(sim):
    """Two things wrong with one message are no worse than one."""

    async def fallback(**kwargs): ...

    await submit_raw(sim.docket, "vanished", b"\x80")
    behind = await sim.docket.add(good)()
    await work_off(sim.docket, fallback_task=fallback)
    assert (await sim.docket.get_execution("bad")).state is ExecutionState.FAILED
    assert await behind.get_result() == "good"
