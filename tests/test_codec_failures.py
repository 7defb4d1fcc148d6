"""What a body raises, on its way to whoever asks for it."""

import asyncio
import pickle
import sys
import types
from datetime import UTC, datetime
from pathlib import Path

import pytest

import docket_sim
from docket_sim import CurrentDocket, Depends, Docket, TaskFailed

ENGINE = Path(docket_sim.__file__).parent
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class CardDeclined(Exception):
    """An exception that JSON carries: it is made from its arguments."""


class TakesTwo(Exception):
    """An exception that cannot be made from its `args`."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


class OddText(Exception):
    def __str__(self):
        return 5  # noqa: PLE0307 - which is the point


class NoArguments(Exception):
    @property
    def args(self):
        raise RuntimeError("no arguments")


class Gone(Exception):
    """One whose constructor fails wherever it is rebuilt."""

    def __init__(self, *args):
        if rebuilding["now"]:
            raise RuntimeError("cannot be made again")
        super().__init__(*args)


async def takes_nothing(): ...


rebuilding: dict[str, bool] = {"now": False}


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


async def traceback_of(sim, task) -> str:
    """The traceback that comes with the error of a task that fails."""
    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    sim.acknowledge_failures()
    with pytest.raises(Exception) as caught:
        await execution.get_result()
    if isinstance(caught.value, TaskFailed):
        return caught.value.remote_traceback
    return caught.value.__notes__[-1]


@pytest.mark.parametrize(
    "error",
    [
        CardDeclined("no funds", 7),
        ValueError("bad"),
        KeyError("k"),
        RuntimeError(),
        OSError(2, "x"),
    ],
    ids=repr,
)
async def test_an_exception_arrives_as_its_own_class(sim, error):
    """When the class is imported here and its arguments fit, it is raised again."""
    arrived = await error_of(sim, error)
    assert type(arrived) is type(error)
    assert arrived.args == error.args


async def test_a_rebuilt_exception_shows_where_it_was_raised(sim):
    """The traceback of the worker comes along as a note."""
    arrived = await error_of(sim, CardDeclined("no funds"))
    [note] = arrived.__notes__
    assert "raise error" in note
    assert Path(__file__).name in note


async def test_a_traceback_from_the_worker_ends_in_the_users_own_code(sim):
    """How the engine came to it, and what it did before it complained, explains nothing."""

    async def task(docket: Docket = CurrentDocket()):
        await docket.add(takes_nothing)(1, 2)

    text = await traceback_of(sim, task)
    assert str(ENGINE) not in text
    assert "await docket.add(takes_nothing)(1, 2)" in text
    assert "takes_nothing(): too many positional arguments" in text


async def test_what_led_to_a_failure_is_told_without_frames_of_the_engine(sim):
    """Causes, and each of a group."""

    async def connect():
        try:
            raise ConnectionError("refused")
        except ConnectionError as error:
            raise LookupError("no gateway") from error

    async def task(gateway: None = Depends(connect)): ...

    text = await traceback_of(sim, task)
    assert str(ENGINE) not in text
    for part in ('raise ConnectionError("refused")', "no gateway", "raised while resolving"):
        assert part in text


async def test_a_package_named_after_the_engine_is_the_users_own(sim):
    """A path may begin alike."""
    found = {}
    exec(compile("async def task(): 1 / 0", f"{ENGINE}_shop/tasks.py", "exec"), found)
    text = await traceback_of(sim, found["task"])
    assert f"{ENGINE}_shop" in text
    assert f"{ENGINE}/" not in text


async def test_a_traceback_without_a_frame_of_the_user_is_whole(sim):
    """There is nothing else to go by."""

    async def task():
        return object()

    text = await traceback_of(sim, task)
    assert str(ENGINE) in text
    assert "encode_result" in text


@pytest.mark.parametrize(
    "error",
    [TakesTwo(1, 2), CardDeclined(NOON), CardDeclined((1, 2)), Unprintable("x"), OddText(), Gone()],
    ids=["arguments do not fit", "datetime", "tuple", "unprintable", "odd text", "unbuildable"],
)
async def test_an_exception_that_cannot_be_rebuilt_arrives_as_task_failed(sim, error, monkeypatch):
    """It carries the type's name, the message and the traceback instead."""

    async def task():
        raise error

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    sim.acknowledge_failures()
    monkeypatch.setitem(rebuilding, "now", True)
    with pytest.raises(TaskFailed) as caught:
        await execution.get_result()
    assert caught.value.type_name == f"{__name__}:{type(error).__qualname__}"
    assert type(error).__name__ in str(caught.value)
    assert type(error).__name__ in caught.value.remote_traceback


@pytest.mark.parametrize(
    "error", [CardDeclined("\udcff"), NoArguments()], ids=["lone surrogate", "no arguments"]
)
async def test_an_exception_that_resists_encoding_fails_the_execution_once(sim, error):
    """It ends there and then; it is not delivered again and again until it counts as poison."""
    runs = []

    async def task():
        runs.append(1)
        raise error

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    assert len(runs) == 1
    [failure] = sim.acknowledge_failures()
    assert failure.error is error
    with pytest.raises((CardDeclined, NoArguments, TaskFailed)):
        await execution.get_result()


async def test_an_exception_of_a_local_class_arrives_as_task_failed(sim):
    """A class that cannot be found by its name cannot be rebuilt."""

    class Local(Exception):
        pass

    arrived = await error_of(sim, Local("x"))
    assert isinstance(arrived, TaskFailed)
    assert arrived.message == "x"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_what_is_no_exception_is_never_raised_at_whoever_asks(sim, error):
    """Asking for a result must not end the process that asks."""
    arrived = await error_of(sim, error)
    assert isinstance(arrived, TaskFailed)
    assert type(error).__name__ in arrived.type_name


def rebuilt(docket: Docket, path: str, *arguments: object) -> Exception:
    """What is made of a failure of the class at `path`, as a store might hold it."""

    async def task(): ...

    codec = docket.task(task).codec
    payload = codec.encode_error(ValueError(*arguments))
    return codec.decode_error(payload.replace(b"builtins:ValueError", path.encode()))


async def test_reading_a_failure_never_imports_a_module(sim):
    """A payload names a module that is there but not imported: it stays so."""
    before = dict(sys.modules)
    assert "this" not in before
    arrived = rebuilt(sim.docket, "this:Zen", "x")
    assert isinstance(arrived, TaskFailed)
    assert dict(sys.modules) == before


async def test_reading_a_failure_runs_no_lazy_import(sim, monkeypatch):
    """A module that imports on attribute access is not asked for what it does not have yet."""
    asked = []
    lazy = types.ModuleType("lazy_module")
    lazy.__getattr__ = asked.append
    monkeypatch.setitem(sys.modules, "lazy_module", lazy)
    arrived = rebuilt(sim.docket, "lazy_module:Error", "x")
    assert isinstance(arrived, TaskFailed)
    assert asked == []


@pytest.mark.parametrize(
    "path", ["builtins:print", "builtins:SystemExit", "os:environ", "", ":", "a"]
)
async def test_a_failure_that_names_no_exception_arrives_as_task_failed(sim, path, capsys):
    """Nothing but a class of exceptions is ever called."""
    assert isinstance(rebuilt(sim.docket, path, "x"), TaskFailed)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("payload", [b"", b"{", b"\xff", b"[]", pickle.dumps(ValueError("x"))])
async def test_a_failure_that_cannot_be_read_arrives_as_task_failed(sim, payload):
    """Reading a failure never fails itself."""

    async def task(): ...

    assert isinstance(sim.docket.task(task).codec.decode_error(payload), TaskFailed)
