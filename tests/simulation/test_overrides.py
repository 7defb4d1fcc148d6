"""Overrides where they meet: wrappers, shared instances, annotations, workers, and misuse."""

import asyncio
import functools
import re
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated
from unittest.mock import AsyncMock

import pytest

from docket_sim import (
    CurrentExecution,
    Dependency,
    Depends,
    Docket,
    Execution,
    ExponentialRetry,
    Perpetual,
    Retry,
    Shared,
    Tally,
    TaskArgument,
    Timeout,
    UnusedOverride,
    Worker,
    simulate,
)

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
trace = []


@pytest.fixture(autouse=True)
def _nothing_happened():
    trace.clear()


def get_settings():
    return "settings"


def get_db(settings=Depends(get_settings)):
    return f"db({settings})"


def get_repository(db=Depends(get_db)):
    return f"repository({db})"


async def save(order_id: int, repository=Depends(get_repository)):
    """Depends on settings at depth three."""
    trace.append(repository)


async def charge(order_id: int, note: str = "none", db=Depends(get_db)):
    """What the tests put fakes in the place of."""
    trace.append((order_id, note, db))
    return order_id


async def shaky():
    """Always fails, and has no policy."""
    trace.append("ran")
    raise ConnectionError


async def run(sim, task, *args, **kwargs):
    await sim.docket.add(task)(*args, **kwargs)
    return await sim.run_until_idle()


async def test_a_value_at_depth_two_leaves_what_is_above_it_real(sim):
    """And what lies below it is not made at all."""
    sim.override(get_db, value="fake")
    sim.override(get_settings, value="never asked", unused_ok=True)
    assert await run(sim, save, 7) == Tally(succeeded=1)
    assert trace == ["repository(fake)"]


async def test_none_is_a_value(sim):
    """A value may be anything, also what means nothing elsewhere."""
    sim.override(get_db, value=None)
    await run(sim, save, 7)
    assert trace == ["repository(None)"]


async def test_a_factory_at_depth_three_sees_the_attempt(sim):
    """The arguments of the task, and its execution."""

    def fake(order_id=TaskArgument(), execution: Execution = CurrentExecution()):
        return f"{order_id} of {execution.key}"

    sim.override(get_settings, fake)
    await sim.docket.add(save, key="k")(7)
    await sim.run_until_idle()
    assert trace == ["repository(db(7 of k))"]


async def test_a_factory_may_be_a_coroutine_function(sim):
    """Though what it stands in for is a plain one."""

    async def fake():
        await asyncio.sleep(1)
        return "awaited"

    sim.override(get_db, fake)
    await run(sim, save, 7)
    assert (trace, sim.clock.elapsed) == (["repository(awaited)"], SECOND)


async def test_a_wrapper_gets_the_real_thing_with_all_that_stands_below_it(sim):
    """The real database, on the settings that stand in."""

    def wrapper(db=Depends(get_db)):
        return f"wrapped {db}"

    sim.override(get_db, wrapper)
    sim.override(get_settings, value="fake")
    await run(sim, save, 7)
    assert trace == ["repository(wrapped db(fake))"]


async def test_a_wrapper_gets_the_value_that_was_in_place_before(sim):
    """Of two, the newer one wraps the older one; and then the older one counts again."""

    def wrapper(db=Depends(get_db)):
        return f"wrapped {db}"

    sim.override(get_db, value="older")
    with sim.override(get_db, wrapper):
        await run(sim, save, 7)
    await run(sim, save, 7)
    assert trace == ["repository(wrapped older)", "repository(older)"]


async def test_two_that_stand_in_may_ask_for_each_others_targets(sim):
    """It is no cycle: each gets the real one of what it stands in for."""

    def one():
        return "one"

    def two():
        return "two"

    def fake_one(two=Depends(two)):
        return f"fake one on {two}"

    def fake_two(one=Depends(one)):
        return f"fake two on {one}"

    async def task(one=Depends(one)):
        trace.append(one)

    sim.override(one, fake_one)
    sim.override(two, fake_two)
    await run(sim, task)
    assert trace == ["fake one on fake two on one"]


async def test_what_is_made_for_a_stand_in_is_not_handed_to_the_task(sim):
    """Settings made from the real database; the task's own database has the new settings."""

    def fake_settings(db=Depends(get_db)):
        return f"settings from {db}"

    async def task(settings=Depends(get_settings), db=Depends(get_db)):
        trace.append((settings, db))

    sim.override(get_settings, fake_settings)
    await run(sim, task)
    assert trace == [("settings from db(settings)", "db(settings from db(settings))")]


