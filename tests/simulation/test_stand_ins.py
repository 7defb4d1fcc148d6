"""What a test puts in place of dependencies, policies and bodies, and takes away again."""

import asyncio
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


@pytest.fixture
def trace():
    return []


def real_settings() -> str:
    return "real settings"


async def get_db(settings: str = Depends(real_settings)) -> str:
    return f"db with {settings}"


async def get_repository(db: str = Depends(get_db)) -> str:
    return f"repository on {db}"


@pytest.fixture
def task(trace):
    """A task that depends on a repository, which depends on a database, which needs settings."""

    async def save(
        order_id: int,
        repository: str = Depends(get_repository),
        db: str = Depends(get_db),
    ) -> None:
        trace.append((repository, db))

    return save


async def run(sim, function, *args, **kwargs):
    await sim.docket.add(function)(*args, **kwargs)
    return await sim.run_until_idle()


async def test_a_value_stands_in_at_any_depth(sim, task, trace):
    """Everything above it is the real thing, resolved by the real resolver."""
    sim.override(get_db, value="fake db")
    await run(sim, task, 7)
    assert trace == [("repository on fake db", "fake db")]


async def test_a_factory_that_stands_in_may_have_dependencies_of_its_own(sim, task, trace):
    """As any factory may: arguments of the task, its surroundings, other factories."""

    async def fake_db(
        order_id: int = TaskArgument(),
        execution: Execution = CurrentExecution(),
        settings: str = Depends(real_settings),
    ) -> str:
        return f"fake {order_id} {execution.key} {settings}"

    sim.override(get_db, fake_db)
    await sim.docket.add(task, key="k")(7)
    await sim.run_until_idle()
    assert trace[0][1] == "fake 7 k real settings"


async def test_one_instance_serves_the_whole_attempt_and_is_torn_down(sim, trace):
    """Teardown in reverse order, as ever; the real factory is not called."""

    @asynccontextmanager
    async def fake_db():
        trace.append("open")
        yield object()
        trace.append("close")

    def user(db: object = Depends(get_db)) -> object:
        return db

    async def save(one: object = Depends(get_db), two: object = Depends(user)) -> None:
        trace.append(one is two)

    sim.override(get_db, fake_db)
    await run(sim, save)
    assert trace == ["open", True, "close"]


async def test_what_stands_in_may_ask_for_the_real_thing(sim, task, trace):
    """So that it can wrap it; with two of them, each wraps the one below."""

    async def outer(db: str = Depends(get_db)) -> str:
        return f"<{db}>"

    async def inner(db: str = Depends(get_db)) -> str:
        return f"[{db}]"

    sim.override(get_db, inner)
    sim.override(get_db, outer)
    await run(sim, task, 7)
    assert trace[0][1] == "<[db with real settings]>"


async def test_the_newest_counts_and_the_block_restores_what_was_before(sim, task, trace):
    """Blocks nest."""
    sim.override(get_db, value="test")
    with sim.override(get_db, value="outer"):
        with sim.override(get_db, value="inner"):
            await run(sim, task, 1)
        await run(sim, task, 2)
    last = await run(sim, task, 3)
    assert last == Tally(succeeded=1)
    assert [db for _, db in trace] == ["inner", "outer", "test"]


async def test_restoring_out_of_order_takes_away_just_that_one(sim, task, trace):
    """What is newer stays."""
    first = sim.override(get_db, value="first", unused_ok=True)
    second = sim.override(get_db, value="second")
    first.restore()
    await run(sim, task, 1)
    second.restore()
    await run(sim, task, 2)
    assert [db for _, db in trace] == ["second", "db with real settings"]
    assert (first.uses, second.uses) == (0, 1)


async def test_a_value_is_taken_as_it_is(sim, trace):
    """It is neither entered nor awaited, whatever it could do."""
    entered = asynccontextmanager(get_db)()
    coroutine = asyncio.sleep(0)

    async def save(one: object = Depends(get_db), two: object = Depends(real_settings)) -> None:
        trace.append((one, two))

    sim.override(get_db, value=entered)
    sim.override(real_settings, value=coroutine)
    await run(sim, save)
    assert trace == [(entered, coroutine)]
    coroutine.close()


async def test_bindings_reach_what_stands_in_as_far_as_it_has_parameters_for_them(sim, trace):
    """A fake need not know all that the real one was given."""

    def connect(host: str, port: int) -> str:
        return f"{host}:{port}"

    def fake(host: str) -> str:
        return f"fake {host}"

    async def save(db: str = Depends(connect, host="db", port=1)) -> None:
        trace.append(db)

    sim.override(connect, fake)
    await run(sim, save)
    assert trace == ["fake db"]


