"""`Timeline.attempts_per`: how many attempts begin within a span, wherever one lays it."""

from datetime import timedelta

import pytest

from docket_sim import Retry, simulate

SECOND = timedelta(seconds=1)


async def poll(retry: Retry = Retry(attempts=4, delay=10 * SECOND)) -> None:
    raise ConnectionError("503")


async def other() -> None: ...


def polled():
    """A run with attempts at +0s, +10s, +20s and +30s, and another task's at +20s."""
    with simulate(allow_failures=True) as sim:
        sim.run(sim.docket.add(poll)())
        sim.run(sim.docket.add(other, when=sim.clock.start + 20 * SECOND)())
        sim.run(sim.run_until_idle())
    return sim.timeline


def test_a_window_begins_with_an_attempt_and_does_not_hold_its_end():
    """Three attempts lie within 20 s and a bit, two within 20 s."""
    timeline = polled()
    assert timeline.attempts_per(20 * SECOND, task=poll).max() == 2
    assert timeline.attempts_per("20.001s", task="poll").max() == 3


def test_windows_are_in_order_and_those_of_one_instant_are_one():
    """Each says when it begins; the task's own and another's count together unless one is named."""
    rates = polled().attempts_per(15 * SECOND)
    assert [(w.elapsed // SECOND, w.attempts) for w in rates] == [(0, 2), (10, 3), (20, 3), (30, 1)]
    assert (len(rates), rates[1].attempts, rates[1:3][0]) == (4, 3, rates[1])


def test_it_reads_as_a_sentence():
    """A failing assertion shows where the fullest window is."""
    timeline = polled()
    assert repr(timeline.attempts_per("15s")) == "<up to 3 attempts in 15s, from +10s>"
    assert repr(timeline.attempts_per("1m", task="none")) == "<no attempts, in any 1m>"
    assert timeline.attempts_per("1m", task="none").max() == 0


def test_a_span_of_nothing_is_refused():
    """No attempt begins in it, not even its own."""
    with pytest.raises(ValueError, match="longer than nothing"):
        polled().attempts_per(timedelta(0))
