"""Failures that were observed in other task systems, each one under its number in the list."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import (
    Depends,
    Docket,
    ExecutionCancelled,
    ExecutionState,
    Perpetual,
    Retry,
    Tally,
    TaskCall,
    Timeout,
    Worker,
    call,
    simulate,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def good(name: str = "good") -> str:
    """A task with nothing wrong."""
    return name


async def test_01_a_bodys_own_timeout_error_under_timeout_is_not_swallowed(sim):
    """It fails the execution with the body's own message, and does not count as timed out."""

    async def impatient(timeout: Timeout = Timeout(HOUR)):
        raise TimeoutError("the body's own")

    execution = await sim.docket.add(impatient)()
    assert await sim.run_until_idle() == Tally(failed=1)
    sim.acknowledge_failures()
    with pytest.raises(TimeoutError) as caught:
        await execution.get_result()
    assert str(caught.value) == "the body's own"


async def test_01_an_inner_timeout_of_the_body_is_its_own_too(sim):
    """`asyncio.timeout` inside the body is none of the `Timeout`'s business."""

    async def impatient(timeout: Timeout = Timeout(HOUR), retry: Retry = Retry(attempts=2)):
        async with asyncio.timeout(1):
            await asyncio.sleep(2)

    await sim.docket.add(impatient)()
    assert await sim.run_until_idle() == Tally(failed=1, retried=1)
    sim.acknowledge_failures()


async def test_02_an_unhashable_default_argument_does_not_crash_the_worker(sim):
    """Neither a task's nor a factory's; and what one attempt does to it is the user's affair."""
    got = []

    async def factory(options={"a": 1}):  # noqa: B006 - which is the point
        return options

    async def task(x={}, y=[], made=Depends(factory)):  # noqa: B006 - which is the point
        got.append((x, y, made))

    await sim.docket.add(task)()
    await sim.docket.add(task)(x={"b": 2})
    assert await sim.run_until_idle() == Tally(succeeded=2)
    assert got == [({}, [], {"a": 1}), ({"b": 2}, [], {"a": 1})]


async def submit_poison(sim) -> None:
    """Messages that no worker can run, all of them due before anything else."""
    sim.docket.register(good)
    when = sim.docket.now() - HOUR
    for number, (task, payload) in enumerate(
        [("good", b"\x80\x04N."), ("good", b""), ("unknown", b"{}"), ("unknown", b"\xff")]
    ):
        call = TaskCall(f"poison-{number}", task, payload, when)
        await sim.docket.store.submit(call, now=sim.docket.now())


async def test_03_poison_does_not_stop_the_good_work_behind_it(sim):
    """One slot, four bad messages ahead: the good one is done all the same."""
    await submit_poison(sim)
    execution = await sim.docket.add(good)("behind")
    async with Worker(sim.docket, concurrency=1) as worker:
        await worker.run_until_finished()
    assert len(sim.acknowledge_failures()) == 4
    assert await execution.get_result() == "behind"


async def test_03_poison_does_not_stop_a_snapshot(sim):
    """It shows what is there, the unreadable included, before and after it has failed."""
    await submit_poison(sim)
    await sim.docket.add(good)("behind")
    before = await sim.docket.snapshot()
    assert len(before.future) == 5
    assert all(execution.call_repr() for execution in before.future)
    await sim.run_until_idle()
    sim.acknowledge_failures()
    assert len((await sim.docket.snapshot()).finished) == 5


class NeedsTwo(Exception):
    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class HoldsALock(Exception):
    def __reduce__(self):
        raise TypeError("cannot pickle")


@pytest.mark.parametrize("codec", ["json", "pickle"])
@pytest.mark.parametrize(
    "error",
    [NeedsTwo(1, 2), Unprintable("x"), HoldsALock(object())],
    ids=lambda e: type(e).__name__,
)
def test_04_an_exception_that_cannot_travel_does_not_stop_the_worker(codec, error):
    """The execution fails with what can be had of it, and the work behind it is done."""

    async def bad():
        raise error

    async def both(sim):
        failing, behind = await sim.docket.add(bad)(), await sim.docket.add(good)()
        assert await sim.run_until_idle() == Tally(failed=1, succeeded=1)
        assert await behind.get_result() == "good"
        with pytest.raises(Exception) as caught:
            await failing.get_result()
        assert type(error).__name__ in f"{type(caught.value).__name__} {caught.value.args}"

    with simulate(codec=codec, allow_failures=True) as sim:
        sim.run(both(sim))