async def test_a_wrapper_may_reach_the_real_thing_through_another(sim):
    """The database is made of the repository, which in there is on the real database."""

    def fake_db(repository=Depends(get_repository)):
        return f"db of {repository}"

    sim.override(get_db, fake_db)
    await run(sim, save, 7)
    assert trace == ["repository(db of repository(db(settings)))"]


async def test_generators_that_stand_in_see_what_the_body_raised(sim):
    """As real ones do."""

    async def fake():
        try:
            yield "fake"
        except ConnectionError:
            trace.append("rolled back")
            raise

    async def task(db=Depends(get_db)):
        raise ConnectionError

    sim.override(get_db, fake)
    assert await run(sim, task) == Tally(failed=1)
    sim.acknowledge_failures()
    assert trace == ["rolled back"]


async def test_one_instance_for_each_attempt(sim):
    """Both parameters get it; the retry gets another one."""
    made = []

    def fake():
        made.append(object())
        return made[-1]

    async def task(
        one=Depends(get_db),
        two=Depends(get_db),
        retry: Retry = Retry(attempts=2),
    ):
        trace.append(one is two is made[-1])
        if retry.attempt == 1:
            raise ConnectionError

    stand_in = sim.override(get_db, fake)
    assert await run(sim, task) == Tally(succeeded=1, retried=1)
    assert (trace, len(made), stand_in.uses) == ([True, True], 2, 2)


async def test_a_context_manager_given_as_a_value_is_not_entered(sim):
    """Who gives a value keeps it."""

    @asynccontextmanager
    async def never():
        trace.append("entered")
        yield

    manager = never()
    sim.override(get_db, value=manager)
    seen = []

    async def task(db=Depends(get_db)):
        seen.append(db)

    await run(sim, task)
    assert (seen, trace) == ([manager], [])


async def test_a_function_given_as_a_value_is_not_called(sim):
    """Nor is a class made an instance of."""
    sim.override(get_db, value=get_settings)

    async def task(db=Depends(get_db)):
        trace.append(db)

    await run(sim, task)
    assert trace == [get_settings]


async def test_bindings_without_a_parameter_are_dropped_and_leave_one_instance(sim):
    """Two connections are one, where the fake cannot tell them apart."""

    def connect(host, port=1):
        raise AssertionError

    def fake(port=0):
        trace.append(port)
        return object()

    async def task(
        one=Depends(connect, host="a"),
        two=Depends(connect, host="b"),
        three=Depends(connect, host="a", port=3),
    ):
        trace.append((one is two, one is three))

    sim.override(connect, fake)
    await run(sim, task)
    assert trace == [0, 3, (True, False)]


async def test_a_dependency_among_the_bindings_is_overridden(sim):
    """It is resolved first, and handed to the factory."""

    def connect(settings):
        return f"connected by {settings}"

    async def task(db=Depends(connect, settings=Depends(get_settings))):
        trace.append(db)

    sim.override(get_settings, value="fake")
    await run(sim, task)
    assert trace == ["connected by fake"]


async def test_a_dependency_in_an_annotation_is_overridden(sim):
    """`Annotated[..., Depends(...)]`, below which all is real."""

    async def task(repository: Annotated[str, Depends(get_repository)]):
        trace.append(repository)

    sim.override(get_db, value="fake")
    await run(sim, task)
    assert trace == ["repository(fake)"]


class Tenant(Dependency[str]):
    """A dependency of one's own."""

    async def __aenter__(self):
        trace.append("entered")
        return "real tenant"


async def test_a_class_of_dependencies_is_overridden_by_the_class(sim):
    """Every instance of it, and at any depth; none is entered."""

    def greeting(tenant=Tenant()):
        return f"hello {tenant}"

    async def task(greeting=Depends(greeting), tenant=Tenant()):
        trace.append((greeting, tenant))

    sim.override(Tenant, value="fake")
    await run(sim, task)
    assert trace == [("hello fake", "fake")]


