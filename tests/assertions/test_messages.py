"""What a failing assertion says, word for word: the verdict, what was expected, what comes closest.

Lines of this file are shown as `LINE`, since they move with each edit.
"""

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from textwrap import dedent

import pytest

from docket_sim import (
    CurrentDocket,
    Docket,
    Perpetual,
    Retry,
    any_call,
    call,
)

# What is scheduled here is looked at by assertions that fail, and need not run.
pytestmark = pytest.mark.docket(allow_pending=True)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

# What several executions do at one instant has the order of this store: another takes more turns.
one_order = pytest.mark.docket(store="memory")


class Unfriendly:
    """Equal to nothing, and its repr raises."""

    def __repr__(self):
        raise RuntimeError("no repr")


class Incomparable:
    """Its == raises."""

    def __eq__(self, other):
        raise RuntimeError("no ==")

    def __hash__(self):
        return 0

    def __repr__(self):
        return "<Incomparable>"


@dataclass
class Mail:
    """No mapping."""

    to: str


class World:
    """A shop in a world: orders are charged, and a review is asked for a week later."""

    failures = 0


world = World()


@pytest.fixture(autouse=True)
def friendly_gateway():
    world.failures = 0


async def charge(
    order_id: int,
    docket: Docket = CurrentDocket(),
    retry: Retry = Retry(attempts=3, delay=SECOND),
) -> None:
    if world.failures >= retry.attempt:
        raise ConnectionError("503")
    await docket.add(review, when=docket.now() + 7 * DAY, key=f"review-{order_id}")(order_id)


async def review(order_id: int, note: str = "") -> None: ...


async def other(item: object = None) -> None: ...


async def send(mail: Mail) -> None: ...


async def twice(docket: Docket = CurrentDocket()) -> None:
    for number in (1, 2):
        await docket.add(review, key="same")(number)


async def several(orders: list[int], docket: Docket = CurrentDocket()) -> None:
    for number, order_id in enumerate(orders):
        await docket.add(review, key=f"review-{number}")(order_id)


async def part(number: int, docket: Docket = CurrentDocket()) -> None:
    await docket.add(merge, key="merge")()


async def split(docket: Docket = CurrentDocket()) -> None:
    for number in (1, 2, 3):
        await docket.add(part, key=f"part-{number}")(number)


async def merge() -> None: ...


async def tick(perpetual: Perpetual = Perpetual(every=DAY)) -> None: ...


async def charged(sim, failures=0):
    world.failures = failures
    await sim.docket.add(charge, key="order-7")(7)
    await sim.run_for("3s")


def says(message: str, assertion, *args, **filters) -> None:
    """`assertion` fails, and says just this."""
    with pytest.raises(AssertionError) as caught:
        assertion(*args, **filters)
    found = re.sub(r"[\w/]*test_messages\.py:\d+", "LINE", str(caught.value))
    assert found == dedent(message).strip("\n")


async def test_nothing_was_ever_scheduled(sim):
    """There is nothing that could come close."""
    says(
        """
        charge(order_id=7) is not scheduled: nothing was ever scheduled.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  charge(order_id=7)
          next due  nothing
        """,
        sim.assert_scheduled,
        call(charge, 7),
    )


async def test_only_other_tasks_are_scheduled(sim):
    """They are listed, with where they stand."""
    await charged(sim)
    says(
        """
        other is not scheduled, only other tasks are: review.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  other
          found     charge(order_id=7)   completed at +0s, attempt 1
                    review(order_id=7)   due in 6d 23h 59m 57s
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        other,
    )


async def test_all_the_rest_has_ended_too(sim):
    """Nothing waits, and what there was is listed."""
    await charged(sim)
    await sim.run_until_idle()
    says(
        """
        other is not scheduled, and nothing else is.

          now       2030-01-08 00:00:00Z   (+7d since the start)
          expected  other
          found     charge(order_id=7)   completed at +0s, attempt 1
                    review(order_id=7)   completed at +7d, attempt 1
          next due  nothing
        """,
        sim.assert_scheduled,
        other,
    )


async def test_it_is_scheduled_with_other_arguments(sim):
    """Only the arguments that differ are named."""
    await charged(sim)
    says(
        """
        review is scheduled, but with other arguments.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review(order_id=7, note='hurry')
          found     review(order_id=7)   due in 6d 23h 59m 57s
                    note: expected 'hurry', found ''
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        call(review, 7, note="hurry"),
    )


