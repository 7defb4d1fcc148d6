"""What signals ask for, told from real signals to this very process."""

import asyncio
import os
import signal
import threading
from datetime import timedelta

from docket_sim.cli.last_resort import LastResort
from docket_sim.cli.stop import Stop


def signal_myself(number=signal.SIGTERM):
    """The handler runs before this returns."""
    os.kill(os.getpid(), number)


def states_after(*signals):
    """What is asked for after each signal in turn, and how often the process would have left."""
    left = []
    seen = []

    async def receive(stop):
        stop.attach()
        for number in signals:
            signal_myself(number)
            await asyncio.sleep(0)
            seen.append((stop.asked.is_set(), stop.hurried.is_set(), len(left)))

    with Stop(timedelta(hours=1), lambda: left.append(1)) as stop:
        asyncio.run(receive(stop))
    return seen


def test_the_first_signal_asks_the_second_hurries_the_third_leaves():
    """SIGTERM and SIGINT count alike."""
    assert states_after(signal.SIGTERM, signal.SIGINT, signal.SIGTERM) == [
        (True, False, 0),
        (True, True, 0),
        (True, True, 1),
    ]


def test_a_signal_that_comes_before_the_loop_runs_is_not_lost():
    """Whoever attaches later learns of it."""

    async def attach(stop):
        stop.attach()
        return stop.asked.is_set(), stop.hurried.is_set()

    with Stop(timedelta(hours=1), lambda: None) as stop:
        signal_myself()
        assert asyncio.run(attach(stop)) == (True, False)


def test_a_signal_that_comes_after_the_loop_has_closed_does_no_harm():
    """The process is ending anyway."""

    async def attach(stop):
        stop.attach()

    with Stop(timedelta(hours=1), lambda: None) as stop:
        asyncio.run(attach(stop))
        signal_myself()


def test_the_handlers_of_before_are_back_afterwards():
    """A command run from within another program leaves that program's signals alone."""
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]
    with Stop(timedelta(), lambda: None):
        assert signal.getsignal(signal.SIGTERM) not in before
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_loop_that_is_held_up_does_not_hold_up_the_last_resort():
    """It leaves from a thread of its own, when its time is up."""
    left = threading.Event()
    resort = LastResort(left.set)
    resort.start()
    resort.within(0.01)
    assert left.wait(5)


def test_a_later_word_replaces_an_earlier_one():
    """A second signal shortens the wait; so may a longer one lengthen it."""
    left = threading.Event()
    resort = LastResort(left.set)
    resort.start()
    resort.within(3600)
    assert not left.is_set()
    resort.within(0)
    assert left.wait(5)


def test_a_last_resort_that_is_dismissed_never_leaves():
    """Also when its time has begun to run."""
    left = threading.Event()
    resort = LastResort(left.set)
    resort.start()
    resort.within(float("inf"))
    resort.dismiss()
    assert not left.is_set()
    assert threading.active_count() == len(threading.enumerate())