async def test_a_class_is_overridden_by_a_factory_that_asks_for_the_real_one(sim):
    """An instance of the class, as a default."""

    def wrapper(tenant=Tenant()):
        return f"wrapped {tenant}"

    async def task(tenant=Tenant()):
        trace.append(tenant)

    sim.override(Tenant, wrapper)
    await run(sim, task)
    assert trace == ["entered", "wrapped real tenant"]


async def test_a_class_that_annotates_an_argument_is_overridden_too(sim):
    """It is not entered, and the argument is what the caller gave."""

    async def task(order_id: Annotated[int, Tenant()]):
        trace.append(order_id)

    sim.override(Tenant, value="fake")
    await run(sim, task, 7)
    assert trace == [7]


def test_shared_instances_under_overrides_are_torn_down_the_last_made_first():
    """Each is an instance of its own; a value is not torn down, since nothing was made."""

    async def pool(settings=Depends(get_settings)):
        trace.append(f"+{settings}")
        yield settings
        trace.append(f"-{settings}")

    async def fake_pool():
        trace.append("+fake")
        yield "fake"
        trace.append("-fake")

    async def task(pool=Shared(pool)):
        trace.append(pool)

    with simulate() as sim:
        with sim.override(get_settings, value="other"):
            sim.run(run(sim, task))
        with sim.override(pool, fake_pool):
            sim.run(run(sim, task))
        with sim.override(pool, value="value"):
            sim.run(run(sim, task))
        sim.run(run(sim, task))
    made = ["+other", "other", "+fake", "fake", "value", "+settings", "settings"]
    assert trace == [*made, "-settings", "-fake", "-other"]


async def test_the_real_shared_instance_comes_back_after_an_override_inside_another(sim):
    """Shared in shared: what has nothing to do with the override stays as it is."""
    made = []

    def pool():
        made.append("pool")
        return object()

    def client(pool=Shared(pool), settings=Depends(get_settings)):
        made.append(settings)
        return settings

    async def task(client=Shared(client)):
        trace.append(client)

    await run(sim, task)
    with sim.override(get_settings, value="fake"):
        await run(sim, task)
    await run(sim, task)
    assert trace == ["settings", "fake", "settings"]
    assert made == ["pool", "settings", "fake"]


async def test_an_override_deep_inside_nested_shared_instances_counts(sim):
    """Both are made anew, once."""
    made = []

    def pool(settings=Depends(get_settings)):
        made.append(settings)
        return settings

    async def task(client=Shared(lambda pool=Shared(pool): f"client({pool})")):
        trace.append(client)

    await run(sim, task)
    with sim.override(get_settings, value="fake"):
        await run(sim, task)
        await run(sim, task)
    await run(sim, task)
    real, fake = "client(settings)", "client(fake)"
    assert (trace, made) == ([real, fake, fake, real], ["settings", "fake"])


async def test_what_stands_in_for_a_shared_one_cannot_need_the_attempt(sim):
    """As no shared factory can; a registered task says so where the override is made."""

    async def task(order_id: int, pool=Shared(get_settings)):
        trace.append(pool)

    def fake(order_id=TaskArgument()): ...

    sim.docket.register(task)
    with pytest.raises(ValueError, match="a Shared factory outlives the attempt"):
        sim.override(get_settings, fake)
    await run(sim, task, 7)
    assert trace == ["settings"]


def announce(settings=Depends(get_settings)):
    trace.append(settings)


@pytest.mark.docket(dependencies=[Depends(announce)])
async def test_what_lies_below_a_dependency_of_the_worker_is_overridden(sim):
    """It is resolved for every task, and so the override is used by every task."""

    async def task(): ...

    stand_in = sim.override(get_settings, value="fake")
    await run(sim, task)
    await run(sim, task)
    assert (trace, stand_in.uses) == (["fake", "fake"], 2)


async def test_blocks_nest_and_restore_what_was_before(sim):
    """Also through an exception, which is not covered up by an unused override."""
    with sim.override(get_db, value="outer"):
        with pytest.raises(LookupError), sim.override(get_db, value="inner"):
            raise LookupError
        await run(sim, save, 7)
    await run(sim, save, 7)
    assert trace == ["repository(outer)", "repository(db(settings))"]


async def test_restoring_twice_is_once(sim):
    """And what was made meanwhile stays."""
    first = sim.override(get_db, value="first", unused_ok=True)
    first.restore()
    second = sim.override(get_db, value="second")
    first.restore()
    await run(sim, save, 7)
    assert (trace, second.uses) == (["repository(second)"], 1)


