"""A run that cannot go on is an error at once, and the error says who is stuck, and where."""

import asyncio
import inspect
import threading
import time
from datetime import timedelta
from pathlib import Path
from time import sleep

import pytest

from docket_sim import (
    BlockingSleep,
    CurrentDocket,
    Deadlock,
    Docket,
    EndlessRun,
    Faults,
    Perpetual,
    Retry,
    Spinning,
    Tally,
    VirtualLoop,
    simulate,
)
from docket_sim.simulation.bound import DEFAULT_STEPS, Bound

HERE = Path(__file__).name
REAL_SLEEP = [time.sleep]


def place(function, text):
    """The line of `function` that contains `text`, as reports give it."""
    lines, first = inspect.getsourcelines(function)
    [number] = [number for number, line in enumerate(lines, first) if text in line]
    return f"{HERE}:{number}"


async def waits_for_ever():
    """A task that nothing will ever wake."""
    await asyncio.Event().wait()


async def reads(docket: Docket = CurrentDocket()):
    """A task that waits for the result of another."""
    written = await docket.add(writes, key="written")()
    return await written.get_result()


async def writes():
    """A task that needs a free place on a worker."""


async def spins():
    """A task that waits without letting time pass."""
    while True:
        await asyncio.sleep(0)


async def blocks():
    """A task that blocks the loop."""
    time.sleep(1)


async def blocks_by_its_own_name():
    """A task whose module imported `sleep` itself."""
    sleep(0.5)


async def looks_after_itself(perpetual: Perpetual = Perpetual(every=timedelta(hours=1))):
    """A perpetual: it never ends by itself."""


async def hurries(perpetual: Perpetual = Perpetual()):
    """A perpetual that is due again at once."""


async def never_gives_up(retry: Retry = Retry.forever(delay=timedelta(minutes=5))):
    """A task that is retried for ever."""
    raise ConnectionError("no route")


async def adds_itself(docket: Docket = CurrentDocket()):
    """A task that schedules the next of its kind."""
    await docket.add(adds_itself)()


async def polls():
    """A task that looks again and again for what never comes."""
    while True:
        await asyncio.sleep(1)


def stuck_in(sim, program):
    """What `Deadlock` says of a program; it must say so soon."""
    with pytest.raises(Deadlock) as raised:
        sim.run(program)
    assert sim.clock.elapsed < timedelta(hours=3)
    return str(raised.value)


def test_two_tasks_that_wait_for_each_other_are_both_named():
    """The classic: each holds the lock that the other one wants."""

    async def takes(first, second):
        async with first:
            await asyncio.sleep(1)
            async with second:
                pass

    async def program():
        one, two = asyncio.Lock(), asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            group.create_task(takes(one, two), name="left hand")
            group.create_task(takes(two, one), name="right hand")

    with simulate() as sim:
        message = stuck_in(sim, program())
    assert "left hand" in message
    assert "right hand" in message
    assert message.count(f"{place(takes, 'async with second')} in takes: async with second:") == 2


@pytest.mark.parametrize("workers", [1, 2])
def test_a_body_that_waits_for_ever_is_named_with_its_line(workers):
    """The lease of the hung attempt is renewed all the time, and that is no sign of life."""
    with simulate(workers=workers) as sim:
        sim.run(sim.docket.add(waits_for_ever, key="stuck")())
        message = stuck_in(sim, sim.run_until_idle())
    assert "waits_for_ever [stuck]" in message
    assert f"{place(waits_for_ever, 'Event().wait')} in waits_for_ever" in message


def test_tasks_that_leave_no_room_for_what_they_wait_for_are_a_deadlock():
    """With one place on the worker, the reader waits for a writer that can never begin."""
    with simulate(concurrency=1) as sim:
        sim.run(sim.docket.add(reads, key="reader")())
        message = stuck_in(sim, sim.run_until_idle())
    assert "reads [reader]" in message
    assert place(reads, "get_result") in message


def test_a_deadlock_among_tasks_that_still_have_a_timer_waits_for_the_timer():
    """What will happen in a year may still set it free."""

    async def program():
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(365 * 24 * 3600, event.set)
        await event.wait()
        return "freed"

    with simulate() as sim:
        assert sim.run(program()) == "freed"


def test_a_world_goes_on_after_its_deadlock_was_seen():
    """Whoever handles the error may break the deadlock and drive on."""
    with simulate() as sim:
        sim.run(sim.docket.add(waits_for_ever, key="stuck")())
        stuck_in(sim, sim.run_until_idle())
        sim.run(sim.docket.cancel("stuck"))
        assert sim.run(sim.run_until_idle()) == Tally(cancelled=1)


def test_a_body_that_spins_is_named_with_its_line():
    """Whoever only yields never lets time move; that is found at the instant where it happens."""
    with simulate() as sim:
        sim.run(sim.docket.add(spins, key="top")())
        with pytest.raises(Spinning) as raised:
            sim.run(sim.run_until_idle())
    assert "spins [top]" in str(raised.value)
    assert f"{place(spins, 'sleep(0)')} in spins: await asyncio.sleep(0)" in str(raised.value)