async def test_the_closest_of_several_calls_is_explained_and_the_others_are_listed(sim):
    """The one with the fewest differences."""
    for number in range(1, 9):
        await sim.docket.add(review, key=f"r{number}")(number, note="a")
    says(
        """
        review is scheduled, but with other arguments.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  review(order_id=5, note='b')
          found     review(order_id=5, note='a')   due now
                    note: expected 'b', found 'a'
                    key r5, scheduled at LINE
          also      review(order_id=1, note='a')   due now, key r1
                    review(order_id=2, note='a')   due now, key r2
                    review(order_id=3, note='a')   due now, key r3
                    review(order_id=4, note='a')   due now, key r4
                    review(order_id=6, note='a')   due now, key r6
                    … and 2 more
          next due  review(order_id=1, note='a') now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(review, 5, note="b"),
    )


async def test_it_is_scheduled_for_another_time(sim):
    """Both times are shown, from now and as instants, and how far off it is."""
    await charged(sim)
    says(
        """
        review(order_id=7) is scheduled, but for another time.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  due in 1d               2030-01-02 00:00:03Z
          found     due in 6d 23h 59m 57s   2030-01-08 00:00:00Z   5d 23h 59m 57s too late
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        call(review, 7),
        due_in=DAY,
    )


async def test_it_is_scheduled_too_early_even_with_tolerance(sim):
    """The tolerance is named."""
    await charged(sim)
    says(
        """
        review is scheduled, but for another time.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  due in 7d 23h 59m 57s   2030-01-09 00:00:00Z   give or take 1h
          found     due in 6d 23h 59m 57s   2030-01-08 00:00:00Z   1d too early
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        review,
        when="+8d",
        within="1h",
    )


async def test_it_is_scheduled_under_another_key(sim):
    """Both keys are shown."""
    await charged(sim)
    says(
        """
        review is scheduled, but under another key.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review, key 'review-8'
          found     key 'review-7', expected 'review-8'
                    due in 6d 23h 59m 57s, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        review,
        key="review-8",
    )


async def test_it_was_scheduled_by_somebody_else(sim):
    """Who it was is shown, with the line."""
    await charged(sim)
    says(
        """
        review is scheduled, but not by other.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review, scheduled by other
          found     scheduled by charge(order_id=7), attempt 1, LINE
                    key review-7, due in 6d 23h 59m 57s
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        review,
        by=other,
    )


async def test_it_was_scheduled_by_a_task_and_not_by_the_test(sim):
    """`by=None` stands for the test itself."""
    await charged(sim)
    says(
        """
        review is scheduled, but not from outside of tasks.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review, scheduled from outside of tasks
          found     scheduled by charge(order_id=7), attempt 1, LINE
                    key review-7, due in 6d 23h 59m 57s
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        review,
        by=None,
    )


async def test_it_already_ran(sim):
    """What has ended is not scheduled any more."""
    await charged(sim, failures=1)
    says(
        """
        charge(order_id=7) is not scheduled any more: it already ran.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge(order_id=7)
          found     completed at +1s, attempt 2
                    key order-7, scheduled at LINE
          next due  review(order_id=7) in 6d 23h 59m 58s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        call(charge, 7),
    )


async def test_it_ran_but_failed(sim):
    """With what it failed."""
    await charged(sim, failures=3)
    sim.acknowledge_failures()
    says(
        """
        charge is not scheduled any more: it ran, but failed.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge
          found     failed at +2s, attempt 3
                    ConnectionError: 503
                    key order-7, scheduled at LINE
          next due  nothing
        """,
        sim.assert_scheduled,
        charge,
    )


async def test_it_is_running(sim):
    """It has begun, so it is not scheduled any more."""
    sim.override(other, body=lambda: asyncio.sleep(60))
    await sim.docket.add(other, key="o")()
    await sim.run_due()
    says(
        """
        other is not scheduled any more: it is still running.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  other
          found     running since +0s, attempt 1
                    key o, scheduled at LINE
          next due  nothing
        """,
        sim.assert_scheduled,
        other,
    )


async def test_it_was_cancelled(sim):
    """Before its time came."""
    await charged(sim)
    await sim.docket.cancel("review-7")
    says(
        """
        review is not scheduled any more: it was cancelled.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review
          found     cancelled at +3s
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  nothing
        """,
        sim.assert_scheduled,
        review,
    )


async def test_it_was_replaced(sim):
    """By a call with other arguments."""
    await charged(sim)
    await sim.docket.replace(review, sim.clock.now() + DAY, "review-7")(8)
    says(
        """
        review(order_id=7) is not scheduled any more: it was replaced.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review(order_id=7)
          found     replaced at +3s
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          also      review(order_id=8)   due in 1d, key review-7
          next due  review(order_id=8) in 1d: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        call(review, 7),
    )