async def test_a_running_attempt_keeps_what_it_began_with(sim):
    """The next one sees the change."""

    async def slow(db=Depends(get_db)):
        await asyncio.sleep(60)
        trace.append(db)

    stand_in = sim.override(get_db, value="fake")
    await sim.docket.add(slow)()
    await sim.run_due()
    stand_in.restore()
    await sim.run_until_idle()
    await run(sim, slow)
    assert trace == ["fake", "db(settings)"]


async def test_a_retry_for_a_task_that_has_none(sim):
    """Until the block ends."""
    with sim.override(shaky, retry=Retry(attempts=3, delay=SECOND)):
        assert await run(sim, shaky) == Tally(failed=1, retried=2)
    assert sim.clock.elapsed == 2 * SECOND
    assert await run(sim, shaky) == Tally(failed=1)
    sim.acknowledge_failures()


async def test_a_retry_of_another_kind_takes_the_place_of_the_tasks(sim):
    """One of a kind: an exponential one in place of a plain one."""

    async def task(retry: Retry = Retry(attempts=9)):
        trace.append(type(retry))
        raise ConnectionError

    sim.override(task, retry=ExponentialRetry(attempts=3, minimum_delay=SECOND))
    assert await run(sim, task) == Tally(failed=1, retried=2)
    sim.acknowledge_failures()
    assert (trace, sim.clock.elapsed) == ([ExponentialRetry] * 3, 3 * SECOND)


async def test_a_timeout_for_a_task_that_has_none(sim):
    """It ends the body at its time."""

    async def slow():
        await asyncio.sleep(60)

    with sim.override(slow, timeout=Timeout(SECOND)):
        assert await run(sim, slow) == Tally(failed=1, timed_out=1)
    sim.acknowledge_failures()
    assert sim.clock.elapsed == SECOND
    assert await run(sim, slow) == Tally(succeeded=1)


async def test_a_perpetual_for_a_task_that_has_none(sim):
    """It comes back for as long as the override is in place."""

    async def once():
        trace.append(sim.clock.elapsed)

    await sim.docket.add(once, key="once")()
    with sim.override(once, perpetual=Perpetual(every=HOUR)):
        assert await sim.run_for("90m") == Tally(succeeded=2)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert trace == [timedelta(0), HOUR, 2 * HOUR]


@pytest.mark.docket(dependencies=[Timeout(SECOND), Retry(attempts=2)])
async def test_only_the_policy_that_is_named_takes_the_place_of_the_workers(sim):
    """The worker's retry stays; and another task keeps both."""

    async def slow():
        await asyncio.sleep(10)

    async def other():
        await asyncio.sleep(10)

    sim.override(slow, timeout=Timeout(5 * SECOND))
    assert await run(sim, slow) == Tally(failed=1, retried=1, timed_out=2)
    assert sim.clock.elapsed == 10 * SECOND
    assert await run(sim, other) == Tally(failed=1, retried=1, timed_out=2)
    assert sim.clock.elapsed == 12 * SECOND
    sim.acknowledge_failures()


async def test_the_newest_policy_counts_and_the_one_below_it_is_not_used(sim):
    """So that the older one, were it not for the newer, would be reported."""
    older = sim.override(shaky, retry=Retry(attempts=5), unused_ok=True)
    newer = sim.override(shaky, retry=Retry(attempts=2))
    assert await run(sim, shaky) == Tally(failed=1, retried=1)
    sim.acknowledge_failures()
    assert (older.uses, newer.uses) == (0, 2)


async def test_body_and_policies_are_overridden_in_one_go(sim):
    """The fake is retried as the override says; each attempt was served once."""

    async def fails():
        raise ConnectionError

    stand_in = sim.override(shaky, body=fails, retry=Retry(attempts=2), timeout=Timeout(SECOND))
    assert await run(sim, shaky) == Tally(failed=1, retried=1)
    sim.acknowledge_failures()
    assert (trace, [one.attempt for one in stand_in.calls]) == ([], [1, 2])


async def test_a_fake_with_fewer_parameters_gets_only_those(sim):
    """By name; dependencies are parameters, too."""
    sim.override(charge, body=lambda db: trace.append(db))
    await run(sim, charge, 7)
    assert trace == ["db(settings)"]