def test_callbacks_that_call_each_other_for_ever_are_a_spin():
    """Without any task, the report says that only callbacks run."""
    with simulate() as sim:
        sim.loop.spin_limit = 1000

        def again():
            sim.loop.call_soon(again)

        again()
        with pytest.raises(Spinning, match="plain callbacks only"):
            sim.run(asyncio.sleep(1))


def test_much_work_at_one_instant_is_not_a_spin():
    """Tasks that end are progress, however many there are."""
    with simulate() as sim:
        sim.loop.spin_limit = 200
        for _ in range(500):
            sim.run(sim.docket.add(writes)())
        assert sim.run(sim.run_due()) == Tally(succeeded=500)


@pytest.mark.parametrize(
    ("task", "line"), [(blocks, "time.sleep(1)"), (blocks_by_its_own_name, "sleep(0.5)")]
)
def test_a_blocking_sleep_in_a_task_is_reported_with_its_line(task, line):
    """It would stop the whole loop for real, so it raises instead."""
    with simulate(allow_failures=True) as sim:
        sim.run(sim.docket.add(task)())
        with pytest.raises(BlockingSleep) as raised:
            sim.run(sim.run_until_idle())
    assert f"{place(task, line)}: {line}" in str(raised.value)
    assert "await asyncio.sleep" in str(raised.value)


def test_a_blocking_sleep_is_reported_even_when_the_task_swallows_it():
    """A body that catches everything does not hide it."""

    async def swallows():
        try:
            time.sleep(1)
        except Exception:
            return "nothing to see here"

    with simulate() as sim:
        sim.run(sim.docket.add(swallows)())
        with pytest.raises(BlockingSleep):
            sim.run(sim.run_until_idle())


def test_a_blocking_sleep_that_was_raised_is_not_raised_again():
    """Once the caller has had the error, leaving the world does not bring it back."""

    async def program():
        time.sleep(1)

    with simulate() as sim, pytest.raises(BlockingSleep):
        sim.run(program())


def test_threads_and_ordinary_code_may_sleep():
    """Only the loop's own thread must not block."""
    with simulate() as sim:
        sleep(0.001)
        time.sleep(0.001)
        sim.run(asyncio.to_thread(time.sleep, 0.001))
        thread = threading.Thread(target=time.sleep, args=(0.001,))
        thread.start()
        thread.join()


def test_sleep_is_itself_again_after_the_world():
    """Both names are restored, and real sleeping on another loop is nobody's business."""
    with simulate() as sim:
        guarded = time.sleep
        sim.run(asyncio.sleep(1))
    assert guarded is not REAL_SLEEP[0]
    assert [time.sleep, sleep] == REAL_SLEEP * 2


@pytest.mark.parametrize(
    ("task", "apart"),
    [
        (looks_after_itself, "the last two 1h apart"),
        (never_gives_up, "the last two 5m apart"),
        (adds_itself, "the last two 0s apart"),
    ],
)
def test_work_that_keeps_coming_back_is_stopped_and_named(task, apart):
    """The message says which task it is, how often it comes, and how to bound the run."""
    with simulate() as sim:
        sim.run(sim.docket.add(task, key="first")())
        with pytest.raises(EndlessRun) as raised:
            sim.run(sim.run_until_idle(limit=50))
        assert len([moment for moment in sim.timeline if moment.what == "started"]) <= 53
    message = str(raised.value)
    assert message.startswith("run_until_idle() stopped after 50 follow-up runs")
    assert f"{task.__name__} keeps coming back" in message
    assert apart in message
    for way_out in ("sim.run_for(", "sim.run_until(", "limit=", "cancel()"):
        assert way_out in message


def test_the_bound_is_for_the_runs_of_one_instant_when_time_is_bounded():
    """An hourly task may run for as long as it likes; one that is due at once may not."""
    with simulate() as sim:
        sim.run(sim.docket.add(looks_after_itself, key="hourly")())
        assert sim.run(sim.run_for(timedelta(hours=99), limit=5)) == Tally(succeeded=100)
        sim.run(sim.docket.add(hurries, key="hurried")())
        with pytest.raises(EndlessRun) as raised:
            sim.run(sim.run_for(timedelta(hours=1), limit=20))
    message = str(raised.value)
    assert message.startswith("run_for(...) stopped after 20 follow-up runs at this instant")
    assert "hurries keeps coming back" in message
    assert "run_for(..., limit=n) allows more" in message


def test_a_body_that_polls_for_ever_is_an_endless_run():
    """Time goes on with each look, so it is no deadlock; the line is named all the same."""
    with simulate(steps=5_000) as sim:
        sim.run(sim.docket.add(polls, key="impatient")())
        with pytest.raises(EndlessRun) as raised:
            sim.run(sim.run_until_idle())
        assert timedelta(minutes=20) < sim.clock.elapsed < timedelta(hours=2)
    message = str(raised.value)
    assert "taken 5,000 steps without a call scheduled, retried or ended" in message
    assert "the last that came of it was at +0s" in message
    assert "polls [impatient]" in message
    assert f"{place(polls, 'sleep(1)')} in polls: await asyncio.sleep(1)" in message


