"""Factories: everything that `Depends` makes a dependency from."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Self

import pytest

from docket_sim import Depends, Retry, Tally, TaskArgument

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


@pytest.mark.parametrize(
    "factory",
    [
        decorated,
        decorated_async,
        generator,
        async_generator,
        GeneratorMaker(),
        lambda: decorated(),
        lambda: decorated_async(),
    ],
    ids=[
        *("contextmanager", "asynccontextmanager", "generator", "async generator"),
        *("generator object", "lambda of a context manager", "lambda of an async one"),
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


# Bindings, nesting, and how often a factory is called.


def connect(host: str, port: int = 5432) -> str:
    log.append(f"connect {host}:{port}")
    return f"{host}:{port}"


async def test_bindings_fill_parameters_of_the_factory(sim):
    """One factory can serve many dependencies."""

    async def task(
        main: str = Depends(connect, host="main"),
        copy: str = Depends(connect, host="copy", port=5433),
    ) -> str:
        return f"{main} → {copy}"

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    assert await execution.get_result() == "main:5432 → copy:5433"


async def test_a_binding_may_be_a_dependency(sim):
    """It is resolved first, and the factory receives its value."""

    async def task(host: str, connection: str = Depends(connect, host=TaskArgument("host"))) -> str:
        return connection

    execution = await sim.docket.add(task)("eu-1")
    await sim.run_until_idle()
    assert await execution.get_result() == "eu-1:5432"


async def test_a_factory_may_have_dependencies_of_its_own_to_any_depth(sim):
    """They are entered from the innermost out, and left the other way round."""

    def get_socket():
        with Client("socket") as client:
            yield client

    def get_connection(socket: Client = Depends(get_socket)):
        with Client(f"connection on {socket.name}") as client:
            yield client

    def get_session(connection: Client = Depends(get_connection)):
        with Client(f"session on {connection.name}") as client:
            yield client

    async def task(session: Client = Depends(get_session)) -> None:
        log.append("ran")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    names = ["socket", "connection on socket", "session on connection on socket"]
    assert log[:3] == [f"{name} opened" for name in names]
    assert log[3:] == ["ran", *(f"{name} closed" for name in reversed(names))]


async def test_one_factory_is_called_once_in_one_attempt(sim):
    """Whoever asks for the same factory with the same bindings gets the same instance."""

    def get_repository(connection: str = Depends(connect, host="main")) -> str:
        return f"repository on {connection}"

    async def task(
        repository: str = Depends(get_repository),
        connection: str = Depends(connect, host="main"),
        another: str = Depends(connect, host="copy"),
    ) -> None: ...

    await sim.docket.add(task)()
    await sim.run_until_idle()
    assert log == ["connect main:5432", "connect copy:5432"]


async def test_each_attempt_has_instances_of_its_own(sim):
    """Nothing is kept across attempts: a retry does not get what the failure left behind."""

    async def task(
        connection: str = Depends(connect, host="main"), retry: Retry = Retry(attempts=3)
    ) -> None:
        if retry.attempt < 3:
            raise ConnectionError

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=2)
    assert log == ["connect main:5432"] * 3
