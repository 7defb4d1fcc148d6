"""Outside work holds virtual time: no virtual timer beats a thread or a child process."""

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
import time
import warnings

import pytest

from docket_sim import ClockHeld, VirtualLoop

REAL_WHILE = 0.05  # seconds that a thread or a child takes for real
QUICKLY = 0.9  # seconds of real time: less than an open conversation may hold virtual time
WEEK = 7 * 24 * 3600


def run(program, **options):
    """Run a program on a virtual loop."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(**options)) as runner:
        return runner.run(program)


@contextlib.contextmanager
def real_time_at_most(seconds):
    """Check that the block takes no longer, for real."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@pytest.mark.parametrize("way", ["to_thread", "run_in_executor", "own executor"])
def test_a_thread_is_faster_than_a_virtual_second(way):
    """The second does not pass while the thread works, however long that takes for real."""

    async def program():
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor() as own:
            async with asyncio.timeout(1):
                if way == "to_thread":
                    await asyncio.to_thread(time.sleep, REAL_WHILE)
                else:
                    executor = own if way == "own executor" else None
                    await loop.run_in_executor(executor, time.sleep, REAL_WHILE)
        return loop.time()

    assert run(program()) == 0


def test_a_thread_that_nobody_waits_for_any_more_still_holds_time():
    """Cancelling the wait does not end the thread, so time stands still until it is over."""
    over = threading.Event()

    async def program():
        def work():
            time.sleep(REAL_WHILE)
            over.set()

        waiting = asyncio.create_task(asyncio.to_thread(work))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0.001)
        return waiting.cancelled(), over.is_set()

    assert run(program()) == (True, True)


def test_polling_for_a_thread_is_not_spinning():
    """Who yields until a thread has ended waits for something that will come."""

    async def program():
        future = asyncio.get_running_loop().run_in_executor(None, time.sleep, REAL_WHILE)
        while not future.done():
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run(program(), spin_limit=500) == 0


def test_an_executor_that_takes_nothing_does_not_hold_time():
    """Work that was refused never began, so nothing is waited for."""

    async def program():
        executor = concurrent.futures.ThreadPoolExecutor()
        executor.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            asyncio.get_running_loop().run_in_executor(executor, print)
        await asyncio.sleep(WEEK)

    with real_time_at_most(QUICKLY):
        run(program(), patience=0.2)


@pytest.mark.parametrize("hidden", [False, True], ids=["plainly", "in a partial"])
def test_a_thread_that_takes_too_long_is_named(hidden):
    """The cap in real time says which function was waited for, and where to find it."""
    release = threading.Event()

    def takes_too_long(_argument):
        release.wait(10)

    function = functools.partial(takes_too_long, 1) if hidden else takes_too_long
    loop = VirtualLoop(patience=0.05)
    waiting = loop.create_task(asyncio.to_thread(function, *([] if hidden else [1])))
    try:
        with pytest.raises(ClockHeld) as held:
            loop.run_until_complete(waiting)
    finally:
        release.set()
        with contextlib.suppress(ClockHeld):
            loop.run_until_complete(waiting)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    assert "takes_too_long" in str(held.value)
    assert f"{__file__}:{takes_too_long.__code__.co_firstlineno}" in str(held.value)
    assert "0.05 s of real time" in str(held.value)
    assert "patience=" in str(held.value)


def test_two_threads_in_turn_may_each_use_the_whole_patience():
    """The cap is for time standing still at a stretch; a thread that ends begins a new stretch."""

    async def program():
        for _ in range(3):
            await asyncio.to_thread(time.sleep, REAL_WHILE)
        return "done"

    assert run(program(), patience=2.2 * REAL_WHILE) == "done"


def test_shutting_the_default_executor_down_waits_for_it_without_a_warning():
    """A virtual limit for the shutdown would pass at once; threads are waited for in real time."""
    over = threading.Event()

    async def program():
        def work():
            time.sleep(REAL_WHILE)
            over.set()

        asyncio.get_running_loop().run_in_executor(None, work)

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run(program())
    assert over.is_set()
    assert [str(warning.message) for warning in warned] == []


def test_threads_that_report_step_by_step_leave_no_gap_in_which_nothing_is_at_work():
    """However late a thread's next word comes, the loop waits for it rather than give up."""
    loop = VirtualLoop()
    call_soon_threadsafe = loop.call_soon_threadsafe

    def and_pause(*args, **options):
        handle = call_soon_threadsafe(*args, **options)
        time.sleep(REAL_WHILE)
        return handle

    loop.call_soon_threadsafe = and_pause
    try:
        assert loop.run_until_complete(asyncio.to_thread(abs, -1)) == 1
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


def test_a_child_process_is_faster_than_a_virtual_second():
    """The second does not pass while the child works."""

    async def program():
        async with asyncio.timeout(1):
            child = await asyncio.create_subprocess_exec(
                *("sh", "-c", f"sleep {REAL_WHILE}; echo done; exit 3"),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await child.communicate()
        return output, child.returncode, asyncio.get_running_loop().time()

    assert run(program()) == (b"done\n", 3, 0)


def test_a_child_that_ends_before_anyone_looks_does_not_hold_time():
    """A child may be over before the loop has finished setting it up."""

    async def program():
        asyncio.get_running_loop().call_soon(time.sleep, REAL_WHILE)
        child = await asyncio.create_subprocess_exec("true")
        await child.wait()
        await asyncio.sleep(WEEK)
        return child.returncode

    assert run(program(), patience=0.5) == 0
