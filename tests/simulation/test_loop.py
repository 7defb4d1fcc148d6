"""One program, two loops: asyncio's own loop and `VirtualLoop` do the same with it."""

import asyncio
import math
import threading
from contextvars import ContextVar, copy_context

import pytest

from docket_sim import VirtualLoop

STEP = 0.004  # long enough for the real loop to keep apart what happens one step later
request_id = ContextVar("request_id", default="none")


@pytest.fixture(params=[asyncio.SelectorEventLoop, VirtualLoop], ids=["asyncio", "virtual"])
def run(request):
    """Runs a program on one of the two loops, and returns what it returns."""

    def run_program(program):
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(program())

    return run_program


def test_sleepers_wake_in_the_order_of_their_delays(run):
    """Whoever sleeps for less wakes first, whatever the order in which they began."""

    async def program():
        woken = []

        async def sleeper(steps):
            await asyncio.sleep(steps * STEP)
            woken.append(steps)

        await asyncio.gather(*map(sleeper, [4, 1, 3, 2]))
        return woken

    assert run(program) == [1, 2, 3, 4]


def test_a_timeout_ends_what_it_surrounds_and_nothing_else(run):
    """The inner timeout passes: the inner body is cancelled, the outer one goes on."""

    async def program():
        trace = []
        async with asyncio.timeout(50 * STEP) as outer:
            try:
                async with asyncio.timeout(STEP):
                    try:
                        await asyncio.sleep(100 * STEP)
                    finally:
                        trace.append("cleaned up")
            except TimeoutError:
                trace.append("timed out")
            await asyncio.sleep(STEP)
            trace.append("went on")
        return [*trace, outer.expired()]

    assert run(program) == ["cleaned up", "timed out", "went on", False]


def test_wait_for_returns_what_comes_in_time_and_cancels_what_does_not(run):
    """`wait_for` gives the result, or cancels and raises."""

    async def program():
        async def answer(steps):
            await asyncio.sleep(steps * STEP)
            return steps

        late = asyncio.create_task(answer(100))
        quick = await asyncio.wait_for(answer(1), 50 * STEP)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(late, STEP)
        return quick, late.cancelled()

    assert run(program) == (1, True)


def test_a_task_group_cancels_the_siblings_of_a_failed_task(run):
    """One fails; the others are cancelled before the group raises."""

    async def program():
        trace = []

        async def waits(name):
            try:
                await asyncio.sleep(100 * STEP)
            finally:
                trace.append(f"{name} cancelled")

        async def fails():
            await asyncio.sleep(STEP)
            raise LookupError("gone")

        try:
            async with asyncio.TaskGroup() as group:
                for task in (waits("a"), fails(), waits("b")):
                    group.create_task(task)
        except* LookupError as errors:
            trace.sort()
            trace.extend(str(error) for error in errors.exceptions)
        return trace

    assert run(program) == ["a cancelled", "b cancelled", "gone"]


def test_gather_keeps_the_order_of_its_arguments(run):
    """Results and exceptions stand where their arguments stood, whoever ended first."""

    async def program():
        async def result(steps):
            await asyncio.sleep(steps * STEP)
            return 1 / (steps - 2)

        found = await asyncio.gather(result(3), result(2), result(1), return_exceptions=True)
        return [str(item) for item in found]

    assert run(program) == ["1.0", "division by zero", "-1.0"]


