"""Scheduling: what `add` accepts, what it refuses, and when things run."""

import asyncio
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest
from guide_helpers import seconds, starts

from docket_sim import Depends, Docket, DocketError, Tally, UnknownTask, simulate


async def greet(name: str, punctuation: str = ".") -> str:
    return f"Hello, {name}{punctuation}"


async def test_a_call_runs_with_its_arguments_and_its_result_can_be_asked_for(sim):
    """`docket.add(task)(arguments)` schedules a call, and its handle gives the result."""
    execution = await sim.docket.add(greet, key="hello")("Ada", punctuation="!")

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "Hello, Ada!"


async def test_a_call_runs_at_the_time_it_is_scheduled_for(sim):
    """`when` is an instant; nothing happens before it."""
    await sim.docket.add(greet, when=sim.clock.now() + timedelta(hours=2))("Ada")

    assert await sim.run_for(timedelta(hours=1, minutes=59)) == Tally()
    assert await sim.run_for(timedelta(minutes=1)) == Tally(succeeded=1)
    assert starts(sim) == [timedelta(hours=2)]


async def test_a_time_in_the_past_means_now(sim):
    """What should have run yesterday runs at once."""
    await sim.docket.add(greet, when=sim.clock.now() - timedelta(days=1))("Ada")

    assert await sim.run_due() == Tally(succeeded=1)
    assert starts(sim) == seconds(0)


async def test_a_time_of_another_timezone_is_the_same_instant(sim):
    """Any aware datetime will do."""
    tokyo = timezone(timedelta(hours=9))
    when = (sim.clock.now() + timedelta(minutes=5)).astimezone(tokyo)
    await sim.docket.add(greet, when=when)("Ada")

    await sim.run_until_idle()
    assert starts(sim) == [timedelta(minutes=5)]


async def test_a_naive_time_is_refused_with_the_way_to_fix_it(sim):
    """A datetime without a timezone could mean any of two dozen instants."""
    with pytest.raises(ValueError, match=r"(?s)aware.*timezone\.utc|timezone\.utc.*aware"):
        await sim.docket.add(greet, when=datetime(2030, 1, 1, 12))("Ada")


async def test_a_default_key_is_a_uuid_that_carries_the_dockets_time(sim):
    """Keys that nobody chose are UUIDv7: they sort by the time of scheduling."""
    first = await sim.docket.add(greet, when=sim.clock.now() + timedelta(days=9))("Ada")
    await sim.run_for(timedelta(hours=1))
    second = await sim.docket.add(greet)("Bob")
    await sim.run_until_idle()

    for execution, hours in ((first, 0), (second, 1)):
        key = uuid.UUID(execution.key)
        instant = sim.clock.start + timedelta(hours=hours)
        assert (key.version, key.int >> 80) == (7, instant.timestamp() * 1000)
    assert first.key < second.key


def test_default_keys_come_from_the_dockets_entropy():
    """The same seed gives the same keys, so that a run can be repeated."""

    def key_under(seed: int) -> str:
        with simulate(seed=seed) as sim:
            execution = sim.run(sim.docket.add(greet)("Ada"))
            sim.run(sim.run_until_idle())
            return execution.key

    assert key_under(seed=1) == key_under(seed=1) != key_under(seed=2)


# Names.


async def test_a_registered_task_can_be_scheduled_by_its_name(sim):
    """Who schedules need not import what runs."""
    sim.docket.register(greet)

    execution = await sim.docket.add("greet")("Ada")

    await sim.run_until_idle()
    assert await execution.get_result() == "Hello, Ada."


async def test_an_unknown_name_is_refused_at_once_with_close_matches(sim):
    """A typing error is told where it was made."""
    sim.docket.register(greet)

    with pytest.raises(UnknownTask, match=r"'gret'.*did you mean greet"):
        sim.docket.add("gret")


async def test_two_functions_cannot_share_a_name(sim):
    """Registering one function twice changes nothing; a second function needs another name."""

    def another() -> object:
        async def greet(name: str) -> None: ...

        return greet

    sim.docket.register(greet)
    sim.docket.register(greet)

    with pytest.raises(ValueError, match=r"'greet' belongs to .*test_scheduling\.greet.*names="):
        sim.docket.register(another())
    sim.docket.register(another(), names=["greet_quietly"])
    assert set(sim.docket.tasks) == {"greet", "greet_quietly"}


async def test_a_plain_function_is_refused_with_the_way_out(sim):
    """A task must be awaitable, or it would block every other one."""

    def blocking(name: str) -> None: ...

    with pytest.raises(TypeError, match=r"(?s)'blocking'.*async def.*asyncio\.to_thread"):
        sim.docket.add(blocking)


# Arguments.


