"""What a worker is told beyond its work: how often to run what, and what to add to every task."""

from datetime import timedelta

import pytest

from docket_sim import (
    CurrentExecution,
    Depends,
    Execution,
    ExecutionState,
    Perpetual,
    Retry,
    Worker,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def log():
    """What ran, as tasks note it."""
    return []


@pytest.fixture
def job(log):
    """A task that notes its name."""

    async def job(name: str):
        log.append(name)

    return job


# At most.


async def test_run_at_most_limits_a_task_by_name(sim, log, job):
    """What would run more often is cancelled instead."""
    for number in range(4):
        await sim.docket.add(job, key=f"k{number}")(f"{number}")
    async with Worker(sim.docket) as worker:
        await worker.run_at_most({"job": 2})
    assert log == ["0", "1"]
    assert (await sim.docket.get_execution("k3")).state is ExecutionState.CANCELLED


async def test_run_at_most_limits_a_task_by_key(sim, log, job):
    """Other keys of the same task are not counted."""
    await sim.docket.add(job, key="limited")("limited")
    await sim.docket.add(job, key="free")("free")
    async with Worker(sim.docket) as worker:
        await worker.run_at_most({"limited": 0})
    assert log == ["free"]


async def test_run_at_most_ends_a_perpetual(sim, log):
    """It runs so often, and the worker returns."""

    async def tick(perpetual: Perpetual = Perpetual(every=SECOND)):
        log.append(sim.clock.elapsed)

    await sim.docket.add(tick)()
    async with Worker(sim.docket) as worker:
        await worker.run_at_most({"tick": 3})
    assert log == [0 * SECOND, SECOND, 2 * SECOND]


async def test_run_at_most_counts_a_retry_as_part_of_its_run(sim, log):
    """A run that needs three attempts is one run."""

    async def flaky(retry: Retry = Retry(attempts=3)):
        log.append(sim.clock.elapsed)
        if retry.attempt < 3:
            raise ValueError("not yet")

    execution = await sim.docket.add(flaky)()
    async with Worker(sim.docket) as worker:
        await worker.run_at_most({"flaky": 1})
    assert len(log) == 3
    await execution.get_result()


async def test_run_at_most_refuses_a_negative_number(sim):
    """It says which one."""
    async with Worker(sim.docket) as worker:
        with pytest.raises(ValueError, match="job"):
            await worker.run_at_most({"job": -1})


# Dependencies of the worker's own.


@pytest.mark.parametrize("form", [list, lambda items: {"any name": items[0]}], ids=["list", "dict"])
async def test_a_workers_dependencies_surround_every_attempt(sim, form):
    """They are entered before the task's own, and left after them."""
    seen = []

    async def of_worker(execution: Execution = CurrentExecution()):
        seen.append(f"enter worker's for {execution.key}")
        yield
        seen.append("leave worker's")

    async def of_task():
        seen.append("enter task's")
        yield
        seen.append("leave task's")

    async def task(own=Depends(of_task)):
        seen.append("body")

    await sim.docket.add(task, key="k")()
    async with Worker(sim.docket, dependencies=form([Depends(of_worker)])) as worker:
        await worker.run_until_finished()
    assert seen == [
        "enter worker's for k",
        "enter task's",
        "body",
        "leave task's",
        "leave worker's",
    ]


async def test_a_workers_retry_holds_for_tasks_without_one(sim, log):
    """Policies may be the worker's, too."""

    async def flaky(execution: Execution = CurrentExecution()):
        log.append(sim.clock.elapsed)
        if execution.attempt < 3:
            raise ValueError("not yet")

    execution = await sim.docket.add(flaky)()
    async with Worker(sim.docket, dependencies=[Retry(attempts=3, delay=SECOND)]) as worker:
        await worker.run_until_finished()
    assert log == [0 * SECOND, SECOND, 2 * SECOND]
    await execution.get_result()


async def test_a_second_retry_on_the_worker_is_refused(sim):
    """The error names both places."""

    async def flaky(retry: Retry = Retry(attempts=3)): ...

    sim.docket.register(flaky)
    with pytest.raises(ValueError, match=r"flaky|retry"):
        Worker(sim.docket, dependencies={"again": Retry(attempts=2)})


async def test_what_is_no_dependency_is_refused(sim):
    """A bare function must be wrapped in Depends()."""

    async def factory(): ...

    with pytest.raises(TypeError, match=r"Depends\("):
        Worker(sim.docket, dependencies=[factory])


# What observers do.


async def test_an_observer_that_fails_is_logged_and_ends_nothing(sim, log, job, caplog):
    """Those after it are told all the same."""

    class Failing:
        def notify(self, event):
            raise RuntimeError("no ink")

    class Attentive:
        def __init__(self):
            self.told = []

        def notify(self, event):
            self.told.append(type(event).__name__)

    attentive = Attentive()
    sim.docket.observe(Failing())
    sim.docket.observe(attentive)
    await sim.docket.add(job, key="k")("worked")
    await sim.run_until_idle()
    assert log == ["worked"]
    assert attentive.told == ["Scheduled", "Started", "Finished"]
    messages = [record.message for record in caplog.records if record.exc_info]
    assert messages == [f"an observer failed at {told} of 'k'" for told in attentive.told]
