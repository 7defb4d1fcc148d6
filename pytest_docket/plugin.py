"""The plugin's hooks and fixtures. The engine is loaded only when a test asks for a world."""

import inspect
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_docket.keywords import determinism, seeds
from pytest_docket.options import OPTIONS, add_options, read
from pytest_docket.stash import (
    BODY,
    CHOICES,
    ERROR,
    PASSED,
    WORLD,
    item_of,
    note_marker,
    note_paths,
    refuse_idle_marker,
    uses_world,
)

if TYPE_CHECKING:
    from docket_sim import Simulation

_MARKER = (
    "docket(start=, seed=, tasks=, workers=, faults=, ...): how the world of the `sim` fixture is "
    "made; the keywords are those of docket_sim.simulate(). With seeds=N, the test is run N times, "
    "with other interleavings and faults each time."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the ini keys and options known."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known, and check what the ini file and the command line say."""
    config.addinivalue_line("markers", _MARKER)
    config.stash[OPTIONS] = read(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Say what worlds begin with."""
    return config.stash[OPTIONS].header


@pytest.fixture
def docket_tasks(request: pytest.FixtureRequest) -> Any:
    """The tasks of each world: a list, or a collection as `module:attribute`. Override it."""
    from pytest_docket.keywords import default_tasks

    return default_tasks(request.config)


@pytest.fixture
def docket_config() -> Mapping[str, Any]:
    """Further keywords of `simulate()` for each world. Override it."""
    return {}


@pytest.fixture
def docket_start() -> Any:
    """The first instant of each world: an aware datetime, ISO text, or None. Override it."""
    return None


@pytest.fixture
def _docket_named_store(request: pytest.FixtureRequest) -> Any:
    # What the options name: one of several, each in turn, or the only one.
    stores = request.config.stash[OPTIONS].stores
    return getattr(request, "param", stores[0] if stores else None)


@pytest.fixture
def docket_store(_docket_named_store: Any) -> Any:
    """Where the docket of a world lives: `memory`, `fakeredis`, a URL, or None for the default.

    Override it, with `params=` to run tests on several stores.
    """
    return _docket_named_store


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test with a world on every store that was asked for."""
    stores = metafunc.config.stash[OPTIONS].stores
    # A fixture docket_store of the user's own may decide otherwise: then it does not ask for this.
    if len(stores) > 1 and "_docket_named_store" in metafunc.fixturenames:
        names = [store.partition("://")[0] for store in stores]
        metafunc.parametrize("_docket_named_store", stores, indirect=True, ids=names)


@pytest.fixture
def _docket_world(
    request: pytest.FixtureRequest,
    docket_tasks: Any,
    docket_config: Any,
    docket_start: Any,
    docket_store: Any,
) -> "Iterator[Simulation]":
    # Async fixtures ask for it by this name, also where `sim` is overridden and in the making.
    __tracebackhide__ = True
    from pytest_docket.keywords import Fixtures
    from pytest_docket.world import opened

    fixtures = Fixtures(docket_tasks, docket_config, docket_start, docket_store)
    yield from opened(request, fixtures)


@pytest.fixture
def sim(_docket_world: "Simulation") -> "Simulation":
    """A simulated world of this test's own: a docket, workers, and virtual time.

    The marker `docket` says how it is made: `@pytest.mark.docket(seed=7, workers=2)`. An execution
    that ends failed fails the test, unless `sim.acknowledge_failures()` was called.
    """
    return _docket_world


def pytest_itemcollected(item: pytest.Item) -> None:
    """Take note of a marker before others add some to all tests."""
    note_marker(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker without effect, where that can be told already."""
    if "request" not in getattr(item, "fixturenames", ()):
        refuse_idle_marker(item)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Run a test many times, if that is asked for; others are pytest's own business."""
    options = item.config.stash[OPTIONS]
    if not uses_world(item):
        return None
    try:
        runs, repeats = seeds(item), determinism(item)
    except pytest.fail.Exception:
        return None  # its world will refuse the marker, in the report of the test
    if not runs and options.replay is None:
        return None
    from pytest_docket.search import Wanted, run_many_times

    seed = options.command_line.get("seed", 0)
    run_many_times(item, nextitem, Wanted(runs, seed, options.replay, repeats))
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Run an async fixture of a test that uses `sim` on the world's own loop."""
    __tracebackhide__ = True
    function = fixturedef.func
    is_async = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if is_async and request.scope == "function" and uses_world(item_of(request)):
        from pytest_docket.async_fixtures import take_to_world

        take_to_world(fixturedef, request)
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run an async test that uses `sim` on the world's own loop, whatever other plugin is there.

    Others run what they find in `pyfuncitem.obj`, or have replaced it before: so they are to find a
    plain function there, made of the test as it was when the fixture was set up.
    """
    __tracebackhide__ = True
    world = pyfuncitem.stash.get(WORLD, None)
    body = pyfuncitem.stash.get(BODY, None)
    if world is None or body is None:
        return (yield)

    def on_the_worlds_loop(**arguments: Any) -> None:
        __tracebackhide__ = True
        world.run(body(**arguments))

    found = pyfuncitem.obj
    pyfuncitem.obj = on_the_worlds_loop
    try:
        return (yield)
    finally:
        pyfuncitem.obj = found


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that has passed, but left something undone."""
    __tracebackhide__ = True
    if CHOICES in item.stash:
        note_paths(item)
    result = yield
    refuse_idle_marker(item)
    world = item.stash.get(WORLD, None)
    if world is not None:
        world.check()
        if len(item.config.stash[OPTIONS].stores) > 1:
            from pytest_docket.stores import compare

            compare(item, world)
        item.stash[PASSED] = True
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the timeline with a failing test."""
    report = yield
    world = item.stash.get(WORLD, None)
    if world is not None:
        if call.excinfo is not None:
            item.stash.setdefault(ERROR, call.excinfo.value)
            item.stash[PASSED] = False  # also where pytest_runtest_call saw no exception: unittest
            world.excuse_overrides()  # a fixture's `with` block does not see that
        from pytest_docket.report import add_sections

        add_sections(item, report, world)
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Compare two tallies count by count."""
    from pytest_docket.comparison import explain

    return explain(left, right) if op == "==" else None