async def test_it_was_dropped_as_a_duplicate(sim):
    """The one that has the key is shown."""
    await sim.docket.add(review, key="r")(1)
    await sim.docket.add(review, key="r")(2)
    says(
        """
        review(order_id=2) was dropped as a duplicate: its key was taken.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  review(order_id=2)
          found     dropped at +0s, key r
                    the key belongs to review(order_id=1)   due now
                    scheduled at LINE
          next due  review(order_id=1) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(review, 2),
    )


async def test_several_match_where_one_is_expected(sim):
    """The way to expect several is named."""
    for number in (1, 2):
        await sim.docket.add(review, key=f"r{number}")(number)
    says(
        """
        review is scheduled twice, expected once.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          found     review(order_id=1)   due now, key r1, scheduled at LINE
                    review(order_id=2)   due now, key r2, scheduled at LINE
          next due  review(order_id=1) now: sim.run_due() would run it
          say       times=2 expects that many, and returns a list;
                    or narrow it down: call(review, ...), key=...
        """,
        sim.assert_scheduled,
        review,
    )


async def test_more_match_than_are_expected(sim):
    """They are listed."""
    for number in (1, 2):
        await sim.docket.add(review, key=f"r{number}")(number)
    says(
        """
        review is scheduled twice, expected 3 times.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          found     review(order_id=1)   due now, key r1, scheduled at LINE
                    review(order_id=2)   due now, key r2, scheduled at LINE
          next due  review(order_id=1) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        review,
        times=3,
    )


async def test_it_is_scheduled_though_it_should_not_be(sim):
    """With the line that did it."""
    await charged(sim)
    says(
        """
        review is scheduled, expected that it is not.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          found     review(order_id=7)   due in 6d 23h 59m 57s
                      key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_not_scheduled,
        review,
    )


async def test_something_is_scheduled_though_nothing_should_be(sim):
    """A long list is cut, with a count."""
    for number in range(1, 9):
        await sim.docket.add(review, key=f"r{number}")(number)
    says(
        """
        8 executions are scheduled, expected nothing.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          found     review(order_id=1)   due now
                      key r1, scheduled at LINE
                    review(order_id=2)   due now
                      key r2, scheduled at LINE
                    review(order_id=3)   due now
                      key r3, scheduled at LINE
                    review(order_id=4)   due now
                      key r4, scheduled at LINE
                    review(order_id=5)   due now
                      key r5, scheduled at LINE
                    … and 3 more
          next due  review(order_id=1) now: sim.run_due() would run it
        """,
        sim.assert_nothing_scheduled,
    )


async def test_it_did_not_run_but_still_waits(sim):
    """And the verb that would run it is named."""
    await charged(sim)
    says(
        """
        review(order_id=7) did not run: it is still waiting.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review(order_id=7)
          found     due in 6d 23h 59m 57s
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_ran,
        call(review, 7),
    )


async def test_only_other_tasks_ran(sim):
    """They are named."""
    await charged(sim)
    says(
        """
        other did not run, only other tasks did: charge.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  other
          found     charge(order_id=7)   completed at +0s, attempt 1
                    review(order_id=7)   due in 6d 23h 59m 57s
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_ran,
        other,
    )


async def test_it_ran_with_other_arguments(sim):
    """Only what differs is named."""
    await charged(sim)
    says(
        """
        charge ran, but with other arguments.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge(order_id=8)
          found     charge(order_id=7)   completed at +0s, attempt 1
                    order_id: expected 8, found 7
                    key order-7, scheduled at LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_ran,
        call(charge, 8),
    )


