"""The timeline: what happened, when in virtual time, where, and because of what."""

import asyncio
import inspect
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from docket_sim import CurrentDocket, Docket, Perpetual, Retry, Timeout, simulate
from docket_sim.simulation.difference import first_difference
from docket_sim.simulation.timeline import short

HERE = Path(__file__).name


def line_of(function, text):
    """The number of the line of `function` that contains `text`."""
    lines, first = inspect.getsourcelines(function)
    return next(number for number, line in enumerate(lines, first) if text in line)


async def charge(order_id: int, docket: Docket = CurrentDocket(), retry: Retry = Retry(attempts=2)):
    """Fails at first, then asks for a review."""
    if retry.attempt == 1:
        raise ConnectionError("503\nwith a second line")
    tomorrow = docket.now() + timedelta(days=1)
    await docket.add(ask_for_review, when=tomorrow, key="review-7")(order_id)


async def ask_for_review(order_id: int):
    """The follow-up."""


async def fails():
    """Fails for good."""
    raise LookupError("gone")


class Unprintable(Exception):
    """An error whose text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")


async def fails_unprintably():
    """Fails with an error that cannot be printed."""
    raise Unprintable


async def hangs(timeout: Timeout = Timeout(timedelta(seconds=90))):
    """Is ended by its timeout."""
    await asyncio.sleep(1e6)


async def ticks(perpetual: Perpetual = Perpetual(every=timedelta(hours=2))):
    """Runs every two hours."""


def charged_order():
    """A world in which one order was charged and reviewed, and was added on the last line here."""
    sim = simulate()
    with sim:
        sim.run(sim.docket.add(charge, key="order-7")(order_id=7))
        sim.run(sim.run_until_idle())
    return sim


def test_it_reads_as_text():
    """One line for each moment: elapsed time, what, the call, its key, and the rest in words."""
    here = line_of(charged_order, "sim.docket.add")
    cause = f"order-7, attempt 2, {HERE}:{line_of(charge, 'docket.add')}"
    assert str(charged_order().timeline).splitlines() == [
        f"+0s  scheduled   charge(order_id=7)          order-7   by {HERE}:{here}",
        "+0s  started     charge(order_id=7)          order-7   worker-1, attempt 1",
        "+0s  retried     charge(order_id=7)          order-7   ConnectionError: 503; again in 0s",
        "+0s  started     charge(order_id=7)          order-7   worker-1, attempt 2",
        f"+0s  scheduled   ask_for_review(order_id=7)  review-7  due in 1d, by {cause}",
        "+0s  completed   charge(order_id=7)          order-7   worker-1",
        "+1d  started     ask_for_review(order_id=7)  review-7  worker-1, attempt 1",
        "+1d  completed   ask_for_review(order_id=7)  review-7  worker-1",
    ]


def test_it_is_a_sequence_of_moments():
    """Each line is data, too, and the events behind it are those that observers see."""
    timeline = charged_order().timeline
    assert [moment.what for moment in timeline] == [
        *("scheduled", "started", "retried", "started"),
        *("scheduled", "completed", "started", "completed"),
    ]
    last = timeline[-1]
    assert (len(timeline), len(timeline.events)) == (8, 8)
    assert last.at == datetime(2030, 1, 2, tzinfo=UTC)
    assert last.elapsed == timedelta(days=1)
    assert (last.call, last.task) == ("ask_for_review(order_id=7)", "ask_for_review")
    assert (last.key, last.attempt, last.worker) == ("review-7", 1, "worker-1")


def test_a_slice_of_it_is_a_sequence_of_moments():
    """As of any sequence."""
    timeline = charged_order().timeline
    assert [moment.what for moment in timeline[-2:]] == ["started", "completed"]


def test_a_moment_knows_which_attempt_caused_it():
    """What a task schedules has its attempt for a cause; what a test schedules has none."""
    timeline = charged_order().timeline
    assert timeline[0].cause is None
    cause = timeline[-1].cause
    assert (cause.key, cause.attempt) == ("order-7", 2)


def happened(sim, *what):
    """The text of the moments of these kinds."""
    return [moment.details for moment in sim.timeline if moment.what in what]


def test_a_failure_shows_its_error():
    """The error's type and first line."""
    with simulate(allow_failures=True) as sim:
        sim.run(sim.docket.add(fails)())
        sim.run(sim.run_until_idle())
    assert happened(sim, "failed") == ["LookupError: gone"]