async def test_an_annotated_dependency_and_a_class_of_dependencies_are_overridden_too(sim, trace):
    """By the factory, and by the class."""

    class Tenant(Dependency[str]):
        async def __aenter__(self) -> str:
            return "real tenant"

    async def save(db: Annotated[str, Depends(get_db)], tenant: str = Tenant()) -> None:
        trace.append((db, tenant))

    sim.override(get_db, value="fake")
    sim.override(Tenant, value="fake tenant")
    await run(sim, save)
    assert trace == [("fake", "fake tenant")]


async def test_a_shared_instance_is_another_one_while_something_stands_in(sim, trace):
    """Also where that lies deep inside it; afterwards the real one is back, as it was."""
    made = []

    async def get_pool(settings: str = Depends(real_settings)):
        made.append(settings)
        yield settings
        trace.append(f"{settings} closed")

    async def save(pool: str = Shared(get_pool)) -> None:
        trace.append(pool)

    await run(sim, save)
    with sim.override(real_settings, value="other settings"):
        await run(sim, save)
        await run(sim, save)
    with sim.override(get_pool, value="no pool"):
        await run(sim, save)
    await run(sim, save)
    assert made == ["real settings", "other settings"]
    assert trace == ["real settings", *["other settings"] * 2, "no pool", "real settings"]


def test_shared_instances_that_stood_in_are_torn_down_with_the_worker(trace):
    """The last made first."""

    async def fake_pool():
        yield "fake"
        trace.append("fake closed")

    async def get_pool():
        yield "real"
        trace.append("real closed")

    async def save(pool: str = Shared(get_pool)) -> None: ...

    with simulate() as sim:
        sim.run(run(sim, save))
        sim.override(get_pool, fake_pool)
        sim.run(run(sim, save))
    assert trace == ["fake closed", "real closed"]


def test_what_a_worker_adds_to_every_task_is_overridden_too(trace):
    """It is a dependency like any other."""

    async def announce() -> None:
        trace.append("real")

    async def save() -> None: ...

    with simulate(dependencies=[Depends(announce)]) as sim:
        sim.override(announce, lambda: trace.append("fake"))
        sim.run(run(sim, save))
    assert trace == ["fake"]


async def test_the_policies_of_a_task_are_overridden_by_the_task(sim, trace):
    """Also one that it does not have: and the body is handed what counts."""

    async def shaky(retry: Retry = Retry(attempts=5)) -> None:
        trace.append(retry.attempts)
        raise ConnectionError

    async def plain() -> None:
        trace.append("plain")
        await asyncio.sleep(60)

    sim.override(shaky, retry=Retry(attempts=2, delay=SECOND))
    sim.override(plain, retry=Retry(attempts=2), timeout=Timeout(SECOND))
    assert await run(sim, shaky) == Tally(failed=1, retried=1)
    assert await run(sim, plain) == Tally(failed=1, retried=1, timed_out=2)
    assert trace == [2, 2, "plain", "plain"]
    sim.assert_retried(shaky, delays=["1s"])
    sim.acknowledge_failures()


@pytest.mark.docket(dependencies=[Retry(attempts=9)])
async def test_a_tasks_override_wins_over_the_policy_of_its_worker(sim):
    """One of a kind decides."""

    async def shaky() -> None:
        raise ConnectionError

    with sim.override(shaky, retry=Retry(attempts=2)):
        assert await run(sim, shaky) == Tally(failed=1, retried=1)
    sim.acknowledge_failures()


async def test_a_perpetual_can_be_slowed_down(sim, trace):
    """Its next run is due when the override says."""

    async def tick(perpetual: Perpetual = Perpetual(every=SECOND)) -> None: ...

    sim.override(tick, perpetual=Perpetual(every=timedelta(hours=1)))
    await sim.docket.add(tick, key="tick")()
    assert await sim.run_for("3h") == Tally(succeeded=4)


async def test_a_body_is_replaced_while_the_engine_runs_the_rest(sim):
    """It is called with what it has parameters for; its calls are recorded."""

    async def charge(order_id: int, db: str = Depends(get_db), note: str = "none") -> str:
        raise AssertionError("the real body ran")

    async def fake(order_id: int, db: str) -> str:
        return f"{order_id} {db}"

    faked = sim.override(charge, body=fake)
    execution = await sim.docket.add(charge, key="k")(7)
    await sim.run_until_idle()
    assert await execution.get_result() == "7 db with real settings"
    (called,) = faked.calls
    assert (called.arguments, called.key) == ({"order_id": 7, "note": "none"}, "k")
    assert (called.attempt, called.at) == (1, sim.clock.start)