async def test_it_ran_at_another_time(sim):
    """As the time since the start."""
    await charged(sim, failures=1)
    says(
        """
        charge ran, but at another time.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  at +3s   2030-01-01 00:00:03Z
          found     at +1s   2030-01-01 00:00:01Z   2s too early
                    key order-7, scheduled at LINE
          next due  review(order_id=7) in 6d 23h 59m 58s: sim.run_next() would run it
        """,
        sim.assert_ran,
        charge,
        when="+3s",
    )


async def test_it_failed_where_it_was_to_run(sim):
    """With the error."""
    await charged(sim, failures=3)
    sim.acknowledge_failures()
    says(
        """
        charge ran, but failed.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge
          found     failed at +2s, attempt 3
                    ConnectionError: 503
                    key order-7, scheduled at LINE
          next due  nothing
        """,
        sim.assert_ran,
        charge,
    )


async def test_a_perpetual_ran_more_often(sim):
    """Each run counts."""
    await sim.docket.add(tick, key="tick")()
    await sim.run_for(2 * DAY)
    says(
        """
        tick ran 3 times, expected once.

          now       2030-01-03 00:00:00Z   (+2d since the start)
          found     tick()   completed at +0s, attempt 1, key tick, scheduled at LINE
                    tick()   completed at +1d, attempt 1, key tick, next run of a perpetual
                    tick()   completed at +2d, attempt 1, key tick, next run of a perpetual
          next due  tick() in 1d: sim.run_next() would run it
          say       times=3 expects that many, and returns a list;
                    or narrow it down: call(tick, ...), key=...
        """,
        sim.assert_ran,
        tick,
    )


async def test_it_did_not_fail(sim):
    """It succeeded."""
    await charged(sim)
    says(
        """
        charge did not fail: it succeeded.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge
          found     completed at +0s, attempt 1
                    key order-7, scheduled at LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_failed,
        charge,
    )


async def test_it_failed_with_another_error(sim):
    """Both are shown."""
    await charged(sim, failures=3)
    sim.acknowledge_failures()
    says(
        """
        charge failed, but with another error.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge, failed with KeyError or ValueError, its text matching '50[0-2]'
          found     ConnectionError: 503
                    key order-7, scheduled at LINE
          next due  nothing
        """,
        sim.assert_failed,
        charge,
        error=(KeyError, ValueError),
        match="50[0-2]",
    )


async def test_it_was_not_retried(sim):
    """Its first attempt succeeded."""
    await charged(sim)
    says(
        """
        charge was not retried: its first attempt succeeded.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge
          found     completed at +0s, attempt 1
                    key order-7, scheduled at LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_retried,
        charge,
    )


async def test_it_was_retried_after_other_delays(sim):
    """With the errors of the attempts."""
    await charged(sim, failures=2)
    says(
        """
        charge was retried, but after other delays.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge, retried after 1s, 2s
          found     1s, 1s
                    completed at +2s, attempt 3, key order-7, scheduled at LINE
          errors    ConnectionError: 503
                    ConnectionError: 503
          next due  review(order_id=7) in 6d 23h 59m 59s: sim.run_next() would run it
        """,
        sim.assert_retried,
        charge,
        delays=["1s", "2s"],
    )


async def test_it_was_retried_more_often(sim):
    """Times are in words."""
    await charged(sim, failures=2)
    says(
        """
        charge was retried twice, expected once.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge, retried once
          found     1s, 1s
                    completed at +2s, attempt 3, key order-7, scheduled at LINE
          errors    ConnectionError: 503
                    ConnectionError: 503
          next due  review(order_id=7) in 6d 23h 59m 59s: sim.run_next() would run it
        """,
        sim.assert_retried,
        charge,
        times=1,
    )


async def test_a_chain_whose_gap_is_another(sim):
    """What was observed is drawn as a tree."""
    await charged(sim)
    says(
        """
        charge(order_id=7) scheduled review(order_id=7), but for another time.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge → review(order_id=7)
          gap       expected 1d, found 7d   at LINE
          found     charge(order_id=7)   completed at +0s, attempt 1
                    └─ review(order_id=7)   in 7d, due in 6d 23h 59m 57s, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_chain,
        charge,
        call(review, 7),
        gaps=[DAY],
    )


async def test_a_chain_without_a_beginning(sim):
    """What was scheduled is listed."""
    await charged(sim)
    says(
        """
        the chain has no beginning: other was never scheduled.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  other → review
          found     charge(order_id=7)
                    review(order_id=7)
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_chain,
        other,
        review,
    )


