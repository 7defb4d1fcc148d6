"""Instances: what factories are called with, and how often."""

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


async def test_bindings_that_say_the_same_are_the_same(sim):
    """`TaskArgument("host")` written twice means one host, and so one connection."""

    async def task(
        host: str,
        one: str = Depends(connect, host=TaskArgument("host")),
        two: str = Depends(connect, host=TaskArgument("host")),
    ) -> None: ...

    await sim.docket.add(task)("eu-1")
    await sim.run_until_idle()
    assert log == ["connect eu-1:5432"]


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