def test_an_error_that_cannot_be_printed_does_no_harm():
    """Neither the timeline nor the report of the failure falls over it."""
    with simulate() as sim:
        sim.run(sim.docket.add(fails_unprintably)())
        sim.run(sim.run_until_idle())
        with pytest.raises(AssertionError, match=r"Unprintable \(its str\(\) raises\)"):
            sim.check()
    assert happened(sim, "failed") == ["Unprintable (its str() raises)"]
    assert "its str() raises" in str(sim.timeline)


def test_a_timeout_shows_when_it_came():
    """The attempt fails at the instant at which its time was over."""
    with simulate(allow_failures=True) as sim:
        sim.run(sim.docket.add(hangs)())
        sim.run(sim.run_until_idle())
    assert [(m.what, m.elapsed) for m in sim.timeline][-1] == ("failed", timedelta(seconds=90))
    assert str(sim.timeline).splitlines()[-1].startswith("+1m 30s  failed")


def test_a_perpetual_shows_when_its_next_run_is_due():
    """A run is over, the execution goes on."""
    with simulate() as sim:
        sim.run(sim.docket.add(ticks, key="tick")())
        sim.run(sim.run_for(timedelta(hours=1)))
        assert happened(sim, "completed") == ["worker-1; next run in 2h"]


def test_taken_keys_and_cancellations_show():
    """A dropped call says who wanted it, a cancelled one just goes."""
    with simulate() as sim:
        sim.run(sim.docket.add(ask_for_review, key="one")(1))
        sim.run(sim.docket.add(ask_for_review, key="one")(order_id=2))
        sim.run(sim.docket.cancel("one"))
        second = line_of(test_taken_keys_and_cancellations_show, "(order_id=2)")
    assert [moment.what for moment in sim.timeline] == ["scheduled", "dropped", "cancelled"]
    assert happened(sim, "dropped") == [f"its key is taken; by {HERE}:{second}"]


def test_a_long_call_is_cut_to_what_a_line_has_room_for():
    """The data has all of it."""
    with simulate(allow_pending=True) as sim:
        sim.run(sim.docket.add(ask_for_review, key="k")(10**40))
    assert "ask_for_review(order_id=1000000000000000000…  k  " in str(sim.timeline)
    assert sim.timeline[0].call == f"ask_for_review(order_id={10**40})"


def test_a_run_in_which_nothing_happened_has_an_empty_timeline():
    """No moments, no text."""
    with simulate() as sim:
        sim.run(sim.run_for(timedelta(days=1)))
    assert (len(sim.timeline), str(sim.timeline)) == (0, "")


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0s"),
        (timedelta(seconds=1.5), "1.5s"),
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta(minutes=3, seconds=4), "3m 4s"),
        (timedelta(days=1, hours=2), "1d 2h"),
        (timedelta(days=400, minutes=1), "400d 1m"),
        (timedelta(hours=1, microseconds=250_000), "1h 0.25s"),
        (-timedelta(seconds=90), "-1m 30s"),
    ],
)
def test_durations_read_as_one_says_them(duration, text):
    """Units that are nothing are left out, and nothing at all is `0s`."""
    assert short(duration) == text


def test_where_two_timelines_part_is_told_in_words():
    """What happened in one and not in the other, whichever of the two goes on; or differently."""

    async def charge(amount: int): ...

    def timeline(*amounts: int, at: int = 0):
        with simulate() as sim:
            for amount in amounts:
                due = sim.clock.now() + timedelta(seconds=at)
                sim.run(sim.docket.add(charge, when=due, key=f"k{amount}")(amount))
            sim.run(sim.run_until_idle())
            return list(sim.timeline)

    assert first_difference(timeline(1), timeline(1)) is None
    more = first_difference(timeline(1, 2), timeline(1))
    fewer = first_difference(timeline(1), timeline(1, 2))
    assert more.startswith("at +0s, k2: ")
    assert more.endswith("there: nothing")
    assert fewer.startswith("at +0s, k2: nothing")
    other = first_difference(timeline(1, at=5), timeline(1, at=7))
    assert "k1: " in other
    assert "there: nothing" not in other