async def test_a_link_that_is_missing(sim):
    """What it scheduled instead is drawn."""
    await charged(sim)
    says(
        """
        charge(order_id=7) did not schedule other, only other tasks.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge → other
          found     charge(order_id=7)   completed at +0s, attempt 1
                    └─ review(order_id=7)   in 7d, due in 6d 23h 59m 57s, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_chain,
        charge,
        other,
    )


async def test_a_link_that_somebody_else_made(sim):
    """Who it was is shown."""
    await charged(sim)
    await sim.docket.add(other, key="o")()
    says(
        """
        other was scheduled, but not by charge(order_id=7).

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge → other
          instead   at LINE
          found     charge(order_id=7)   completed at +0s, attempt 1
                    └─ review(order_id=7)   in 7d, due in 6d 23h 59m 57s, LINE
          next due  other() now: sim.run_due() would run it
        """,
        sim.assert_chain,
        charge,
        other,
    )


async def test_a_link_with_other_arguments(sim):
    """Only what differs is named."""
    await charged(sim)
    says(
        """
        charge(order_id=7) scheduled review, but with other arguments.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge → review(order_id=8)
          differs   order_id: expected 8, found 7
          found     charge(order_id=7)   completed at +0s, attempt 1
                    └─ review(order_id=7)   in 7d, due in 6d 23h 59m 57s, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_chain,
        charge,
        call(review, 8),
    )


async def test_a_link_that_was_dropped(sim):
    """Its key was taken."""
    await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    says(
        """
        part(number=2) asked for merge, but it was dropped as a duplicate.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  part(number=2) → merge
          dropped   key merge belongs to merge()
                    scheduled by part(number=1), attempt 1, LINE
          found     part(number=2)   completed at +0s, attempt 1
                    └─ merge()   dropped, its key 'merge' was taken, LINE
          next due  nothing
        """,
        sim.assert_chain,
        call(part, 2),
        merge,
    )


async def test_a_link_that_is_not_there_yet(sim):
    """The parent has not run."""
    await sim.docket.add(charge, key="c")(7)
    says(
        """
        charge(order_id=7) has not scheduled review yet: due now.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  charge → review
          found     charge(order_id=7)   due now
          next due  charge(order_id=7) now: sim.run_due() would run it
        """,
        sim.assert_chain,
        charge,
        review,
    )


async def test_several_chains_where_one_is_expected(sim):
    """They are listed."""
    await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    says(
        """
        3 chains are split → part, expected one.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          found     split() → part(number=1)
                    split() → part(number=2)
                    split() → part(number=3)
          say       times=3 expects that many; or narrow it down: call(...)
        """,
        sim.assert_chain,
        split,
        part,
    )


@one_order
async def test_a_graph_with_other_children(sim):
    """What is missing, and what is there besides."""
    await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    says(
        """
        split() did not schedule other, but part(number=3).

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  split → part(number=1), part(number=2), other
          found     split()   completed at +0s, attempt 1
                    ├─ part(number=1)   at once, completed at +0s, attempt 1, LINE
                    │  └─ merge()   at once, completed at +0s, attempt 1, LINE
                    ├─ part(number=2)   at once, completed at +0s, attempt 1, LINE
                    │  └─ merge()   dropped, its key 'merge' was taken, LINE
                    └─ part(number=3)   at once, completed at +0s, attempt 1, LINE
                       └─ merge()   dropped, its key 'merge' was taken, LINE
          next due  nothing
        """,
        sim.assert_graph,
        {split: [call(part, 1), call(part, 2), other]},
    )


@one_order
async def test_a_graph_with_children_of_one_name(sim):
    """Which of them is too much, how many there are, and what tells them apart."""
    await sim.docket.add(several, key="s")([7, 8, 8])
    await sim.run_until_idle()
    says(
        """
        several(orders=[7, 8, 8]) also scheduled review(order_id=8) (1 expected, 2 found).

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  several → review(order_id=7), review(order_id=8)
          found     several(orders=[7, 8, 8])   completed at +0s, attempt 1
                    ├─ review(order_id=7)   at once, completed at +0s, attempt 1, LINE
                    ├─ review(order_id=8)   key review-1, at once, completed at +0s, attempt 1, LINE
                    └─ review(order_id=8)   key review-2, at once, completed at +0s, attempt 1, LINE
          next due  nothing
        """,
        sim.assert_graph,
        {several: [call(review, 7), call(review, 8)]},
    )