@pytest.mark.parametrize(
    ("args", "kwargs", "complaint"),
    [
        ((), {}, r"greet.*'name'"),
        (("Ada",), {"nmae": "Bob"}, r"greet.*'nmae'"),
        (("Ada", "!", "?"), {}, r"greet.*too many positional"),
        (("Ada",), {"name": "Bob"}, r"greet.*'name'"),
    ],
    ids=["missing", "misspelt", "too many", "twice"],
)
async def test_wrong_arguments_are_refused_where_they_are_passed(sim, args, kwargs, complaint):
    """The error names the task and the parameter; nothing is scheduled, nothing is awaited."""
    schedule = sim.docket.add(greet)

    with pytest.raises(TypeError, match=complaint):
        schedule(*args, **kwargs)
    assert (await sim.docket.snapshot()).total_tasks == 0


async def connect() -> str:
    raise AssertionError("the dependency was entered")


async def use(query: str, connection: str = Depends(connect)) -> str:
    return f"{query} on {connection}"


async def test_a_dependency_is_not_an_argument(sim):
    """A caller cannot fill it by accident, one position too far."""
    with pytest.raises(TypeError, match=r"use.*too many positional"):
        sim.docket.add(use)("select", "my connection")


async def test_a_dependency_may_be_given_by_keyword_and_is_then_never_entered(sim):
    """The given value is used in its place."""
    execution = await sim.docket.add(use)("select", connection="mine")

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "select on mine"


@dataclass
class Order:
    id: int
    placed: datetime


async def test_annotated_arguments_arrive_as_their_types(sim):
    """What travels is JSON; the signature says what it becomes again."""
    received: list[object] = []

    async def ship(order: Order, tags: set[str]) -> None:
        received.extend([order, tags])

    order = Order(7, sim.clock.now())
    await sim.docket.add(ship)(order, tags={"gift", "fragile"})
    await sim.run_until_idle()

    assert received == [order, {"gift", "fragile"}]


async def test_an_annotation_may_name_a_class_of_the_enclosing_function(sim):
    """Annotations in text are looked up in the function's closure, too."""

    @dataclass
    class Local:
        n: int

    received: list[object] = []

    async def take(value: "Local") -> None:
        received.append((value, Local))

    await sim.docket.add(take)(Local(1))
    await sim.run_until_idle()

    assert received == [(Local(1), Local)]


async def test_an_annotation_that_nothing_resolves_leaves_the_parameter_untyped(sim):
    """An untyped parameter carries what JSON carries."""
    received: list[object] = []

    async def take(value: "OnlyForTypeCheckers") -> None:  # noqa: F821
        received.append(value)

    await sim.docket.add(take)({"n": [1, 2.5, None, True, "x"]})
    await sim.run_until_idle()

    assert received == [{"n": [1, 2.5, None, True, "x"]}]


async def test_a_value_that_cannot_travel_is_refused_with_the_ways_out(sim):
    """The error names the parameter and the value's type, where it was passed."""

    async def take(value) -> None: ...

    with pytest.raises(TypeError, match=r"take.*value .*found object.*Annotate it.*pickle"):
        sim.docket.add(take)(object())


def test_a_docket_that_was_not_opened_says_so():
    """`async with Docket(...)` is how a docket is opened."""

    async def schedule() -> None:
        await Docket(url="memory://").add(greet)("Ada")

    with pytest.raises(DocketError, match=r"not open.*async with Docket"):
        asyncio.run(schedule())


@pytest.mark.docket(concurrency=5)
async def test_many_calls_due_at_once_run_at_once(sim):
    """A worker runs as many attempts at a time as its concurrency allows."""

    async def nap() -> None:
        await asyncio.sleep(1)

    for _ in range(10):
        await sim.docket.add(nap)()

    assert await sim.run_until_idle() == Tally(succeeded=10)
    assert starts(sim) == seconds(*[0] * 5, *[1] * 5)


async def test_the_arguments_are_not_forgotten(sim):
    """The second parentheses are easily missed; what Python itself says of that helps nobody."""
    with pytest.raises(TypeError, match=r"Expected await docket\.add\(greet\)\(\.\.\.\)"):
        await sim.docket.add(greet)
    with pytest.raises(TypeError, match=r"await docket\.replace\(greet\)\(\.\.\.\)"):
        await sim.docket.replace(greet, sim.clock.now(), "a")
    sim.assert_nothing_scheduled()


@pytest.mark.parametrize("arguments", [("ada",), (None, 7)])
async def test_arguments_do_not_go_with_the_task(sim, arguments):
    """As in other task systems: here, a due time and a key would be meant."""
    with pytest.raises(TypeError, match="must be a") as caught:
        sim.docket.add(greet, *arguments)
    assert "parentheses of their own: await docket.add(task, when=" in caught.value.__notes__[0]
