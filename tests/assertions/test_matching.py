"""What assertions match, and what they return."""

import asyncio
import math
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from unittest.mock import ANY

import pytest

from docket_sim import (
    CurrentDocket,
    Depends,
    Docket,
    Observed,
    Perpetual,
    Retry,
    Tally,
    UnknownTask,
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
    """It runs afterwards; what the superseded body has done was done, so that it ran, too."""

    async def slow(number: int):
        await asyncio.sleep(10)

    await sim.docket.add(slow, key="k")(1)
    await sim.run_due()
    await sim.docket.replace(slow, sim.clock.now(), "k")(2)
    assert sim.assert_scheduled(call(slow, 2)).status == "waiting"
    await sim.run_until_idle()
    assert [ran.arguments["number"] for ran in sim.assert_ran(slow, times=2)] == [1, 2]


@pytest.mark.docket(allow_pending=True)
async def test_a_call_has_no_more_arguments_than_it_is_written_with(sim, fails):
    """What was passed besides is named."""
    await sim.docket.add(pay)(7, 1.0, "a note", colour="red")
    fails("notes: expected no such argument", sim.assert_scheduled, call(pay, 7, 1.0))
    fails("extra: expected no such argument", sim.assert_scheduled, call(pay, 7, 1.0, "a note"))


@dataclass
class Mail:
    to: str


async def send(mail: Mail, urgent: bool = False) -> None: ...


async def job(n: int = 0) -> None: ...


@pytest.mark.docket(allow_pending=True)
async def test_a_predicate_that_raises_is_neither_a_yes_nor_a_no(sim, fails):
    """No assertion passes on account of it, and each says what it raised."""
    await sim.docket.add(send, key="k")(Mail("a"))
    to_a = any_call(send, mail=lambda mail: mail["to"] == "a")
    said = "'Mail' object is not subscriptable"
    fails(said, sim.assert_not_scheduled, to_a)
    fails(said, sim.assert_scheduled, to_a, times=0)
    fails(said, sim.assert_scheduled, to_a)
    fails("startswith first arg", sim.assert_not_scheduled, send, key=lambda key: key.startswith(1))
    fails("startswith first arg", sim.assert_scheduled, send, key=lambda key: key.startswith(1))
    fails(said, sim.assert_not_scheduled, send, by=None, key=lambda key: Mail(key)["to"])
    fails(said, sim.assert_chain, to_a, job, times=0)
    fails(said, sim.assert_graph, {to_a: []})


@pytest.mark.docket(allow_pending=True)
async def test_a_predicate_that_raises_does_not_matter_where_something_else_decides(sim):
    """A run that has another key is another one, whatever its arguments are."""
    await sim.docket.add(send, key="k")(Mail("a"))
    to_a = any_call(send, mail=lambda mail: mail["to"] == "a")
    sim.assert_not_scheduled(to_a, key="other")
    sim.assert_not_scheduled(any_call(send, mail=to_a.arguments["mail"], urgent=True))
    sim.assert_ran(to_a, times=0)


async def test_an_error_that_cannot_be_looked_at_is_told(sim, fails):
    """Whether it is the right one is not known."""
    await sim.docket.add(shaky)(9)
    await sim.run_until_idle()
    fails("no attribute 'code'", sim.assert_failed, shaky, error=lambda error: error.code == 3)
    fails(
        "no attribute 'code'",
        sim.assert_failed,
        shaky,
        error=lambda error: error.code == 3,
        times=0,
    )
    sim.assert_failed(shaky, error=(lambda error: error.code == 3, ConnectionError))


@pytest.mark.docket(allow_pending=True)
async def test_a_predicate_has_to_answer_at_once(sim):
    """A coroutine or a generator is true, whatever it would come to."""

    async def later(n):
        return n == 2

    def one_by_one(n):
        yield n == 2

    await sim.docket.add(job)(1)
    for predicate, kind in ((later, "coroutine"), (one_by_one, "generator")):
        for assertion in (sim.assert_scheduled, sim.assert_not_scheduled):
            with pytest.raises(TypeError, match=f"expected True or False, found a {kind}"):
                assertion(any_call(job, n=predicate))


async def test_two_children_in_a_graph_are_two_executions(sim, fails):
    """A call that was dropped since the key is taken has made no second one."""

    async def twice(docket: Docket = CurrentDocket()) -> None:
        for _ in range(2):
            await docket.add(job, key="same")()

    await sim.docket.add(twice)()
    await sim.run_until_idle()
    fails("twice() did not schedule job", sim.assert_graph, {twice: [job, job]})
    assert [len(runs) for runs in sim.assert_graph({twice: [job]}).values()] == [1, 1]


async def test_two_predicates_in_a_graph_are_two_patterns(sim, fails):
    """They are not asked about each other, even where they are written in one line."""
    await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    several = [any_call(part, number=lambda n: bool(n)), any_call(part, number=lambda n: n == 4)]
    fails("did not schedule", sim.assert_graph, {split: [part, *several]})


async def test_the_next_run_of_a_perpetual_has_the_arguments_that_it_was_given(sim, fails):
    """By `perpetuate`, as soon as it waits."""

    async def count(i: int = 0, perpetual: Perpetual = Perpetual(every=DAY)) -> None:
        perpetual.perpetuate(i + 1)

    await sim.docket.add(count, key="c")()
    await sim.run_due()
    assert sim.assert_scheduled(call(count, 1)).arguments == {"i": 1}
    sim.assert_not_scheduled(call(count, 0))
    sim.assert_ran(call(count, 0))


async def test_each_run_of_a_perpetual_may_have_scheduled_something(sim, fails):
    """In a chain, and in a graph, where the next run has yet to begin and does not count."""

    async def later(perpetual: Perpetual = Perpetual(every=DAY), docket=CurrentDocket()) -> None:
        if docket.now() > sim.clock.start:
            await docket.add(job)()

    await sim.docket.add(later, key="l")()
    await sim.run_for(3 * DAY)
    assert len(sim.assert_chain(later, job, times=3)) == 3
    fails("later() also scheduled job()", sim.assert_graph, {later: []})


async def test_a_chain_goes_through_a_later_run_of_a_perpetual(sim):
    """The link that is returned is the run that scheduled the next one."""

    async def start(docket=CurrentDocket()) -> None:
        await docket.add(daily, key="d")()

    async def daily(perpetual: Perpetual = Perpetual(every=DAY), docket=CurrentDocket()) -> None:
        if docket.now() == sim.clock.start + DAY:
            await docket.add(job)()

    await sim.docket.add(start)()
    await sim.run_for(3 * DAY)
    _, second, _ = sim.assert_chain(start, daily, job)
    assert second.started == (sim.clock.start + DAY,)


async def test_each_run_of_a_perpetual_has_children_of_its_own(sim):
    """All of them stand under the pattern."""

    async def daily(perpetual: Perpetual = Perpetual(every=DAY), docket=CurrentDocket()) -> None:
        await docket.add(job)()

    await sim.docket.add(daily, key="d")()
    await sim.run_for(2 * DAY)
    found = {one.name: runs for one, runs in sim.assert_graph({daily: [job]}).items()}
    assert (len(found["daily"]), len(found["job"])) == (3, 3)


async def test_a_recording_has_a_graph_of_what_happened_in_its_block(sim, fails):
    """What was scheduled before it is not in it."""
    await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    with sim.recording() as empty:
        pass
    fails("split had no part in what was recorded", empty.assert_graph, {split: [part] * 3})
    fails("split had no part in what was recorded", empty.assert_chain, split, part)
    await sim.docket.add(split, key="t")()
    with sim.recording() as rec:
        await sim.run_until_idle()
    rec.assert_graph({split: [part, part, part]})
    assert len(rec.assert_chain(split, part, times=3)) == 3


async def test_a_recording_has_of_a_long_body_what_it_did_in_the_block(sim):
    """What it had scheduled before is no part of it."""

    async def slow(docket: Docket = CurrentDocket()) -> None:
        await docket.add(pay)(1)
        await asyncio.sleep(60)
        await docket.add(remind)(1)

    await sim.docket.add(slow)()
    await sim.run_due()
    with sim.recording() as rec:
        await sim.run_until_idle()
    rec.assert_graph({slow: [remind]})
    sim.assert_graph({slow: [pay, remind]})


async def test_a_recording_has_the_retries_of_its_block(sim, fails):
    """Neither those that came after it, nor an execution that had been scheduled before it only."""
    with sim.recording() as before:
        await sim.docket.add(shaky, key="s")(2)
    with sim.recording() as rec:
        await sim.run_until_idle()
    with sim.recording() as after:
        pass
    assert rec.assert_retried(shaky, delays=["1s", "1s"], times=2).key == "s"
    fails("but not while it was recorded", before.assert_retried, shaky, delays=["1s", "1s"])
    fails("but not while it was recorded", before.assert_retried, shaky)
    fails("nothing happened while it was recorded", after.assert_retried, shaky)
    fails("nothing happened while it was recorded", after.assert_ran, shaky)


async def test_a_recording_has_what_came_to_wait_once_more(sim, fails):
    """A retry that waits since the block was scheduled by it, though the execution was not."""
    await sim.docket.add(shaky, key="s")(1)
    with sim.recording() as rec:
        await sim.run_due()
    assert rec.assert_scheduled(shaky, due_in="1s").attempt == 2
    fails("an execution is scheduled, expected nothing", rec.assert_nothing_scheduled)
    fails("is scheduled, expected that it is not", rec.assert_not_scheduled, shaky)
    await sim.run_until_idle()
    fails("did not run, and nothing else did", rec.assert_ran, job)


async def test_what_ran_after_a_recording_did_not_run_in_it(sim, fails):
    """Nor did it begin to schedule anything."""
    with sim.recording() as rec:
        await sim.docket.add(split, key="s")()
    await sim.run_until_idle()
    fails("split ran, but not while it was recorded", rec.assert_ran, split)
    fails("did not begin while it was recorded", rec.assert_graph, {split: [part] * 3})


async def test_a_name_that_no_task_has_is_refused(sim):
    """An assertion that something is not there would hold for ever."""
    sim.docket.register(job)
    for assertion in (
        lambda: sim.assert_not_scheduled("jbo"),
        lambda: sim.assert_ran("jbo", times=0),
        lambda: sim.assert_not_scheduled(job, by="jbo"),
        lambda: sim.assert_chain("jbo", job, times=0),
        lambda: sim.assert_graph({"jbo": []}),
    ):
        with pytest.raises(UnknownTask, match=r"knows no task 'jbo': did you mean job\?"):
            assertion()
    with pytest.raises(TypeError, match="job has no argument m: it has n"):
        sim.assert_not_scheduled(any_call("job", m=1))
    with pytest.raises(TypeError, match="n is never '1'"):
        sim.assert_not_scheduled(any_call("job", n="1"))
    sim.assert_not_scheduled(any_call("job", n=1))


async def test_what_can_be_no_execution_of_this_docket_is_refused(sim):
    """The namesake of a task, what is no task at all, and a value that no argument ever has."""
    sim.docket.register(job)

    def another():
        async def job() -> None: ...

        return job

    with pytest.raises(TypeError, match="is not the task of that name, which is job"):
        sim.assert_not_scheduled(another())
    with pytest.raises(
        TypeError, match="a task is a callable that returns an awaitable, found 'di"
    ):
        sim.assert_not_scheduled(dict)
    with pytest.raises(TypeError, match="n is never '1': as an argument, it would arrive as 1"):
        sim.assert_not_scheduled(call(job, "1"))
    with pytest.raises(TypeError, match=r"n is never 'one': .*n expects int, found str"):
        sim.assert_not_scheduled(any_call(job, n="one"))
    sim.assert_not_scheduled(call(pay, 7, amount=2))  # equal to 2.0, as which it would arrive
    sim.assert_not_scheduled(call(send, ANY))


@pytest.mark.docket(allow_pending=True)
async def test_a_tolerance_is_not_negative(sim):
    """Nothing would ever fit."""
    await sim.docket.add(order)(7)
    for assertion in (
        lambda: sim.assert_not_scheduled(order, due_in="0s", within=-SECOND),
        lambda: sim.assert_chain(order, pay, within=-SECOND, times=0),
    ):
        with pytest.raises(ValueError, match="a tolerance: expected 0 or more"):
            assertion()


async def test_a_number_is_no_gap(sim):
    """It has no unit."""
    with pytest.raises(TypeError, match="expected a timedelta or a text such as '2h', found 0"):
        sim.assert_chain(order, pay, gaps=[0])


@pytest.mark.docket(allow_pending=True)
async def test_what_has_not_run_has_not_been_spared_retries_or_children(sim, fails):
    """Nobody knows yet."""
    await sim.docket.add(shaky, key="s")(1)
    fails("was not retried: it is still waiting", sim.assert_retried, shaky, times=0)
    fails("was not retried: it is still waiting", sim.assert_retried, shaky, delays=[])
    fails("did not begin, so nobody knows what it schedules", sim.assert_graph, {shaky: []})
    await sim.run_due()
    fails("was retried once, expected no times", sim.assert_retried, shaky, times=0)
    await sim.docket.add(job)()
    await sim.run_until_idle()
    assert sim.assert_retried(job, times=0).delays == ()
    sim.assert_graph({shaky: [], job: []})


async def test_a_performed_attempt_has_scheduled_what_it_did(sim, fails):
    """It has no queue, but it is the parent of what it schedules."""
    performed = await sim.perform(order, 7)
    performed.result()
    assert sim.assert_scheduled(pay, by=order).key == "pay-7"
    assert sim.assert_scheduled(remind, by=call(order, 7)).key == "remind-7"
    fails("by order(order_id=7), attempt 1", sim.assert_scheduled, pay, by=None)
    await sim.run_until_idle()


async def test_what_is_performed_under_a_key_is_not_what_is_scheduled_under_it(sim):
    """Each is the parent of what it has scheduled itself."""
    await sim.docket.add(order, key="k")(8)
    await sim.perform(order, 7, key="k")
    await sim.run_until_idle()
    assert sim.assert_ran(pay, by=call(order, 7)).key == "pay-7"
    sim.assert_graph({order: [call(pay, 8), call(remind, 8)]})


async def many(*numbers: int, **options: str) -> None: ...


@pytest.mark.docket(allow_pending=True)
async def test_what_variadic_parameters_collect_is_looked_at_one_by_one(sim, fails):
    """By place, and by name."""
    await sim.docket.add(many)(1, 2, a="x", b="y")
    sim.assert_scheduled(call(many, 1, lambda n: n > 1, a="x", b=str))
    sim.assert_scheduled(any_call(many, a="x"))
    sim.assert_scheduled(any_call(many, numbers=(int, 2)))
    sim.assert_scheduled(any_call(many, numbers=ANY, options={"a": ANY, "b": "y"}))
    fails("numbers: expected (1, 3), found (1, 2)", sim.assert_scheduled, call(many, 1, 3, a="x"))
    fails("a: expected 'z', found 'x'", sim.assert_scheduled, any_call(many, a="z"))
    fails("c: expected 'x', found no such", sim.assert_scheduled, any_call(many, c="x"))
    fails("expected (1, what", sim.assert_scheduled, call(many, 1, lambda n: n > 2, a="x", b="y"))
    fails("is not sub", sim.assert_not_scheduled, any_call(many, numbers=(lambda n: n[0], 2)))


class Sender:
    """A task that is an instance."""

    async def __call__(self, n: int = 0) -> None: ...


async def test_a_task_without_a_name_of_its_own_goes_by_the_one_it_was_given(sim):
    """A partial, or an instance."""
    sender, eleven = Sender(), partial(job, n=11)
    sim.docket.register(sender, names=["sender"])
    sim.docket.register(eleven, names=["eleven"])
    stand_in = sim.override(eleven, body=lambda: None)
    await sim.docket.add(sender)(3)
    await sim.docket.add(eleven)()
    await sim.run_until_idle()
    assert (sim.assert_ran(call(sender, 3)).task, sim.assert_ran(eleven).task) == (
        "sender",
        "eleven",
    )
    assert (set(sim.docket.tasks), len(stand_in.calls)) == ({"sender", "eleven"}, 1)
    sim.assert_not_scheduled(any_call(sender, n=4))
    with pytest.raises(TypeError, match="has no __name__ to be registered under"):
        sim.assert_not_scheduled(Sender())


async def test_a_task_that_has_another_name_than_its_own_is_not_registered_twice(sim):
    """It is found by the function."""
    sim.docket.register(job, names=["shop.job"])
    await sim.docket.add(job)()
    await sim.run_until_idle()
    assert (sim.assert_ran(job).task, set(sim.docket.tasks)) == ("shop.job", {"shop.job"})


@pytest.mark.docket(allow_pending=True)
async def test_a_default_that_equals_nothing_fits_itself(sim):
    """As `nan`."""

    async def weigh(x: float = math.nan) -> None: ...

    await sim.docket.add(weigh)()
    sim.assert_scheduled(call(weigh))


async def test_what_a_dependency_raised_is_an_error_of_the_task(sim):
    """It arrives in a group, into which `error=` looks."""

    def get_db():
        raise OSError("no database")

    async def save(db=Depends(get_db)) -> None: ...

    await sim.docket.add(save)()
    await sim.run_until_idle()
    sim.assert_failed(save, error=OSError, match="no database")
