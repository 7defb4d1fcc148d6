"""What assertions match, and what they return."""

import asyncio
import warnings
from datetime import UTC, datetime, timedelta
from unittest.mock import ANY

import pytest

from docket_sim import (
    CurrentDocket,
    Docket,
    Observed,
    Perpetual,
    Retry,
    Tally,
    any_call,
    call,
    simulate,
)

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)

# What several executions do at one instant has the order of this store: another takes more turns.
one_order = pytest.mark.docket(store="memory")


async def pay(order_id: int, amount: float = 1.0, *notes: str, **extra: str) -> str:
    return "paid"


async def order(order_id: int, docket: Docket = CurrentDocket()) -> None:
    await docket.add(pay, key=f"pay-{order_id}")(order_id)
    await docket.add(remind, when=docket.now() + DAY, key=f"remind-{order_id}")(order_id)


async def remind(order_id: int) -> None: ...


async def shaky(times: int, retry: Retry = Retry(attempts=3, delay=SECOND)) -> None:
    if retry.attempt <= times:
        raise ConnectionError(f"503 in attempt {retry.attempt}")


async def part(number: int, docket: Docket = CurrentDocket()) -> None:
    await docket.add(merge, key="merge")()


async def split(docket: Docket = CurrentDocket()) -> None:
    for number in (1, 2, 3):
        await docket.add(part, key=f"part-{number}")(number)


async def merge() -> None: ...


@pytest.fixture
def fails():
    """The assertion fails, with some words in its message."""

    def check(words, assertion, *args, **filters):
        with pytest.raises(AssertionError) as caught:
            assertion(*args, **filters)
        assert words in str(caught.value)

    return check


@pytest.mark.docket(allow_pending=True)
async def test_a_call_is_the_same_however_its_arguments_are_spelled(sim, fails):
    """They are bound to the signature, defaults included."""
    await sim.docket.add(pay)(7, amount=2.5)
    sim.assert_scheduled(call(pay, 7, 2.5))
    sim.assert_scheduled(call(pay, order_id=7, amount=2.5))
    fails("amount: expected 1.0, found 2.5", sim.assert_scheduled, call(pay, 7))
    fails("notes: expected ('x',), found no such", sim.assert_scheduled, call(pay, 7, 2.5, "x"))


@pytest.mark.docket(allow_pending=True)
async def test_variadic_arguments_are_compared_too(sim, fails):
    """Under the names of their parameters."""
    await sim.docket.add(pay)(7, 1.0, "a", "b", colour="red")
    sim.assert_scheduled(call(pay, 7, 1.0, "a", "b", colour="red"))
    sim.assert_scheduled(any_call(pay, notes=("a", "b")))
    fails("other arguments", sim.assert_scheduled, call(pay, 7, 1.0, "a", "b", colour="blue"))


@pytest.mark.docket(allow_pending=True)
async def test_any_call_compares_what_is_named_only(sim):
    """And a bare task, or its name, is any call of it."""
    await sim.docket.add(pay)(7, amount=2.5)
    for what in (any_call(pay, amount=2.5), any_call(pay), pay, "pay", any_call("pay", amount=2.5)):
        assert sim.assert_scheduled(what).arguments == {"order_id": 7, "amount": 2.5}


@pytest.mark.docket(allow_pending=True)
@pytest.mark.parametrize(
    "amount",
    [2.5, ANY, pytest.approx(2.4999, abs=0.01), float, lambda amount: amount > 2],
    ids=["a value", "ANY", "approx", "a class", "a predicate"],
)
async def test_a_value_may_be_anything_that_can_tell_whether_it_fits(sim, amount):
    """An object with an == of its own, a class, or a function that is asked."""
    await sim.docket.add(pay)(7, amount=2.5)
    sim.assert_scheduled(any_call(pay, order_id=7, amount=amount))
    sim.assert_scheduled(call(pay, 7, amount))


