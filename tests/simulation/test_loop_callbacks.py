"""Callbacks, timers and handlers on both loops, and what only virtual time can promise."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import pytest

from docket_sim import VirtualClock, VirtualLoop

STEP = 0.004
THIRTY_YEARS = timedelta(days=30 * 365)


@pytest.fixture(params=[asyncio.SelectorEventLoop, VirtualLoop], ids=["asyncio", "virtual"])
def loop(request):
    """One of the two loops; closed afterwards."""
    loop = request.param()
    yield loop
    loop.close()


@pytest.fixture
def virtual():
    """A virtual loop; closed afterwards."""
    loop = VirtualLoop()
    yield loop
    loop.close()


def test_soon_runs_in_order_and_before_any_timer(loop):
    """`call_soon` keeps its order; what a callback adds comes after those that were there."""
    trace = []
    loop.call_later(STEP, trace.append, "later")
    loop.call_later(2 * STEP, loop.stop)
    loop.call_soon(lambda: (trace.append("a"), loop.call_soon(trace.append, "a's own")))
    loop.call_soon(trace.append, "b")
    loop.run_forever()
    assert trace == ["a", "b", "a's own", "later"]


def test_stopping_lets_the_present_round_end(loop):
    """What was ready when the loop was stopped still runs; what came after waits."""
    trace = []
    loop.call_soon(loop.stop)
    loop.call_soon(lambda: (trace.append("same round"), loop.call_soon(trace.append, "next")))
    loop.run_forever()
    stopped_with = list(trace)
    loop.run_until_complete(asyncio.sleep(0))
    assert (stopped_with, trace) == (["same round"], ["same round", "next"])


def test_a_cancelled_timer_never_runs(loop):
    """It says that it is cancelled, and the timer next to it runs."""
    trace = []
    timer = loop.call_at(loop.time() + STEP, trace.append, "cancelled")
    loop.call_at(loop.time() + 2 * STEP, trace.append, "kept")
    timer.cancel()
    timer.cancel()
    loop.run_until_complete(asyncio.sleep(4 * STEP))
    assert (trace, timer.cancelled()) == (["kept"], True)


def test_a_timer_tells_when_it_is_due(loop):
    """`when()` is in the loop's own time."""
    due = loop.time() + 60
    assert loop.call_at(due, print).when() == pytest.approx(due)
    assert loop.call_later(60, print).when() == pytest.approx(due, abs=1)


def test_a_timer_that_is_due_runs_while_others_keep_yielding(loop):
    """A delay of nothing is over at once, even when somebody is always ready to run."""

    async def program():
        over = []
        loop.call_later(0, over.append, "over")
        for _ in range(100):
            if over:
                return "seen"
            await asyncio.sleep(0)
        return "missed"

    assert loop.run_until_complete(program()) == "seen"


def test_timers_in_the_past_run_at_once(loop):
    """A due time that has passed is now; time does not go back for it."""
    trace = []
    before = loop.time()
    loop.call_at(before - 5, trace.append, "past")
    loop.call_later(-1, trace.append, "negative")
    loop.run_until_complete(asyncio.sleep(STEP))
    assert sorted(trace) == ["negative", "past"]
    assert loop.time() >= before


def test_an_exception_in_a_callback_reaches_the_exception_handler(loop):
    """The handler is told what and where, and the loop goes on."""
    told, error = [], LookupError("gone")

    def broken_callback():
        raise error

    loop.set_exception_handler(lambda _loop, context: told.append(context))
    loop.call_soon(broken_callback)
    loop.call_later(STEP, broken_callback)
    loop.run_until_complete(asyncio.sleep(3 * STEP))
    assert [context["exception"] for context in told] == [error, error]
    assert all("broken_callback" in context["message"] for context in told)
    assert all("handle" in context for context in told)


def test_a_system_exit_in_a_callback_leaves_the_loop(loop):
    """`SystemExit` and `KeyboardInterrupt` are not for handlers."""
    loop.call_soon(sys.exit, 3)
    with pytest.raises(SystemExit):
        loop.run_forever()


def test_the_loser_of_an_unawaited_task_is_told_to_the_handler(loop):
    """An exception that nobody retrieves is reported when its task goes."""
    told = []

    async def fails():
        raise LookupError("gone")

    async def program():
        task = loop.create_task(fails())
        await asyncio.wait([task])

    loop.set_exception_handler(lambda _loop, context: told.append(str(context["exception"])))
    loop.run_until_complete(program())
    assert told == ["gone"]


