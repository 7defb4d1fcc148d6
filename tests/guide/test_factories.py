"""Factories: everything that `Depends` makes a dependency from."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Self

import pytest

from docket_sim import Depends, Tally

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


class Client:
    """A resource that notes when it is opened and closed."""

    def __init__(self, name: str = "client") -> None:
        self.name = name

    def __enter__(self) -> Self:
        log.append(f"{self.name} opened")
        return self

    def __exit__(self, *exc_info: object) -> None:
        log.append(f"{self.name} closed")


def function() -> str:
    return "made by a function"


async def coroutine_function() -> str:
    return "made by a coroutine function"


class Settings:
    """Made as it is."""


class Maker:
    """A callable object."""

    def __call__(self) -> str:
        return "made by an object"

    def method(self) -> str:
        return "made by a method"


class AsyncMaker:
    """A callable object whose call is awaited."""

    async def __call__(self) -> str:
        return "made by an object, in its own time"


class GeneratorMaker:
    """A callable object whose call is a generator."""

    async def __call__(self) -> AsyncIterator[str]:
        log.append("opened")
        yield "made by an object"
        log.append("closed")


@pytest.mark.parametrize(
    ("factory", "made"),
    [
        (function, "made by a function"),
        (coroutine_function, "made by a coroutine function"),
        (Maker(), "made by an object"),
        (Maker().method, "made by a method"),
        (AsyncMaker(), "made by an object, in its own time"),
        (lambda: "made by a lambda", "made by a lambda"),
        (lambda: coroutine_function(), "made by a coroutine function"),
        (dict, {}),
        (lambda: None, None),
    ],
    ids=[
        *("function", "coroutine function", "object", "method", "async object"),
        *("lambda", "lambda of an awaitable", "builtin class", "none"),
    ],
)
async def test_a_factory_may_be_anything_callable(sim, factory, made):
    """What it returns is the value; an awaitable is awaited."""

    async def task(value=Depends(factory)):
        return value

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == made


async def test_a_class_is_a_factory_of_its_instances(sim):
    """Its `__init__` may have dependencies as any other factory's signature."""
    received: list[object] = []

    class Service:
        def __init__(self, settings: Settings = Depends(Settings)) -> None:
            self.settings = settings

    async def task(service: Service = Depends(Service)) -> None:
        received.append(service)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert isinstance(received[0], Service)
    assert isinstance(received[0].settings, Settings)


@contextmanager
def decorated() -> Iterator[str]:
    log.append("opened")
    yield "resource"
    log.append("closed")


@asynccontextmanager
async def decorated_async() -> AsyncIterator[str]:
    log.append("opened")
    yield "resource"
    log.append("closed")


def generator() -> Iterator[str]:
    log.append("opened")
    yield "resource"
    log.append("closed")


async def async_generator() -> AsyncIterator[str]:
    log.append("opened")
    yield "resource"
    log.append("closed")


async def named_generator(name: str) -> AsyncIterator[str]:
    log.append("opened")
    yield name
    log.append("closed")


@pytest.mark.parametrize(
    "factory",
    [
        decorated,
        decorated_async,
        generator,
        async_generator,
        GeneratorMaker(),
        partial(named_generator, "resource"),
        lambda: decorated(),
        lambda: decorated_async(),
    ],
    ids=[
        *("contextmanager", "asynccontextmanager", "generator", "async generator"),
        *(
            "generator object",
            "partial of a generator",
            "lambda of a context manager",
            "lambda of an async one",
        ),
    ],
)
async def test_what_is_entered_before_the_body_is_left_after_it(sim, factory):
    """Context managers and generators hand over a value, and get to clean up."""

    async def task(value: str = Depends(factory)) -> None:
        log.append(f"ran with {type(value).__name__}")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["opened", "ran with str", "closed"]


async def test_a_class_that_is_a_context_manager_is_entered(sim):
    """Such a class needs no wrapping."""

    async def task(client: Client = Depends(Client)) -> None:
        log.append(f"ran with {client.name}")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["client opened", "ran with client", "client closed"]


async def test_what_a_coroutine_function_returns_is_taken_as_it_is(sim):
    """A client that an `async def` returns is handed over, even if it could be entered."""

    async def get_client() -> Client:
        return Client()

    async def task(client: Client = Depends(get_client)) -> None:
        log.append(client.name)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["client"]


def test_a_factory_must_be_callable():
    """To call the factory oneself is a common slip, and told where it is made."""
    with pytest.raises(TypeError, match=r"expects a callable, found 'made by a function'"):
        Depends(function())


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_generator_that_comes_out_of_a_wrapper_is_entered(sim, asynchronous):
    """What a lambda hands on is torn down as what the generator function itself gives."""
    lines: list[str] = []

    def opened():
        lines.append("opened")
        yield "a value"
        lines.append("closed")

    async def opened_in_time():
        for value in opened():
            yield value

    factory = (lambda: opened_in_time()) if asynchronous else (lambda: opened())

    async def task(value=Depends(factory)):
        lines.append(value)

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert lines == ["opened", "a value", "closed"]


@pytest.mark.parametrize("raises", [False, True])
async def test_bindings_that_are_equal_stand_for_one_instance(sim, raises):
    """Where their `__eq__` has no answer, they are two: nobody gets the instance of another."""

    class Region:
        def __eq__(self, other: object) -> bool:
            if raises:
                raise RuntimeError("no comparison")
            return True

        __hash__ = None

    made: list[Region] = []

    def client(region: Region) -> int:
        made.append(region)
        return len(made)

    async def task(
        first: int = Depends(client, region=Region()),
        second: int = Depends(client, region=Region()),
    ):
        return [first, second]

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == ([1, 2] if raises else [1, 1])
