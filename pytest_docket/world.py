"""The world of one test: made when a fixture asks for it, and left when the test has been told.

Whether a test left something undone is decided right after its own code, by `pytest_runtest_call`.
What only the teardown of fixtures brings to light is found on leaving; then a test that has failed
already is left alone, so that nothing is reported twice.
"""

import inspect
from collections.abc import Generator
from contextlib import suppress

import pytest

from docket_sim import Simulation
from pytest_docket.keywords import Fixtures, keywords
from pytest_docket.logs import virtual_time_in_logs
from pytest_docket.stash import BODY, CHOICES, PASSED, WORLD, item_of


class _ReportedAlready(Exception):
    """The test has failed, so its world is left without looking at what is left undone."""


def opened(request: pytest.FixtureRequest, fixtures: Fixtures) -> Generator[Simulation]:
    """Yield the world of the test that `request` belongs to, entered; leave it afterwards."""
    __tracebackhide__ = True
    item = item_of(request)
    _refuse_trio(request)
    said = keywords(item, Simulation, fixtures)
    if CHOICES in item.stash:
        said["choices"] = item.stash[CHOICES]
        said.setdefault("faults", "none")
    world = Simulation(**said)
    item.stash[WORLD] = world
    body = getattr(item, "obj", None)
    if inspect.iscoroutinefunction(body):
        item.stash[BODY] = body
    with virtual_time_in_logs(request.config, world), suppress(_ReportedAlready), world:
        yield world
        if not item.stash.get(PASSED, False):
            raise _ReportedAlready


def _refuse_trio(request: pytest.FixtureRequest) -> None:
    """A world has an asyncio loop of its own: under trio, its test would wait for ever."""
    item = item_of(request)
    if "anyio_backend" in request.fixturenames:
        backend = request.getfixturevalue("anyio_backend")
        if (backend[0] if isinstance(backend, tuple) else backend) == "trio":
            pytest.fail(
                f"{item.nodeid} uses the fixture sim and anyio's backend trio; a world runs on an "
                f"asyncio loop of its own. Let the fixture anyio_backend return 'asyncio' where "
                f"tests use sim.",
                pytrace=False,
            )
    if item.get_closest_marker("trio") is not None:
        pytest.fail(
            f"{item.nodeid} uses the fixture sim and is marked trio; a world runs on an asyncio "
            f"loop of its own. Remove the marker, or set trio_mode = false: a test that uses sim "
            f"needs no plugin to run it.",
            pytrace=False,
        )