def test_waiting_for_the_first_leaves_the_others_pending(run):
    """`asyncio.wait` and `as_completed` tell in which order tasks end."""

    async def program():
        tasks = [asyncio.create_task(asyncio.sleep(n * STEP, n)) for n in (3, 1, 2)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        rest = [await task for task in asyncio.as_completed(pending)]
        return [task.result() for task in done], rest

    assert run(program) == ([1], [2, 3])


def test_a_queue_hands_items_over_in_order_and_waits_while_it_is_full(run):
    """A producer of a bounded queue runs ahead by no more than its size."""

    async def program():
        trace = []
        queue = asyncio.Queue(maxsize=1)

        async def produce():
            for item in range(3):
                await queue.put(item)
                trace.append(f"put {item}")

        async with asyncio.TaskGroup() as group:
            group.create_task(produce())
            for _ in range(3):
                await asyncio.sleep(STEP)
                trace.append(f"got {await queue.get()}")
        return trace

    assert run(program) == ["put 0", "got 0", "put 1", "got 1", "put 2", "got 2"]


def test_locks_and_semaphores_serve_in_the_order_of_asking(run):
    """Who asked first is served first, and no more at once than allowed."""

    async def program():
        trace = []

        async def user(guard, name):
            async with guard:
                trace.append(f"{name} in")
                await asyncio.sleep(STEP)
                trace.append(f"{name} out")

        lock, semaphore = asyncio.Lock(), asyncio.Semaphore(2)
        await asyncio.gather(*(user(lock, name) for name in "ab"))
        await asyncio.gather(*(user(semaphore, name) for name in "xyz"))
        return trace

    assert run(program)[:4] == ["a in", "a out", "b in", "b out"]
    assert run(program)[4:] == ["x in", "y in", "x out", "y out", "z in", "z out"]


def test_events_and_conditions_wake_their_waiters_in_order(run):
    """An event wakes all who wait, a condition as many as it is told to."""

    async def program():
        trace = []
        event, condition = asyncio.Event(), asyncio.Condition()

        async def waiter(name):
            await event.wait()
            trace.append(f"{name} saw the event")
            async with condition:
                await condition.wait()
                trace.append(f"{name} was notified")

        tasks = [asyncio.create_task(waiter(name)) for name in "abc"]
        await asyncio.sleep(STEP)
        event.set()
        await asyncio.sleep(STEP)
        async with condition:
            condition.notify(2)
        await asyncio.wait(tasks[:2])
        return trace

    seen = [f"{name} saw the event" for name in "abc"]
    assert run(program) == [*seen, "a was notified", "b was notified"]


def test_an_abandoned_async_generator_is_closed_by_its_loop(run):
    """Dropped half-way, its `finally` runs soon; still held at the end, it runs at the shutdown."""
    trace = []

    async def numbers(name):
        try:
            for number in range(10):
                yield number
        finally:
            await asyncio.sleep(STEP)
            trace.append(f"{name} closed")
            closed.set()

    held = []
    closed = asyncio.Event()

    async def program():
        async for _ in numbers("dropped"):
            break
        await asyncio.wait_for(closed.wait(), 10)
        trace.append("program over")
        held.append(numbers("held"))
        await anext(held[0])

    run(program)
    assert trace == ["dropped closed", "program over", "held closed"]


def test_context_variables_travel_into_tasks_and_callbacks_as_copies(run):
    """A task and a callback see what was set before them, and keep what they set to themselves."""

    async def program():
        loop, trace = asyncio.get_running_loop(), []
        request_id.set("outer")

        async def task():
            trace.append(("task", request_id.get()))
            request_id.set("inner")
            await asyncio.sleep(STEP)
            trace.append(("task", request_id.get()))

        other = copy_context()
        other.run(request_id.set, "other")
        subtask = asyncio.create_task(task())
        given = asyncio.create_task(task(), context=copy_context())
        loop.call_later(STEP, lambda: trace.append(("later", request_id.get())))
        loop.call_soon(lambda: trace.append(("soon", request_id.get())), context=other)
        await asyncio.gather(subtask, given)
        await asyncio.sleep(3 * STEP)
        return sorted(trace), request_id.get()

    assert run(program) == (
        [("later", "outer"), ("soon", "other"), *[("task", "inner")] * 2, *[("task", "outer")] * 2],
        "outer",
    )


def test_a_shielded_task_survives_the_cancellation_of_its_waiter(run):
    """The waiter is cancelled, the shielded work goes on to its end."""

    async def program():
        trace = []

        async def work():
            await asyncio.sleep(3 * STEP)
            trace.append("worked")

        inner = asyncio.create_task(work())
        waiter = asyncio.shield(inner)
        await asyncio.sleep(STEP)
        waiter.cancel()
        await asyncio.wait([inner])
        return trace, waiter.cancelled()

    assert run(program) == (["worked"], True)


def test_sleeping_for_ever_can_be_ended_from_outside(run):
    """`sleep(math.inf)` is how one waits to be cancelled."""

    async def program():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(STEP):
                await asyncio.sleep(math.inf)
        return "ended"

    assert run(program) == "ended"


def test_threads_answer_on_the_loop(run):
    """What a thread returns arrives, and so does what it raises."""

    async def program():
        with pytest.raises(KeyError):
            await asyncio.to_thread({}.__getitem__, "missing")
        return await asyncio.to_thread(threading.current_thread)

    assert run(program) is not threading.main_thread()