async def test_05_an_unserialisable_result_fails_the_execution_once(sim):
    """The body is not run again, whatever its retry policy says."""
    runs = []

    async def bad(retry: Retry = Retry(attempts=5)):
        runs.append(1)
        return object()

    await sim.docket.add(bad)()
    assert await sim.run_until_idle() == Tally(failed=1)
    sim.acknowledge_failures()
    assert runs == [1]


async def slow(name: str) -> str:
    """Takes ten seconds."""
    await asyncio.sleep(10)
    return name


async def test_06_get_result_on_a_replaced_key_waits_for_the_replacement(sim):
    """Neither the superseded run's result nor an error comes back, whichever handle is asked."""
    first = await sim.docket.add(slow, key="k")("old")
    await sim.run_for(SECOND)
    second = await sim.docket.replace(slow, when=sim.docket.now(), key="k")("new")
    asking = asyncio.gather(first.get_result(), second.get_result())
    await sim.run_until_idle()
    assert await asking == ["new", "new"]


async def test_07_cancel_reaches_the_replacement_when_the_superseded_run_has_ended(sim):
    """The replacement runs by then, and it is the one that is cancelled."""
    ended = []

    async def patient(name: str):
        try:
            await asyncio.sleep(10)
            ended.append(f"{name} completed")
        except asyncio.CancelledError:
            ended.append(f"{name} cancelled")
            raise

    await sim.docket.add(patient, key="k")("old")
    await sim.run_for(SECOND)
    execution = await sim.docket.replace(patient, when=sim.docket.now(), key="k")("new")
    await sim.run_for(12 * SECOND)
    assert ended == ["old completed"]
    await sim.docket.cancel("k")
    await sim.run_until_idle()
    assert ended == ["old completed", "new cancelled"]
    with pytest.raises(ExecutionCancelled):
        await execution.get_result()


async def test_07_cancel_reaches_the_replacement_that_waits_once_the_superseded_run_has_ended(sim):
    """A replacement of the future is cancelled as well, and never runs."""
    await sim.docket.add(slow, key="k")("old")
    await sim.run_for(SECOND)
    await sim.docket.replace(slow, when=sim.docket.now() + HOUR, key="k")("new")
    await sim.run_for(20 * SECOND)
    await sim.docket.cancel("k")
    assert (await sim.run_until_idle()).succeeded == 0
    assert (await sim.docket.get_execution("k")).state is ExecutionState.CANCELLED


@pytest.mark.parametrize("retries", [False, True])
async def test_08_a_teardown_that_fails_after_success_never_both_completes_and_runs_again(
    sim, retries
):
    """It failed: then there is another attempt if a retry asks for it, and the end otherwise."""
    runs = []

    async def transaction():
        yield
        if len(runs) == 1:
            raise RuntimeError("the commit failed")

    async def once(held=Depends(transaction)):
        runs.append(1)

    async def twice(held=Depends(transaction), retry: Retry = Retry(attempts=2)):
        runs.append(1)

    execution = await sim.docket.add(twice if retries else once)()
    tally = await sim.run_until_idle()
    sim.acknowledge_failures()
    await execution.sync()
    if retries:
        assert tally == Tally(retried=1, succeeded=1)
        assert (len(runs), execution.state) == (2, ExecutionState.COMPLETED)
    else:
        assert tally == Tally(failed=1)
        assert (len(runs), execution.state) == (1, ExecutionState.FAILED)


async def test_08_a_failing_teardown_of_a_perpetual_is_a_failed_run(sim):
    """The next run comes in its time, and the failed one is not counted as a success as well."""

    async def transaction():
        yield
        raise RuntimeError("the commit failed")

    async def tick(held=Depends(transaction), perpetual: Perpetual = Perpetual(every=HOUR)): ...

    await sim.docket.add(tick)()
    assert await sim.run_for(HOUR) == Tally(failed=2)
    sim.acknowledge_failures()