async def test_a_fake_without_parameters_is_called_without_arguments(sim):
    """And the call is recorded all the same, with the defaults of the task."""
    stand_in = sim.override(charge, body=lambda: 42)
    execution = await sim.docket.add(charge, key="k")(7)
    await sim.run_until_idle()
    assert await execution.get_result() == 42
    (one,) = stand_in.calls
    assert one.arguments == {"order_id": 7, "note": "none"}
    assert (one.key, one.attempt, one.at) == ("k", 1, sim.clock.start)


async def test_a_fake_that_takes_everything_by_name_gets_everything(sim):
    """Dependencies included."""
    sim.override(charge, body=lambda **given: trace.append(given))
    await run(sim, charge, 7, note="gift")
    assert trace == [{"order_id": 7, "note": "gift", "db": "db(settings)"}]


async def test_a_fake_is_called_with_the_defaults_of_the_task(sim):
    """Where the caller leaves an argument out that the fake has no default for."""
    sim.override(charge, body=lambda order_id, note: trace.append((order_id, note)))
    sim.allow_failures = True
    await run(sim, charge, 7)
    assert trace == [(7, "none")]


async def test_a_fake_may_have_defaults_of_its_own(sim):
    """For what the task does not have."""
    sim.override(charge, body=lambda order_id, extra="own": trace.append((order_id, extra)))
    await run(sim, charge, 7)
    assert trace == [(7, "own")]


async def test_a_mock_may_stand_in_and_say_what_each_call_comes_to(sim):
    """It is handed what a call of the real body would be."""
    mock = AsyncMock(side_effect=[ConnectionError, "charged"])
    sim.override(charge, body=mock, retry=Retry(attempts=2))
    execution = await sim.docket.add(charge)(7)
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert await execution.get_result() == "charged"
    assert mock.await_count == 2
    mock.assert_awaited_with(order_id=7, db="db(settings)")


async def test_a_fake_that_needs_what_the_task_lacks_is_refused(sim):
    """At once, and the real body stays."""
    with pytest.raises(TypeError) as caught:
        sim.override(charge, body=lambda customer: customer)
    assert re.sub(r"lambda at \S+", "LAMBDA", str(caught.value)) == (
        "body=LAMBDA needs customer, which charge does not have; it has order_id, note, db"
    )
    await run(sim, charge, 7)
    assert trace == [(7, "none", "db(settings)")]


@pytest.mark.docket(tasks=[charge])
async def test_a_task_is_overridden_by_its_name(sim):
    """As it is scheduled by its name."""
    stand_in = sim.override("charge", body=lambda order_id: order_id + 1)
    execution = await sim.docket.add("charge")(7)
    await sim.run_until_idle()
    assert (await execution.get_result(), len(stand_in.calls)) == (8, 1)


def test_an_unused_override_is_reported_at_the_end_of_the_world_in_these_words():
    """Each with the line that made it, and with why it was not used."""

    async def task(db=Depends(get_db)): ...

    def put_in_place(sim):
        sim.override(get_db, value=1)
        sim.override(task, retry=Retry(attempts=2))
        sim.override(task, body=lambda: None)

    refused = pytest.raises(UnusedOverride)
    with refused as caught, simulate(tasks=[task]) as sim:
        put_in_place(sim)
    said = re.sub(r"test_overrides\.py:\d+", "LINE", str(caught.value))
    assert said == (
        "overrides were never used:\n"
        "  sim.override(get_db, value=1) at LINE: "
        "task would use it, but no attempt that needed it began meanwhile\n"
        "  sim.override(task, retry=Retry(attempts=2, delay=0:00:00)) at LINE: "
        "task had no attempt that it concerns while it was in place\n"
        "  sim.override(task, body=lambda at LINE) at LINE: "
        "task had no attempt that it concerns while it was in place\n"
        "Take it away, or say unused_ok=True where it may stay unused."
    )


async def test_an_override_of_which_a_part_was_not_used_is_reported(sim):
    """The body was, and a newer retry took the place of this one."""
    with (
        pytest.raises(UnusedOverride, match="charge had no attempt that it concerns"),
        sim.override(charge, body=lambda: 1, retry=Retry(attempts=2)),
        sim.override(charge, retry=Retry(attempts=3)),
    ):
        await run(sim, charge, 7)


async def test_a_near_miss_in_spelling_gets_a_hint(sim):
    """Another factory whose name is close."""
    sim.docket.register(save)

    def get_dbs(): ...

    with (
        pytest.raises(UnusedOverride, match=r"; did you mean get_db\?"),
        sim.override(get_dbs, value=1),
    ):
        pass