def test_a_test_that_polls_without_driving_is_told_to_drive():
    """Between the verbs workers rest, so what it looks for cannot come."""

    async def program(sim):
        execution = await sim.docket.add(writes)()
        while not execution.state.finished:
            await asyncio.sleep(60)
            await execution.sync()

    with (
        simulate(steps=5_000, allow_pending=True) as sim,
        pytest.raises(EndlessRun) as raised,
    ):
        sim.run(program(sim))
    assert f"{place(program, 'sleep(60)')} in program" in str(raised.value)
    assert "No verb drives this simulation" in raised.value.__notes__[0]


def test_many_short_runs_are_bounded_together():
    """A plain function that drives in a loop never lets the loop run for long at a time."""

    def program(sim):
        while True:
            sim.run(sim.run_for("1m"))

    with simulate(steps=5_000) as sim, pytest.raises(EndlessRun):
        program(sim)


def test_a_callback_that_comes_back_for_ever_is_named():
    """It is no task, and has no line to wait at; so it is told where it begins."""

    def again():
        asyncio.get_running_loop().call_later(30, again)

    with simulate(steps=5_000) as sim:
        sim.loop.call_soon(again)
        with pytest.raises(EndlessRun) as raised:
            sim.run(asyncio.Event().wait())
    called = str(raised.value).partition("To be called:\n")[2]
    assert called == f"  again\n      {Path(__file__)}:{again.__code__.co_firstlineno}"


@pytest.mark.parametrize(
    ("faults", "note"),
    [
        (Faults.fail("settle", times=None), "worker-1 settle, never arrived, "),
        (Faults.partition(at="+0.5s"), "worker-1 settle, cut off, "),
        (Faults.restart_store(at="+0.5s", for_="365d"), "settle, the store is away, "),
    ],
)
def test_a_fault_that_never_ends_is_an_endless_run(faults, note):
    """Workers ask again and again, as they must; what they have asked in vain is told."""

    async def naps():
        await asyncio.sleep(1)

    with simulate(faults=faults, steps=20_000) as sim:
        sim.run(sim.docket.add(naps, key="order-7")())
        with pytest.raises(EndlessRun) as raised:
            sim.run(sim.run_until_idle())
    assert note in raised.value.__notes__[0]


def test_machines_that_lose_power_for_ever_are_an_endless_run():
    """Each is replaced by another one; that costs more than a callback, and counts as more."""
    with simulate(faults=Faults.crash_worker(before="claim", times=None)) as sim:
        sim.run(sim.docket.add(writes)())
        with pytest.raises(EndlessRun):
            sim.run(sim.run_until_idle())
        assert sim.journal.faults["crash_worker"] < 300


def test_a_long_run_in_which_something_happens_is_not_endless():
    """A week of hourly runs takes more steps than there may be in vain."""
    with simulate(steps=500) as sim:
        sim.run(sim.docket.add(looks_after_itself)())
        assert sim.run(sim.run_for("7d")) == Tally(succeeded=169)
        assert sim.steps > 2_000


def test_a_world_goes_on_after_its_endless_run_was_seen():
    """Whoever handles the error may end what has polled, and drive on."""
    with simulate(steps=5_000) as sim:
        sim.run(sim.docket.add(polls, key="impatient")())
        with pytest.raises(EndlessRun):
            sim.run(sim.run_until_idle())
        sim.run(sim.docket.cancel("impatient"))
        assert sim.run(sim.run_until_idle()) == Tally(cancelled=1)


def test_a_bound_of_no_steps_is_refused():
    """Nothing could run."""
    with pytest.raises(ValueError, match="steps= is 1 or more, found 0"):
        simulate(steps=0)
    with pytest.raises(TypeError, match="steps= is a whole number"):
        simulate(steps=1.5)


def test_the_bounds_that_nobody_has_set():
    """A million steps in vain; in a search, those with progress are bounded as well."""
    in_a_test = Bound.of_a_run(DEFAULT_STEPS, (), searching=False)
    in_a_search = Bound.of_a_run(DEFAULT_STEPS, (), searching=True)
    for bound in (in_a_test, in_a_search):
        bound.note_callbacks(1_000_000)
        assert bound.exceeded() is None
        bound.note_callbacks(1)
        assert "1,000,000 steps without" in bound.exceeded()
        assert bound.exceeded() is None, "a stuck run has to be left in order"
        bound.note_callbacks(9_000_000)
        bound.note_progress(0)
    assert in_a_test.exceeded() is None
    assert "10,000,000 steps, the most for a run of a search" in in_a_search.exceeded()


def test_a_virtual_loop_by_itself_has_no_bound():
    """Without a docket there is no telling whether anything comes of it."""

    async def program():
        for _ in range(3_000):
            await asyncio.sleep(1)
        return asyncio.get_running_loop().bound

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        bound = runner.run(program())
    assert bound.steps >= 3_000
    bound.note_callbacks(10**12)
    assert bound.exceeded() is None
