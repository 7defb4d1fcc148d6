"""Async fixtures of a test that uses `sim`: they run on the world's loop, whoever declared them."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import Context, ContextVar, Token, copy_context
from typing import Any

import pytest
from _pytest.fixtures import resolve_fixture_function

from docket_sim import Simulation
from pytest_docket.stash import WORLD_FIXTURE, item_of, needed_by_world

_NOTHING = object()


def take_to_world(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> None:
    """Put a plain function in place of an async fixture's own, until the fixture is torn down.

    So other plugins find nothing that they would run on a loop of theirs, or warn about. What goes
    wrong is raised by that function: pytest does not get over errors of its hooks.
    """
    definition: Any = fixturedef
    function = definition.func
    request.addfinalizer(lambda: setattr(definition, "func", function))
    definition.func = _plain(resolve_fixture_function(fixturedef, request), request)


def _plain(function: Callable[..., Any], request: pytest.FixtureRequest) -> Callable[..., object]:
    name = request.fixturename or "?"

    def value(**arguments: Any) -> object:
        __tracebackhide__ = True
        return _world(request, name).run(function(**arguments))

    def value_and_teardown(**arguments: Any) -> Generator[object]:
        __tracebackhide__ = True
        world = _world(request, name)
        stay = _Stay(function(**arguments), name)
        yield world.run(stay.begin())
        world.run(stay.end())

    return value_and_teardown if inspect.isasyncgenfunction(function) else value


def _world(request: pytest.FixtureRequest, name: str) -> Simulation:
    item = item_of(request)
    if name in needed_by_world(item):
        pytest.fail(
            f"the fixture {name!r} is async, but docket_tasks, docket_config or docket_start of "
            f"{item.nodeid} needs it before there is a world whose loop it could run on. "
            f"Make it a plain fixture.",
            pytrace=False,
        )
    world: Simulation = request.getfixturevalue(WORLD_FIXTURE)
    if world.loop.is_running():
        pytest.fail(
            f"the async fixture {name!r} was asked for by request.getfixturevalue() while the "
            f"world's loop runs, which cannot wait for it. Name it among the test's parameters.",
            pytrace=False,
        )
    return world


class _Stay:
    """An async generator's setup and teardown, in one task that lasts as long as the fixture.

    Task groups, timeouts and cancel scopes have to be left by the task that entered them.
    """

    def __init__(self, generator: AsyncGenerator[object], name: str) -> None:
        self._generator = generator
        self._name = name
        self._over = asyncio.Event()
        self._changes: list[tuple[ContextVar[Any], Token[Any]]] = []

    async def begin(self) -> object:
        """Run to the `yield`, and return what it gives."""
        __tracebackhide__ = True
        loop, context = asyncio.get_running_loop(), copy_context()
        self._given: asyncio.Future[object] = loop.create_future()
        self._task = loop.create_task(self._run(), name=f"fixture {self._name}", context=context)
        try:
            first: list[asyncio.Future[Any]] = [self._given, self._task]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # the world is stuck
            self._task.cancel()
            await asyncio.wait([self._task])
            raise
        if not self._given.done():
            await self._task  # which raises
        self._adopt(context)
        return self._given.result()

    async def end(self) -> None:
        """Run from the `yield` to the end."""
        __tracebackhide__ = True
        self._over.set()
        try:
            await self._task
        finally:
            for variable, token in reversed(self._changes):
                variable.reset(token)

    def _adopt(self, context: Context) -> None:
        """Let the test see the context variables that the fixture has set."""
        for variable, value in context.items():
            if variable.get(_NOTHING) is not value:
                self._changes.append((variable, variable.set(value)))

    async def _run(self) -> None:
        __tracebackhide__ = True
        value = await anext(self._generator, _NOTHING)
        if value is _NOTHING:
            pytest.fail(f"the async fixture {self._name!r} ended without a yield", pytrace=False)
        self._given.set_result(value)
        try:
            await self._over.wait()
        except asyncio.CancelledError as error:  # by a task group of the fixture's, or a timeout
            step = self._generator.athrow(error)
        else:
            step = anext(self._generator)
        try:
            await step
        except StopAsyncIteration:
            return
        await self._generator.aclose()
        pytest.fail(f"the async fixture {self._name!r} has more than one yield", pytrace=False)
