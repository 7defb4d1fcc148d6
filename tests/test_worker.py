"""What a worker does when all is well: how long it works, how much at once, and with whom."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import (
    CurrentWorker,
    Docket,
    ExecutionState,
    Worker,
)
from docket_sim.errors import DocketError

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


class Log(list):
    """What ran, as tasks note it, and how many ran at once at most."""

    def __init__(self, docket: Docket) -> None:
        super().__init__()
        self.docket = docket
        self.at_once = 0
        self.most_at_once = 0

    def elapsed(self) -> float:
        return self.docket.clock.elapsed.total_seconds()

    async def run(self, name: str, duration: float = 0) -> None:
        self.append((name, self.elapsed()))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(duration)
        self.at_once -= 1


@pytest.fixture
def log(sim) -> Log:
    return Log(sim.docket)


@pytest.fixture
def job(log):
    """A task that notes its name and takes the time it is given."""

    async def job(name: str, duration: float = 0, worker: Worker = CurrentWorker()):
        await log.run(name, duration)
        return worker.name

    return job


# How long.


async def test_run_until_finished_works_off_the_future_too(sim, log, job):
    """It sleeps until what is scheduled becomes due, and returns when nothing is left."""
    await sim.docket.add(job)("now")
    await sim.docket.add(job, when=sim.docket.now() + HOUR)("later")
    async with Worker(sim.docket) as worker:
        await worker.run_until_finished()
    assert log == [("now", 0), ("later", 3600)]


async def test_run_until_finished_returns_at_once_when_there_is_nothing(sim, log):
    """An empty docket is finished."""
    async with Worker(sim.docket) as worker:
        await worker.run_until_finished()
    assert log.elapsed() == 0


async def test_run_until_finished_does_what_tasks_schedule(sim, log):
    """Follow-up work counts."""

    async def parent():
        await sim.docket.add(child, when=sim.docket.now() + HOUR)()

    async def child():
        await log.run("child")

    await sim.docket.add(parent)()
    async with Worker(sim.docket) as worker:
        await worker.run_until_finished()
    assert log == [("child", 3600)]


async def test_run_until_finished_waits_for_what_another_worker_has(sim, log, job):
    """The docket is not finished while anything runs anywhere."""
    await sim.docket.add(job)("long", 60)
    async with Worker(sim.docket) as busy, Worker(sim.docket) as idle:
        working = asyncio.create_task(busy.run_until_finished())
        await asyncio.sleep(1)
        await idle.run_until_finished()
        assert log.elapsed() == 60
        await working


async def test_run_forever_takes_what_comes(sim, log, job):
    """It outlives an empty docket, and takes new work the moment it comes."""
    async with Worker(sim.docket) as worker:
        working = asyncio.create_task(worker.run_forever())
        for name in ("one", "two"):
            await asyncio.sleep(60)
            await sim.docket.add(job)(name)
        await asyncio.sleep(60)
        assert not working.done()
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert log == [("one", 60), ("two", 120)]


@pytest.mark.docket(allow_pending=True)
@pytest.mark.parametrize("how", ["run_forever", "run_until_finished", "run_at_most"])
async def test_cancelling_lets_running_attempts_end_and_then_propagates(sim, log, job, how):
    """What is in hand is finished and settled, and nothing new is begun."""
    running = await sim.docket.add(job)("running", 10)
    waiting = await sim.docket.add(job, when=sim.docket.now() + 5 * SECOND)("waiting")
    async with Worker(sim.docket) as worker:
        run = getattr(worker, how)
        working = asyncio.create_task(run({"job": 5}) if how == "run_at_most" else run())
        await asyncio.sleep(1)
        working.cancel()
        with pytest.raises(asyncio.CancelledError):
            await working
    assert log == [("running", 0)]
    assert log.elapsed() == 10
    await running.sync()
    await waiting.sync()
    assert (running.state, waiting.state) == (ExecutionState.COMPLETED, ExecutionState.QUEUED)


@pytest.mark.parametrize("how", ["run_forever", "run_until_finished"])
async def test_a_timeout_around_a_worker_raises(sim, log, job, how):
    """`asyncio.timeout` works on a worker as on anything, attempts in hand drained first."""
    await sim.docket.add(job)("long", 10)
    async with Worker(sim.docket) as worker:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await getattr(worker, how)()
    assert log.elapsed() == 10


async def test_leaving_the_context_abandons_what_runs(sim, log, job):
    """Nothing of it is settled: when its lease is over, another worker runs it again."""
    execution = await sim.docket.add(job)("twice", 60)
    async with Worker(sim.docket, redelivery_timeout=20 * SECOND) as leaving:
        working = asyncio.create_task(leaving.run_forever())
        await asyncio.sleep(1)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    async with Worker(sim.docket, "heir") as heir:
        await heir.run_until_finished()
    assert log == [("twice", 0), ("twice", 20)]
    assert await execution.get_result() == "heir"


async def test_a_worker_can_run_again(sim, log, job):
    """One open worker may be asked to finish the work any number of times."""
    async with Worker(sim.docket) as worker:
        for name in ("one", "two"):
            await sim.docket.add(job)(name)
            await worker.run_until_finished()
    assert [name for name, _ in log] == ["one", "two"]


async def test_a_worker_that_is_not_open_says_so(sim):
    """The message tells how to open it."""
    with pytest.raises(DocketError, match="async with"):
        await Worker(sim.docket).run_forever()


async def test_a_worker_runs_once_at_a_time(sim):
    """A second run beside the first is refused, and does not disturb it."""
    async with Worker(sim.docket, "only") as worker:
        working = asyncio.create_task(worker.run_forever())
        await asyncio.sleep(1)
        with pytest.raises(DocketError, match="only"):
            await worker.run_until_finished()
        assert not working.done()
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


# How much at once, and with whom.


async def test_no_more_run_at_once_than_the_concurrency_allows(sim, log, job):
    """Ten calls of one second each take five on two slots, and both slots are used."""
    for number in range(10):
        await sim.docket.add(job)(str(number), 1)
    async with Worker(sim.docket, concurrency=2) as worker:
        await worker.run_until_finished()
    assert log.most_at_once == 2
    assert log.elapsed() == 5


async def test_a_full_worker_takes_the_next_call_the_moment_a_slot_frees(sim, log, job):
    """No polling interval lies between the end of one and the beginning of the next."""
    for name, duration in (("long", 10), ("short", 0.25), ("next", 1)):
        await sim.docket.add(job)(name, duration)
    async with Worker(sim.docket, concurrency=2) as worker:
        await worker.run_until_finished()
    assert log == [("long", 0), ("short", 0), ("next", 0.25)]


async def test_polling_knobs_are_accepted_and_delay_nothing(sim, log, job):
    """They are taken for the sake of code that was written for other systems."""
    await sim.docket.add(job, when=sim.docket.now() + SECOND)("due")
    async with Worker(
        sim.docket, minimum_check_interval=HOUR, scheduling_resolution=HOUR
    ) as worker:
        await worker.run_until_finished()
    assert log == [("due", 1)]


async def test_an_idle_worker_is_woken_by_work_that_is_due_sooner(sim, log, job):
    """It sleeps until the next due time, which may change while it sleeps."""
    await sim.docket.add(job, when=sim.docket.now() + HOUR)("later")
    async with Worker(sim.docket) as worker:
        working = asyncio.create_task(worker.run_until_finished())
        await asyncio.sleep(1)
        await sim.docket.add(job, when=sim.docket.now() + SECOND)("sooner")
        await working
    assert log == [("sooner", 2), ("later", 3600)]


async def test_two_workers_share_the_load(sim, log, job):
    """Each takes what the other has no room for, and nothing runs twice."""
    executions = [await sim.docket.add(job)(str(number), 1) for number in range(6)]
    async with (
        Worker(sim.docket, "ann", concurrency=2) as ann,
        Worker(sim.docket, "bob", concurrency=1) as bob,
    ):
        await asyncio.gather(ann.run_until_finished(), bob.run_until_finished())
    assert len(log) == 6
    assert log.elapsed() == 2
    assert {await execution.get_result() for execution in executions} == {"ann", "bob"}


async def test_a_long_body_keeps_its_lease(sim, log, job):
    """Leases are renewed while the body runs, so no other worker takes it over."""
    execution = await sim.docket.add(job)("long", 3600)
    async with (
        Worker(sim.docket, redelivery_timeout=10 * SECOND) as ann,
        Worker(sim.docket, redelivery_timeout=10 * SECOND) as bob,
    ):
        await asyncio.gather(ann.run_until_finished(), bob.run_until_finished())
    assert log == [("long", 0)]
    await execution.sync()
    assert not execution.redelivered


async def test_two_workers_of_one_process_have_different_names(sim):
    """A name tells one worker from another, wherever it shows."""
    assert Worker(sim.docket).name != Worker(sim.docket).name


async def test_a_worker_has_the_name_it_is_given(sim, job):
    """And its attempts know it."""
    execution = await sim.docket.add(job)("any")
    async with Worker(sim.docket, "ann") as worker:
        await worker.run_until_finished()
    assert await execution.get_result() == "ann"


@pytest.mark.parametrize(
    "setting",
    [
        {"concurrency": 0},
        {"max_deliveries": 0},
        {"redelivery_timeout": timedelta(0)},
        {"reconnection_delay": timedelta(seconds=-1)},
    ],
    ids=lambda setting: next(iter(setting)),
)
async def test_a_setting_that_cannot_work_is_refused_by_name(sim, setting):
    """Where the worker is made, not when it runs."""
    with pytest.raises(ValueError, match=next(iter(setting))):
        Worker(sim.docket, **setting)