@pytest.mark.parametrize(
    ("orders", "expected", "said"),
    [
        ([7], [review, review], "did not schedule review (2 expected, 1 found)"),
        ([], [call(review, 7)] * 3, "did not schedule review(order_id=7) (3 expected, none found)"),
        (
            [7, 8],
            [call(review, 7)] * 2,
            "did not schedule review(order_id=7) (2 expected, 1 found), but review(order_id=8)",
        ),
        (
            [7, 8],
            [review],
            "also scheduled review(order_id=8) (review: 1 expected, 2 found)",
        ),
        ([7], [review, call(review, 7)], "did not schedule review (2 expected, 1 found)"),
        ([7, 8, 8], [], "also scheduled review(order_id=7), review(order_id=8) twice"),
    ],
)
async def test_a_graph_counts_what_has_one_name(sim, orders, expected, said):
    """A pattern that is named twice, or that another is a case of, is missing once or twice."""
    await sim.docket.add(several, key="s")(orders)
    await sim.run_until_idle()
    with pytest.raises(AssertionError) as caught:
        sim.assert_graph({several: expected})
    assert str(caught.value).startswith(f"several(orders={orders}) {said}.\n")


@one_order
async def test_a_graph_whose_parent_never_was(sim):
    """What was scheduled is listed."""
    await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    says(
        """
        other was never scheduled.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  other → part
          found     split()
                    part(number=1)
                    part(number=2)
                    part(number=3)
                    merge()
          next due  nothing
        """,
        sim.assert_graph,
        {other: [part]},
    )


async def test_an_argument_whose_repr_raises(sim):
    """It hides nothing."""
    await charged(sim)
    says(
        """
        review is scheduled, but with other arguments.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review(order_id=<Unfriendly: repr() raised RuntimeError>)
          found     review(order_id=7)   due in 6d 23h 59m 57s
                    order_id: expected <Unfriendly: repr() raised RuntimeError>, found 7
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        call(review, Unfriendly()),
    )


async def test_an_argument_whose_comparison_raises(sim):
    """It is told, and hides nothing."""
    await charged(sim)
    says(
        """
        review is scheduled, but with other arguments.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review(order_id=<Incomparable>)
          found     review(order_id=7)   due in 6d 23h 59m 57s
                    order_id: expected <Incomparable>, found 7 (comparing them raised RuntimeError('no =='))
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        call(review, Incomparable()),
    )