async def test_a_fake_may_be_a_mock_or_a_plain_function(sim):
    """What it returns is awaited if it can be, and travels as the real result would."""

    async def count(order_id: int) -> int:
        return 0

    mock = AsyncMock(return_value=42)
    with sim.override(count, body=mock):
        execution = await sim.docket.add(count)(7)
        await sim.run_until_idle()
    mock.assert_awaited_once_with(order_id=7)
    assert await execution.get_result() == 42
    with sim.override("count", body=lambda order_id: order_id * 2):
        execution = await sim.docket.add(count)(7)
        await sim.run_until_idle()
    assert await execution.get_result() == 14


async def test_what_was_never_used_is_an_error_that_says_why(sim, task):
    """At the end of the block, or of the test; unless it may be."""
    with (
        pytest.raises(UnusedOverride) as caught,
        sim.override(get_db, value="fake"),
    ):
        pass
    line = r"test_stand_ins\.py:\d+"
    assert re.sub(line, "LINE", str(caught.value)) == (
        "an override was never used:\n"
        "  sim.override(get_db, value='fake') at LINE: "
        "no registered task depends on get_db (simulation/LINE)\n"
        "Take it away, or say unused_ok=True where it may stay unused."
    )
    sim.docket.register(task)
    with (
        pytest.raises(UnusedOverride, match="save would use it, but did not run"),
        sim.override(get_db, value="fake"),
    ):
        pass
    with (
        pytest.raises(UnusedOverride, match="save did not run while it was in place"),
        sim.override(task, retry=Retry(attempts=2)),
    ):
        pass
    with sim.override(get_db, value="fake", unused_ok=True):
        pass


def test_an_override_that_lasts_as_long_as_the_world_is_checked_at_its_end(task):
    """Once, with all the others that were not used."""
    world = simulate()

    def put_in_place() -> None:
        world.override(get_db, value=1)
        world.override(task, body=lambda: None)

    with pytest.raises(UnusedOverride, match="overrides were never used"), world:
        put_in_place()
    world.check()


async def test_the_wrong_one_of_two_namesakes_is_refused_at_once(sim, task):
    """The message shows where both are; nothing has to run for it."""
    sim.docket.register(task)

    def make():
        def get_db(): ...

        return get_db

    with pytest.raises(UnusedOverride, match="but save depends on another get_db"):
        sim.override(make(), value=1)


@pytest.mark.parametrize(
    ("misuse", "words"),
    [
        (lambda sim: sim.override(Depends(get_db), value=1), "keyed by the factory"),
        (lambda sim: sim.override(Retry, value=1), "Retry is a policy"),
        (lambda sim: sim.override(Retry(), value=1), "name the class"),
        (lambda sim: sim.override(get_db, "fake"), "must be a factory, found 'fake'"),
        (lambda sim: sim.override(get_db), "found nothing"),
        (lambda sim: sim.override(get_db, real_settings, value=1), "found factory, value"),
        (lambda sim: sim.override(run, retry=3), "retry= takes a Retry, found 3"),
        (
            lambda sim: sim.override(get_repository, body=lambda order: None),
            "needs order, which get",
        ),
        (lambda sim: sim.override(7, value=1), "keyed by a factory function, found 7"),
    ],
)
def test_misuse_is_refused_in_words(misuse, words):
    """Where it is written."""
    with simulate() as sim, pytest.raises(TypeError, match=words):
        misuse(sim)


def test_a_task_is_no_dependency(task):
    """The message says how its body is overridden."""
    with simulate(tasks=[task]) as sim, pytest.raises(TypeError, match=r"body=\.\.\."):
        sim.override(task, value=1)


def test_a_factory_that_does_not_fit_is_refused_and_not_put_in_place(task, trace):
    """Where a registered task would need it."""

    def fake(unknown): ...

    with simulate(tasks=[task]) as sim:
        with pytest.raises(TypeError, match="nothing gives it unknown"):
            sim.override(get_db, fake)
        sim.run(run(sim, task, 7))
    assert trace[0][1] == "db with real settings"


def test_a_docket_in_production_has_the_same_mechanism(task, trace):
    """As a mapping; attempts that begin after a change see it."""

    async def service():
        async with Docket("shop", url="memory://") as docket, Worker(docket) as worker:
            docket.dependency_overrides[get_db] = lambda: "sandbox"
            await docket.add(task)(1)
            await worker.run_until_finished()
            assert list(docket.dependency_overrides) == [get_db]
            del docket.dependency_overrides[get_db]
            with pytest.raises(KeyError):
                docket.dependency_overrides[get_db]
            await docket.add(task)(2)
            await worker.run_until_finished()

    asyncio.run(service())
    assert [db for _, db in trace] == ["sandbox", "db with real settings"]
