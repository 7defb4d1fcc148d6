"""The pickle codec, for what JSON cannot carry: to be asked for by name."""

import pickle
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import ClassVar

import pytest

from docket_sim import PayloadError, Retry, TaskCall, TaskFailed
from docket_sim.codec.pickled import PickleCodec

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class CardDeclined(Exception):
    """An exception that JSON carries: it is made from its arguments."""


class TakesTwo(Exception):
    """An exception that cannot be made from its `args`."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Unpicklable(Exception):
    def __reduce__(self):
        raise RuntimeError("no pickling")


async def error_of(sim, error: BaseException) -> Exception:
    """What get_result() raises for a task that raises the error."""

    async def task():
        raise error

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    assert len(sim.acknowledge_failures()) == 1
    with pytest.raises(Exception) as caught:
        await execution.get_result()
    return caught.value


class Bomb:
    """Runs code when it is unpickled."""

    exploded: ClassVar[list[str]] = []

    def __reduce__(self):
        return self.exploded.append, ("boom",)


async def test_json_refuses_a_pickled_payload_and_runs_none_of_it(sim):
    """Whoever can write to the store cannot make a JSON worker run code."""

    async def task(value: int): ...

    sim.docket.register(task)
    call = TaskCall("k", "task", pickle.dumps({"value": Bomb()}), sim.docket.now())
    await sim.docket.store.submit(call, now=sim.docket.now())
    await sim.run_until_idle()
    [failure] = sim.acknowledge_failures()
    assert "pickle" in str(failure.error)
    assert Bomb.exploded == []


@pytest.mark.docket(codec="pickle")
async def test_pickle_carries_what_json_cannot(sim):
    """Asked for by name, it carries untyped tuples and datetimes, both ways."""

    async def task(value):
        return value, NOON

    execution = await sim.docket.add(task)((1, NOON))
    await sim.run_until_idle()
    assert await execution.get_result() == ((1, NOON), NOON)


@pytest.mark.docket(codec="pickle")
async def test_pickle_carries_exceptions_whole(sim):
    """Those that can be pickled arrive as they were, with the worker's traceback."""
    arrived = await error_of(sim, CardDeclined((1, 2)))
    assert type(arrived) is CardDeclined
    assert arrived.args == ((1, 2),)
    assert "raise error" in arrived.__notes__[-1]


@pytest.mark.docket(codec="pickle")
@pytest.mark.parametrize("error", [Unpicklable("x"), TakesTwo(1, 2)], ids=repr)
async def test_an_exception_that_cannot_be_pickled_arrives_as_task_failed(sim, error):
    """Whether it is the pickling or the unpickling that fails."""
    arrived = await error_of(sim, error)
    assert isinstance(arrived, TaskFailed)
    assert type(error).__name__ in arrived.type_name


@pytest.mark.docket(codec="pickle")
async def test_pickle_refuses_what_cannot_be_pickled_by_name(sim):
    """The error is raised at the call, and names task, parameter and type."""

    async def task(value): ...

    with pytest.raises(TypeError, match=r"task.*value.*function"):
        sim.docket.add(task)(lambda: None)


@pytest.mark.docket(codec="pickle", allow_failures=True)
async def test_a_pickle_docket_fails_what_it_cannot_unpickle(sim):
    """Foreign bytes end the execution, not the worker."""
    ran = []

    async def task(value=0):
        ran.append(value)

    sim.docket.register(task)
    call = TaskCall("k", "task", b'{"value": 1}', sim.docket.now())
    await sim.docket.store.submit(call, now=sim.docket.now())
    await sim.docket.add(task)(2)
    tally = await sim.run_until_idle()
    assert (tally.failed, tally.succeeded, ran) == (1, 1, [2])


@pytest.mark.docket(codec="pickle")
async def test_an_unpicklable_result_fails_the_execution_once(sim):
    """The body is not run again for it, whatever its retry policy says."""
    runs = []

    async def task(retry: Retry = Retry(attempts=3)):
        runs.append(1)
        return lambda: None

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    sim.acknowledge_failures()
    assert runs == [1]
    with pytest.raises(TypeError, match="task returned"):
        await execution.get_result()


def test_a_failure_that_cannot_be_read_any_more_is_a_failure_still():
    """Its class may be gone by then; the reason is told in its place."""
    codec = PickleCodec().for_task(SimpleNamespace(task="charge"))
    found = codec.decode_error(b"no pickle")
    assert isinstance(found, TaskFailed)
    assert "the failure cannot be unpickled" in str(found)


def test_arguments_are_a_dict():
    """What else is found in their place is refused, with the task that it was for."""
    codec = PickleCodec().for_task(SimpleNamespace(task="charge"))
    with pytest.raises(PayloadError, match=r"arguments of charge cannot be read: .* dict"):
        codec.decode_arguments(pickle.dumps([1]))