async def test_the_wrong_one_of_two_namesakes_is_refused_with_both_places(sim):
    """The one that was named, and the one that the task names."""
    sim.docket.register(save)

    def make():
        def get_db(): ...

        return get_db

    with pytest.raises(UnusedOverride) as caught:
        sim.override(make(), value=1)
    place = r"get_db \(simulation/test_overrides\.py:(\d+)\)"
    wrong, right = re.findall(place, str(caught.value))
    assert int(right) < int(wrong)
    assert re.sub(place, "PLACE", str(caught.value)) == (
        "no registered task depends on PLACE, but save depends on another get_db: PLACE. "
        "Override the one that the task names."
    )
    await run(sim, save, 7)
    assert trace == ["repository(db(settings))"]


async def test_a_namesake_that_may_stay_unused_is_not_refused(sim):
    """Such as one that a shared fixture puts in place for some of the tests."""
    sim.docket.register(save)

    def make():
        def get_db(): ...

        return get_db

    sim.override(make(), value=1, unused_ok=True)
    await run(sim, save, 7)
    assert trace == ["repository(db(settings))"]


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (lambda sim: sim.override(Depends(get_db), get_db), "name get_db itself"),
        (lambda sim: sim.override(Shared(get_db), value=1), "name get_db itself"),
        (lambda sim: sim.override(Tenant(), value=1), "an instance of Tenant: name the class"),
        (lambda sim: sim.override(Retry, value=Retry(attempts=2)), r"sim.override\(task, retry="),
        (lambda sim: sim.override(Timeout, value=None), r"sim.override\(task, timeout="),
        (lambda sim: sim.override(charge, value=1), r"charge is a task, and no dependency of one"),
        (lambda sim: sim.override(charge, get_db), r"charge is a task, and no dependency of one"),
        (lambda sim: sim.override(get_db), "found nothing"),
        (lambda sim: sim.override(get_db, get_settings, value=1), "found factory, value"),
        (lambda sim: sim.override(charge, value=1, body=print), "found value, body"),
        (lambda sim: sim.override(charge, retries=3), "found retries"),
        (lambda sim: sim.override(charge, retry=Timeout(SECOND)), "retry= takes a Retry, found"),
        (lambda sim: sim.override(charge, timeout=None), "timeout= takes a Timeout, found None"),
    ],
)
def test_misuse_is_refused_and_leaves_nothing_in_place(misuse, words):
    """So that the end of the test has nothing to report."""
    with simulate(tasks=[charge]) as sim:
        with pytest.raises(TypeError, match=words):
            misuse(sim)
        sim.run(run(sim, charge, 7))
    assert trace == [(7, "none", "db(settings)")]


def test_a_subclass_of_a_policy_is_a_policy():
    """It is overridden by the task, too."""
    with simulate() as sim, pytest.raises(TypeError, match="ExponentialRetry is a policy"):
        sim.override(ExponentialRetry, value=1, unused_ok=True)


def test_the_overrides_of_a_docket_are_a_mapping():
    """From what is stood in for to what stands in."""
    docket = Docket("shop", url="memory://")
    overrides = docket.dependency_overrides
    assert (dict(overrides), len(overrides), get_db in overrides) == ({}, 0, False)
    overrides[get_db] = get_settings
    overrides[get_settings] = get_db
    overrides[get_db] = get_repository
    assert dict(docket.dependency_overrides) == {get_settings: get_db, get_db: get_repository}
    assert overrides.pop(get_db) is get_repository
    with pytest.raises(KeyError):
        del overrides[get_db]
    overrides.clear()
    assert list(docket.dependency_overrides) == []


def test_the_mapping_refuses_misuse_in_words():
    """A value has to be wrapped: there is no `value=` here."""
    overrides = Docket("shop", url="memory://").dependency_overrides
    with pytest.raises(TypeError, match="write a lambda that returns it"):
        overrides[get_db] = "fake"
    with pytest.raises(TypeError, match="name get_db itself"):
        overrides[Depends(get_db)] = get_settings
    with pytest.raises(TypeError, match="Retry is a policy"):
        overrides[Retry] = get_settings
    assert len(overrides) == 0