@pytest.mark.parametrize(
    "key",
    ["queue", "stream", "runs:x", "known:queue", " ", "a/b", "{x}", "k\n\x00", "ключ", "🦆"],
)
async def test_09_a_key_with_any_characters_is_safe(sim, key):
    """It runs, can be found, replaced and cancelled, and disturbs nothing else."""
    await sim.docket.add(good, key="bystander")()
    when = sim.docket.now() + HOUR
    added = await sim.docket.add(good, when=when, key=key)("one")
    assert added.key == key
    await sim.docket.replace(good, when=when, key=key)("two")
    assert (await sim.docket.get_execution(key)).arguments == {"name": "two"}
    assert await sim.run_until_idle() == Tally(succeeded=2)
    assert await added.get_result() == "two"
    await sim.docket.add(good, when=sim.docket.now() + HOUR, key=key)("three")
    await sim.docket.cancel(key)
    assert (await sim.run_until_idle()).succeeded == 0


@pytest.mark.parametrize("ttl", [timedelta(0), SECOND, HOUR], ids=str)
@pytest.mark.parametrize("when_cancelled", ["waiting", "running"])
def test_10_a_cancelled_key_that_is_added_again_runs_once(ttl, when_cancelled):
    """Whatever is kept of the cancelled one, for however long."""
    completed = []

    async def patient(name: str):
        await asyncio.sleep(10)
        completed.append(name)

    async def cancel_and_add_again(sim):
        await sim.docket.add(patient, key="k")("first")
        if when_cancelled == "running":
            await sim.run_for(SECOND)
        await sim.docket.cancel("k")
        await sim.run_due()
        again = await sim.docket.add(patient, key="k")("second")
        assert again.arguments == {"name": "second"}
        assert await sim.run_until_idle() == Tally(succeeded=1)
        assert completed == ["second"]

    with simulate(execution_ttl=ttl) as sim:
        sim.run(cancel_and_add_again(sim))


async def test_11_a_timeout_around_run_until_finished_raises(sim):
    """The worker does not take the cancellation for a request to stop, and return as if done."""
    await sim.docket.add(good, when=sim.docket.now() + HOUR)()
    async with Worker(sim.docket) as worker:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await worker.run_until_finished()
    assert sim.clock.elapsed == 5 * SECOND


async def test_12_two_workers_in_one_process_have_different_names_by_default(sim):
    """Also on dockets of their own, that know nothing of each other."""
    other = Docket("other", url="memory://")
    names = {Worker(docket).name for docket in (sim.docket, sim.docket, other, other)}
    assert len(names) == 4


async def test_17_a_snapshot_sees_more_than_a_thousand_tasks(sim):
    """Nothing is cut off, neither before they run nor after."""
    for number in range(1_500):
        await sim.docket.add(good, when=sim.docket.now() + HOUR, key=f"k{number}")()
    before = await sim.docket.snapshot()
    assert {execution.key for execution in before.future} == {f"k{n}" for n in range(1_500)}
    assert before.total_tasks == 1_500
    sim.assert_scheduled(good, due_in=HOUR, times=1_500)
    assert await sim.run_until_idle() == Tally(succeeded=1_500)
    assert len((await sim.docket.snapshot()).finished) == 1_500
    sim.assert_ran(good, times=1_500)


async def test_17_positional_and_keyword_spellings_are_the_same_call(sim):
    """Both are kept under the names of the parameters."""

    async def pay(order_id: int, amount: int): ...

    spellings = [await sim.docket.add(pay)(1, 2), await sim.docket.add(pay)(amount=2, order_id=1)]
    first, second = (dict(execution.arguments) for execution in spellings)
    assert first == second == {"order_id": 1, "amount": 2}
    sim.assert_scheduled(call(pay, 1, 2), times=2)
    sim.assert_scheduled(call(pay, order_id=1, amount=2), times=2)