async def test_writing_a_call_runs_nothing(sim):
    """And leaves no coroutine behind; one that was made by mistake is closed, and refused."""
    sim.assert_not_scheduled(call(pay, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"pay\(\.\.\.\) makes a coroutine; write call\(pay"):
            sim.assert_not_scheduled(pay(7))


def test_a_call_that_cannot_be_made_is_refused_where_it_is_written():
    """As the task itself would refuse it, with a close match for a name."""
    with pytest.raises(TypeError, match="missing a required argument: 'order_id'"):
        call(pay)
    with pytest.raises(TypeError, match="no argument order_di: did you mean order_id"):
        any_call(remind, order_di=7)
    with simulate() as sim, pytest.raises(TypeError, match="expected a task, its name, or call"):
        sim.assert_ran(7)


@pytest.mark.docket(allow_pending=True)
async def test_filters_for_keys_and_times(sim, fails):
    """Times are exact unless `within=` gives them some play."""
    when = sim.clock.now() + DAY
    await sim.docket.add(remind, when=when, key="remind-7")(7)
    for filters in (
        {"key": "remind-7"},
        {"key": lambda key: key.startswith("remind-")},
        {"due_in": DAY},
        {"due_in": "1d"},
        {"when": when},
        {"when": "+1d"},
        {"when": datetime(2030, 1, 2, tzinfo=UTC)},
        {"due_in": "23h 30m", "within": "30m"},
        {"by": None},
    ):
        assert sim.assert_scheduled(remind, **filters).when == when
    fails("for another time", sim.assert_scheduled, remind, due_in="23h 59m 59s")
    sim.assert_not_scheduled(remind, key="remind-8")
    sim.assert_not_scheduled(remind, due_in="2d")
    with pytest.raises(TypeError, match="when= or due_in=, not both"):
        sim.assert_scheduled(remind, when=when, due_in=DAY)


async def test_what_is_scheduled_is_what_waits(sim, fails):
    """For its time, a worker, or its next attempt; what runs or has ended is not."""
    await sim.docket.add(shaky, key="s")(1)
    assert sim.assert_scheduled(shaky).attempt == 1
    await sim.run_due()
    waiting = sim.assert_scheduled(call(shaky, 1), due_in=SECOND)
    assert (waiting.attempt, waiting.status, waiting.delays) == (2, "waiting", (SECOND,))
    await sim.run_until_idle()
    fails("it already ran", sim.assert_scheduled, shaky)
    sim.assert_nothing_scheduled()


async def test_what_ran_is_returned_with_its_history(sim):
    """An `Observed`: when its attempts began, and how long after each failure the next was due."""
    await sim.docket.add(shaky, key="s")(2)
    await sim.run_until_idle()
    ran = sim.assert_ran(call(shaky, 2), when="+2s", key="s", by=None)
    assert isinstance(ran, Observed)
    assert (ran.task, ran.call, ran.attempt, ran.error) == ("shaky", "shaky(times=2)", 3, None)
    assert ran.started == tuple(sim.clock.start + n * SECOND for n in range(3))
    assert sim.assert_retried(shaky, delays=["1s", "1s"], times=2).delays == (SECOND, SECOND)


async def test_each_run_of_a_perpetual_counts(sim):
    """And its next run is scheduled."""

    async def tick(perpetual: Perpetual = Perpetual(every=DAY)): ...

    await sim.docket.add(tick, key="tick")()
    await sim.run_for(2 * DAY)
    runs = sim.assert_ran(tick, times=3)
    assert [run.started for run in runs] == [(sim.clock.start + n * DAY,) for n in range(3)]
    sim.assert_scheduled(tick, due_in=DAY)


async def test_a_failure_that_was_asserted_is_acknowledged(sim, fails):
    """By class, by one of several, by text, or by a predicate."""
    await sim.docket.add(shaky, key="s")(9)
    assert await sim.run_until_idle() == Tally(failed=1, retried=2)
    fails("with another error", sim.assert_failed, shaky, error=KeyError)
    fails("with another error", sim.assert_failed, shaky, match="504")
    for error in (ConnectionError, (KeyError, OSError), lambda error: "503" in str(error), None):
        assert sim.assert_failed(shaky, error=error, match=r"attempt \d").attempt == 3
    assert sim.failures == []


async def test_times_says_how_many_and_gives_them_all(sim, fails):
    """Zero is a number, too."""
    for number in (1, 2, 3):
        await sim.docket.add(remind)(number)
    found = sim.assert_scheduled(remind, times=3)
    assert [one.arguments["order_id"] for one in found] == [1, 2, 3]
    fails("remind is scheduled 3 times, expected twice", sim.assert_scheduled, remind, times=2)
    assert sim.assert_scheduled(pay, times=0) == []
    with pytest.raises(ValueError, match="counts matches"):
        sim.assert_scheduled(remind, times=-1)


async def test_a_chain_is_who_scheduled_whom(sim, fails):
    """With the gaps between the moment when each was scheduled and its due time."""
    await sim.docket.add(order, key="order-7")(7)
    await sim.run_due()
    first, second = sim.assert_chain(call(order, 7), call(remind, 7), gaps=[DAY])
    assert (first.key, second.key) == ("order-7", "remind-7")
    sim.assert_chain(order, pay, gaps=["0s"])
    sim.assert_chain(order, remind, gaps=["23h"], within="1h")
    sim.assert_chain(order, remind, gaps=[lambda gap: gap > SECOND])
    sim.assert_chain(order, remind, gaps=[None])
    with pytest.raises(TypeError, match="a chain of 2 calls has 1 gaps, found 2"):
        sim.assert_chain(order, remind, gaps=[DAY, DAY])
    with pytest.raises(TypeError, match="two calls or more"):
        sim.assert_chain(order)
    await sim.run_until_idle()
    assert len(sim.assert_chain(order, remind, times=1)) == 1


@one_order
async def test_a_graph_compares_fan_out_and_fan_in(sim, fails):
    """What several parents list is one execution, whoever of them was the first to ask for it."""
    await sim.docket.add(split, key="split")()
    await sim.run_until_idle()
    found = sim.assert_graph({split: [part, part, part], part: [merge], merge: []})
    assert {pattern.name: len(runs) for pattern, runs in found.items()} == {
        "split": 1,
        "part": 3,
        "merge": 1,
    }
    sim.assert_graph({split: [call(part, 3), call(part, 1), call(part, 2)]})
    fails("also scheduled part(number=3)", sim.assert_graph, {split: [part, part]})
    fails("did not schedule part", sim.assert_graph, {split: [part] * 4})
    fails("did not schedule split", sim.assert_graph, {part: [merge, split]})


async def test_executions_of_their_own_are_not_one_that_is_shared(sim, fails):
    """Each parent has asked for another one."""

    async def merge_alone(docket: Docket = CurrentDocket()) -> None:
        await docket.add(merge)()

    async def twice(docket: Docket = CurrentDocket()) -> None:
        await docket.add(merge_alone)()
        await docket.add(merge_alone)()

    await sim.docket.add(twice)()
    await sim.run_until_idle()
    fails(
        "was to be one execution that its parents share, found 2",
        sim.assert_graph,
        {
            twice: [merge_alone, merge_alone],
            merge_alone: [merge],
        },
    )


async def test_a_recording_knows_what_happened_while_its_block_ran(sim, fails):
    """What was scheduled or ended before or after it is no matter of the recording."""
    await sim.docket.add(order, key="before")(1)
    await sim.run_due()
    with sim.recording() as rec:
        await sim.docket.add(order, key="within")(2)
        await sim.run_due()
    await sim.docket.add(order, key="after")(3)
    await sim.run_due()

    assert rec.assert_ran(order).key == "within"
    assert rec.assert_scheduled(remind, by=order).arguments == {"order_id": 2}
    rec.assert_chain(order, pay)
    fails("with other arguments", rec.assert_ran, call(order, 1))
    rec.assert_not_scheduled(call(remind, 3))
    assert len(sim.assert_scheduled(remind, times=3)) == 3
    assert {event.call.key for event in rec.events} == {"within", "pay-2", "remind-2"}


async def test_a_key_that_was_used_again_stands_for_two_executions(sim):
    """What became of the first is not forgotten."""
    for number in (1, 2):
        await sim.docket.add(remind, key="k")(number)
        await sim.run_due()
    first, second = sim.assert_ran(remind, key="k", times=2)
    assert (first.arguments, second.arguments) == ({"order_id": 1}, {"order_id": 2})


async def test_what_a_running_body_was_replaced_by_waits(sim):
    """The superseded run counts as replaced, and its replacement as scheduled."""

    async def slow(number: int):
        await asyncio.sleep(10)

    await sim.docket.add(slow, key="k")(1)
    await sim.run_due()
    await sim.docket.replace(slow, sim.clock.now(), "k")(2)
    assert sim.assert_scheduled(call(slow, 2)).status == "waiting"
    await sim.run_until_idle()
    assert sim.assert_ran(slow).arguments == {"number": 2}


@pytest.mark.docket(allow_pending=True)
async def test_a_call_has_no_more_arguments_than_it_is_written_with(sim, fails):
    """What was passed besides is named."""
    await sim.docket.add(pay)(7, 1.0, "a note", colour="red")
    fails("notes: expected no such argument", sim.assert_scheduled, call(pay, 7, 1.0))
    fails("extra: expected no such argument", sim.assert_scheduled, call(pay, 7, 1.0, "a note"))