def test_a_worker_in_production_follows_the_mapping():
    """A change counts from the next attempt; each attempt has one instance."""
    made = []

    def sandbox():
        made.append(object())
        return made[-1]

    async def task(one=Depends(get_db), two=Depends(get_db)):
        trace.append(one is two)

    async def service():
        async with Docket("shop", url="memory://") as docket, Worker(docket) as worker:
            docket.dependency_overrides[get_db] = sandbox
            for _ in range(2):
                await docket.add(task)()
            await worker.run_until_finished()
            del docket.dependency_overrides[get_db]
            await docket.add(task)()
            await worker.run_until_finished()

    asyncio.run(service())
    assert (trace, len(made)) == ([True, True, True], 2)


def test_an_override_that_was_taken_back_unused_is_reported():
    """At the end, though it is in force no more."""
    refused = pytest.raises(UnusedOverride, match="no attempt that needed it began meanwhile")
    with refused as caught, simulate(tasks=[save]) as sim:
        sim.override(get_db, value=1).restore()
    assert "value=1" in str(caught.value)


def test_an_override_whose_block_ends_after_the_check_is_reported_once():
    """As that of a fixture's block does."""
    refused = pytest.raises(UnusedOverride)
    with simulate(tasks=[save]) as sim, sim.override(get_db, value=1), refused:
        sim.check()


async def test_a_value_whose_repr_raises_can_stand_in(sim):
    """It hides nothing, also where something else goes wrong."""

    class Unfriendly:
        def __repr__(self):
            raise RuntimeError("no repr")

    stand_in = sim.override(get_repository, value=Unfriendly())
    assert "value=<Unfriendly: repr() raised RuntimeError>" in repr(stand_in)
    with pytest.raises(TypeError, match="must be a factory, found <Unfriendly"):
        sim.override(get_db, Unfriendly())
    with pytest.raises(TypeError, match="takes a Retry, found <Unfriendly"):
        sim.override(charge, retry=Unfriendly())
    await run(sim, save, 7)


async def by_place(a, b, /, *rest, c=3, **extra):
    """Has parameters of every kind."""


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        (lambda b, a: {"a": a, "b": b}, {"a": 1, "b": 2}),
        (lambda a: a, 1),
        (lambda b, /: b, 2),
        (lambda c, *, b: (b, c), (2, 3)),
        (lambda rest, extra: (rest, extra), ((4, 5), {"d": 6})),
        (lambda *args, **kwargs: (args, kwargs), ((1, 2, 4, 5), {"d": 6})),
        (lambda b, *args: (b, args), (2, (1, 4, 5))),
        (lambda **kwargs: kwargs, {"a": 1, "b": 2, "d": 6}),
        (lambda b, own=0, *args: (b, own, args), (2, 0, (1, 4, 5))),
        (lambda d: d, 6),
    ],
    ids=range(10),
)
async def test_a_fake_body_is_given_what_it_names_whatever_the_place(sim, fake, expected):
    """The places of a task's parameters are not those of the fake's."""
    found = []
    sim.override(by_place, body=functools.wraps(fake)(lambda *a, **k: found.append(fake(*a, **k))))
    execution = await sim.docket.add(by_place)(1, 2, 4, 5, d=6)
    await sim.run_until_idle()
    assert await execution.get_result() is None
    assert found == [expected]


async def test_a_builtin_without_a_signature_is_given_everything(sim):
    """By the names that the task has, as far as there are any."""
    sim.override(charge, body=dict)
    execution = await sim.docket.add(charge)(7)
    await sim.run_until_idle()
    assert await execution.get_result() == {"order_id": 7, "db": "db(settings)"}


async def test_the_function_within_a_partial_is_another_dependency(sim):
    """The task depends on the partial, which is what has to be named."""

    def get(name):
        return name

    get_name = functools.partial(get, name="ada")

    async def greet(name=Depends(get_name)):
        return name

    sim.docket.register(greet)
    with pytest.raises(UnusedOverride, match=r"greet depends on another get: a partial of get \("):
        sim.override(get, value="eve")
    sim.override(get_name, value="eve")
    assert (await sim.perform(greet)).result() == "eve"


async def test_an_override_of_what_the_caller_gave_was_not_needed(sim):
    """The task ran, but not with it."""
    with (
        pytest.raises(UnusedOverride, match="no attempt that needed it began meanwhile"),
        sim.override(get_db, value="fake"),
    ):
        await run(sim, charge, 7, db="given")
