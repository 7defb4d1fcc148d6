"""Fixtures for tests that want a real server; a test that cannot have one fails.

A test module asks for them by `pytest_plugins = ["servers.fixtures"]`, and a folder's `conftest.py`
by importing them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from .binaries import Binary, find_binaries
from .server import RedisServer
from .shared import shared_server

BINARIES = find_binaries()
"""For `@pytest.mark.parametrize`; that there are none is an error of the test run."""


@pytest.fixture(scope="session")
def redis_server() -> RedisServer:
    """A server that runs all the time: keep to keys of your own, and leave it running.

    There is one even if several folders import this fixture.
    """
    return shared_server()


@pytest.fixture(params=BINARIES, ids=str)
def redis_binary(request: pytest.FixtureRequest) -> Binary:
    """Each of the binaries in turn."""
    return request.param


@pytest.fixture
def fresh_server() -> Iterator[Callable[..., RedisServer]]:
    """Starts servers, as `RedisServer(...)` does, that are closed at the end of the test."""
    with ExitStack() as closing:

        def start(binary: Binary | None = None, **options: Any) -> RedisServer:
            return closing.enter_context(RedisServer(binary, **options))

        yield start