def test_debug_mode_refuses_what_is_not_callable_and_foreign_threads(loop):
    """Debug mode finds two common mistakes with `call_soon`."""
    loop.set_debug(True)

    async def program():
        with pytest.raises(TypeError, match="callable object was expected"):
            loop.call_soon("no callable")
        with pytest.raises(RuntimeError, match="Non-thread-safe"):
            await asyncio.to_thread(loop.call_soon, print)

    try:
        loop.run_until_complete(program())
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())


def test_a_program_runs_the_same_in_debug_mode(loop):
    """Debug mode watches; it changes nothing."""
    loop.set_debug(True)

    async def program():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(asyncio.sleep(STEP, n)) for n in range(3)]
        return [task.result() for task in tasks]

    assert loop.run_until_complete(program()) == [0, 1, 2]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_take_their_first_step_at_once(loop):
    """An eager task runs up to its first wait inside `create_task`."""
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))
    trace = []

    async def child():
        trace.append("first step")
        await asyncio.sleep(STEP)
        trace.append("second step")

    async def program():
        task = asyncio.create_task(child())
        trace.append("made")
        await task

    loop.run_until_complete(program())
    assert trace == ["first step", "made", "second step"]


def test_a_closed_loop_takes_nothing_more(loop):
    """After `close()`, each way of asking it for something is refused."""
    loop.close()
    for ask in (loop.call_soon, lambda f: loop.call_later(1, f), lambda f: loop.call_at(1, f)):
        with pytest.raises(RuntimeError, match="closed"):
            ask(print)


# What only virtual time can promise.


def test_timers_of_one_instant_fire_in_the_order_in_which_they_were_made(virtual):
    """asyncio leaves this open; here it is first come, first served."""
    fired = []
    for number in range(50):
        virtual.call_at(1.0, fired.append, number)
    virtual.run_until_complete(asyncio.sleep(2))
    assert fired == list(range(50))


def test_the_shortest_timer_still_moves_time(virtual):
    """A nanosecond is less than the clock can show, but it is not nothing."""
    virtual.run_until_complete(asyncio.sleep(1e-9))
    assert virtual.clock.elapsed == timedelta(microseconds=1)


def test_a_loop_that_sleeps_for_nanoseconds_gets_on(virtual):
    """Even late in a long run, when a float hardly tells two instants apart."""

    async def program():
        await asyncio.sleep(THIRTY_YEARS.total_seconds())
        for _ in range(1000):
            await asyncio.sleep(1e-9)

    virtual.run_until_complete(program())
    assert virtual.clock.elapsed == THIRTY_YEARS + timedelta(milliseconds=1)


def test_after_thirty_years_clock_and_timers_still_agree(virtual):
    """The instant that datetimes give is the one at which a timer fires, to the microsecond."""
    clock = virtual.clock

    async def program():
        for number in range(1, 2000):
            when = clock.start + THIRTY_YEARS * number / 2000
            await asyncio.sleep((when - clock.now()).total_seconds())
            assert clock.now() == when
            due = virtual.time() + 0.000_001
            await asyncio.wait_for(virtual.reached(when + timedelta(microseconds=1)), 1)
            assert virtual.time() == pytest.approx(due, abs=1e-7)

    virtual.run_until_complete(program())


@pytest.mark.parametrize("year", [1, 1970, 9000])
def test_the_start_of_the_clock_makes_no_difference(year):
    """Timers count from the start, so none of them suffers from a distant one."""
    clock = VirtualClock(datetime(year, 1, 1, tzinfo=UTC))
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        runner.run(asyncio.sleep(0.000_001))
    assert clock.now() == datetime(year, 1, 1, microsecond=1, tzinfo=UTC)


def test_cancelled_timers_are_cleared_away(virtual):
    """A timeout that is never reached leaves nothing behind, however often it is set."""

    async def program():
        for _ in range(10_000):
            async with asyncio.timeout(3600):
                pass
        return len(virtual._timers)

    assert virtual.run_until_complete(program()) < 250


def test_clearing_cancelled_timers_keeps_the_others(virtual):
    """The timers that are left fire at their instants, in order."""
    fired = []
    timers = [virtual.call_at(number, fired.append, number) for number in range(1, 1001)]
    for timer in timers:
        if timer.when() % 5:
            timer.cancel()
    virtual.run_until_complete(asyncio.sleep(2000))
    assert fired == list(range(5, 1001, 5))