async def test_a_predicate_and_a_class(sim):
    """They are put in words."""
    await charged(sim)
    says(
        """
        review is scheduled, but with other arguments.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review(order_id=what the lambda (LINE) accepts, note=an instance of int, ...)
          found     review(order_id=7)   due in 6d 23h 59m 57s
                    order_id: expected what the lambda (LINE) accepts, found 7
                    note: expected an instance of int, found ''
                    key review-7, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        any_call(review, order_id=lambda order_id: order_id > 7, note=int),
    )


async def test_a_predicate_that_raises_where_nothing_is_expected(sim):
    """What it raised is the message's cause, too."""
    await sim.docket.add(send, key="k")(Mail("a"))
    says(
        """
        whether send(mail=what the lambda (LINE) accepts, ...) is scheduled cannot be told: comparing them raised TypeError("'Mail' object is not subscriptable").

          now       2030-01-01 00:00:00Z   (+0s since the start)
          found     send(mail=Mail(to='a'))   due now
                      mail: expected what the lambda (LINE) accepts, found Mail(to='a') (comparing them raised TypeError("'Mail' object is not subscriptable"))
                      key k, scheduled at LINE
        """,
        sim.assert_not_scheduled,
        any_call(send, mail=lambda mail: mail["to"] == "a"),
    )


async def test_a_predicate_for_a_key_that_raises(sim):
    """What it raised is told beside the key."""
    await charged(sim)
    says(
        """
        review is scheduled, but under another key.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review, key what the lambda (LINE) accepts
          found     key 'review-7', expected what the lambda (LINE) accepts (comparing them raised TypeError('startswith first arg must be str or a tuple of str, not int'))
                    due in 6d 23h 59m 57s, scheduled by charge(order_id=7), attempt 1, LINE
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        sim.assert_scheduled,
        review,
        key=lambda key: key.startswith(7),
    )


async def test_a_predicate_for_an_error_that_raises(sim):
    """What it raised is told beside the error."""
    await charged(sim, failures=3)
    sim.acknowledge_failures()
    says(
        """
        charge failed, but with another error.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge, failed with what the lambda (LINE) accepts
          found     ConnectionError: 503 (comparing them raised AttributeError("'ConnectionError' object has no attribute 'code'"))
                    key order-7, scheduled at LINE
          next due  nothing
        """,
        sim.assert_failed,
        charge,
        error=lambda error: error.code == 503,
    )


async def test_several_executions_were_retried(sim):
    """How many there are, and not how often each was."""
    await charged(sim, failures=2)
    await sim.docket.add(charge, key="order-8")(8)
    await sim.run_for("3s")
    says(
        """
        2 executions of charge were retried twice, expected one.

          now       2030-01-01 00:00:06Z   (+6s since the start)
          found     charge(order_id=7)   completed at +2s, attempt 3, key order-7, scheduled at LINE
                    charge(order_id=8)   completed at +5s, attempt 3, key order-8, scheduled at LINE
          next due  review(order_id=7) in 6d 23h 59m 56s: sim.run_next() would run it
          say       narrow it down: call(charge, ...), key=...
        """,
        sim.assert_retried,
        charge,
        times=2,
    )


async def test_several_executions_were_not_retried(sim):
    """Or were, however often."""
    for number in (7, 8):
        await sim.docket.add(charge, key=f"order-{number}")(number)
    await sim.run_due()
    first = "2 executions of charge were not retried, expected one."
    with pytest.raises(AssertionError) as caught:
        sim.assert_retried(charge, times=0)
    assert str(caught.value).splitlines()[0] == first
    world.failures = 1
    for number in (7, 8):
        await sim.docket.add(charge, key=f"order-{number}")(number)
    await sim.run_for("3s")
    with pytest.raises(AssertionError) as caught:
        sim.assert_retried(charge)
    assert str(caught.value).splitlines()[0] == "2 executions of charge were retried, expected one."


async def test_it_ran_before_another_call_was_dropped(sim):
    """That the call was made again in vain is no news of the one that ran."""
    await sim.docket.add(review, key="a")(1)
    await sim.run_due()
    await sim.docket.add(review, key="b")(2)
    await sim.docket.add(review, key="b")(1)
    says(
        """
        review(order_id=1) is not scheduled any more: it already ran.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  review(order_id=1)
          found     completed at +0s, attempt 1
                    key a, scheduled at LINE
          also      review(order_id=2)   due now, key b
          next due  review(order_id=2) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(review, 1),
    )


async def test_another_key_than_that_of_the_dropped_call_is_expected(sim):
    """Then it is not the one that is meant."""
    await sim.docket.add(review, key="b")(2)
    await sim.docket.add(review, key="b")(1)
    says(
        """
        review is scheduled, but with other arguments.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  review(order_id=1), key 'c'
          found     review(order_id=2)   due now
                    order_id: expected 1, found 2
                    key b, scheduled at LINE
          next due  review(order_id=2) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(review, 1),
        key="c",
    )


class Opaque:
    """Without an __eq__, and with a repr that is always the same."""

    def __repr__(self):
        return "<Opaque>"


class Moody(Opaque):
    """With an __eq__ that never holds."""

    __hash__ = None

    def __eq__(self, other):
        return False


@pytest.mark.docket(codec="pickle")
async def test_values_that_look_alike_and_say_that_they_differ(sim):
    """It is not for others to say why."""
    await sim.docket.add(other, key="o")(Moody())
    with pytest.raises(AssertionError) as caught:
        sim.assert_scheduled(call(other, Moody()))
    assert (
        "item: expected <Opaque>, found <Opaque> (they look alike, but == says that they differ)"
        in str(caught.value)
    )


@pytest.mark.docket(codec="pickle")
async def test_values_that_look_alike(sim):
    """It is said what makes them differ."""

    class Text:
        def __repr__(self):
            return "'a'"

    await sim.docket.add(other, key="o")(Opaque())
    says(
        """
        other is scheduled, but with other arguments.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  other(item=<Opaque>)
          found     other(item=<Opaque>)   due now
                    item: expected <Opaque>, found <Opaque> (another object, and Opaque has no __eq__ to compare by)
                    key o, scheduled at LINE
          next due  other(item=<Opaque>) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(other, Opaque()),
    )
    await sim.docket.replace(other, sim.clock.now(), "o")("a")
    says(
        """
        other is scheduled, but with other arguments.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  other(item='a'), key 'o'
          found     other(item='a')   due now
                    item: expected 'a', found 'a' (of another type: expected test_messages.test_values_that_look_alike.<locals>.Text, found builtins.str)
                    key o, scheduled at LINE
          also      other(item=<Opaque>)   replaced at +0s, key o
          next due  other(item='a') now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(other, Text()),
        key="o",
    )


async def test_it_is_overdue(sim):
    """By as much as the clock was moved without anything being run."""
    await sim.docket.add(review, key="r")(1)
    sim.clock.jump(timedelta(hours=1))
    says(
        """
        review is scheduled, but for another time.

          now       2030-01-01 01:00:00Z   (+1h since the start)
          expected  due now         2030-01-01 01:00:00Z
          found     overdue by 1h   2030-01-01 00:00:00Z
                    key r, scheduled at LINE
          next due  review(order_id=1) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        review,
        due_in="0s",
    )


async def test_one_chain_where_several_are_expected(sim):
    """One is singular."""
    await charged(sim)
    says(
        """
        1 chain is charge → review, expected 3.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          found     charge(order_id=7) → review(order_id=7)
        """,
        sim.assert_chain,
        charge,
        review,
        times=3,
    )


async def test_a_graph_with_a_child_that_was_dropped(sim):
    """Two children are expected, and there is one."""
    await sim.docket.add(twice, key="t")()
    await sim.run_until_idle()
    says(
        """
        twice() did not schedule review (2 expected, 1 found).

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  twice → review, review
          found     twice()   completed at +0s, attempt 1
                    ├─ review(order_id=1)   at once, completed at +0s, attempt 1, LINE
                    └─ review(order_id=2)   dropped, its key 'same' was taken, LINE
          next due  nothing
        """,
        sim.assert_graph,
        {twice: [review, review]},
    )


async def test_a_graph_whose_parent_has_yet_to_begin(sim):
    """That it schedules nothing is not known yet."""
    await sim.docket.add(merge, key="m")()
    says(
        """
        merge() did not begin, so nobody knows what it schedules.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  merge → nothing
          found     merge()   due now
          next due  merge() now: sim.run_due() would run it
        """,
        sim.assert_graph,
        {merge: []},
    )


async def test_it_happened_outside_of_a_recording(sim):
    """That it did is said."""
    with sim.recording() as rec:
        await sim.docket.add(review, key="r")(1)
    await sim.run_due()
    says(
        """
        review ran, but not while it was recorded.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  review
          found     completed at +0s, attempt 1
                    key r, scheduled at LINE
          next due  nothing
        """,
        rec.assert_ran,
        review,
    )


async def test_nothing_happened_in_a_recording(sim):
    """Though something may have been scheduled before."""
    await charged(sim)
    with sim.recording() as rec:
        pass
    says(
        """
        review is not scheduled: nothing happened while it was recorded.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  review
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        rec.assert_scheduled,
        review,
    )
    says(
        """
        charge had no part in what was recorded.

          now       2030-01-01 00:00:03Z   (+3s since the start)
          expected  charge → review
          found     nothing happened while it was recorded
          next due  review(order_id=7) in 6d 23h 59m 57s: sim.run_next() would run it
        """,
        rec.assert_graph,
        {charge: [review]},
    )


async def test_variadic_arguments(sim):
    """What they collect is put in words one by one."""

    async def many(*numbers: int, **options: str) -> None: ...

    await sim.docket.add(many, key="m")(1, 2, a="x")
    says(
        """
        many is scheduled, but with other arguments.

          now       2030-01-01 00:00:00Z   (+0s since the start)
          expected  many(*numbers=(1, what the lambda (LINE) accepts), **options={'a': an instance of str})
          found     many(*numbers=(1, 2), **options={'a': 'x'})   due now
                    *numbers: expected (1, what the lambda (LINE) accepts), found (1, 2)
                    key m, scheduled at LINE
          next due  many(*numbers=(1, 2), **options={'a': 'x'}) now: sim.run_due() would run it
        """,
        sim.assert_scheduled,
        call(many, 1, lambda n: n > 2, a=str),
    )
