"""The plugin's hooks and the fixture `sim`. The engine is loaded only when a test asks for it."""

import inspect
from collections.abc import Callable, Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from docket_sim import Simulation

_SIMULATION = pytest.StashKey["Simulation"]()
_BODY = pytest.StashKey[Callable[..., Coroutine[Any, Any, None]]]()
_SHOWN = 100  # lines of a timeline in a report
_MARKER = (
    "docket(start=, seed=, tasks=, workers=, concurrency=, dependencies=, codec=, execution_ttl=, "
    "freeze=, allow_failures=, patience=): how the world of the `sim` fixture is made; the "
    "keywords are those of docket_sim.simulate()."
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def sim(request: pytest.FixtureRequest) -> "Iterator[Simulation]":
    """A simulated world of this test's own: a docket, workers, and virtual time.

    The marker `docket` says how it is made: `@pytest.mark.docket(seed=7, workers=2)`. An execution
    that ends failed fails the test, unless `sim.acknowledge_failures()` was called.
    """
    # Imported here, so that a test run that does not use the fixture does not load the engine.
    from docket_sim import Simulation

    world = Simulation(**_options(request.node, Simulation))
    request.node.stash[_SIMULATION] = world
    body: Any = getattr(request.node, "obj", None)
    if inspect.iscoroutinefunction(body):
        request.node.stash[_BODY] = body
    with world:
        yield world
        # Whether failures went unseen was decided right after the test's own code.
        world.acknowledge_failures()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run an async test that uses `sim` on the world's own loop, whatever other plugin is there.

    Others run what they find in `pyfuncitem.obj`, or have replaced it before: so they are to find a
    plain function there, made of the test as it was when the fixture was set up.
    """
    __tracebackhide__ = True
    world = pyfuncitem.stash.get(_SIMULATION, None)
    body = pyfuncitem.stash.get(_BODY, None)
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
    """Fail a test that has passed, but left failures unseen."""
    __tracebackhide__ = True
    result = yield
    world = item.stash.get(_SIMULATION, None)
    if world is not None:
        world.check()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the timeline with a failing test."""
    report = yield
    world = item.stash.get(_SIMULATION, None)
    if world is not None and report.failed:
        start = world.clock.start.isoformat().replace("+00:00", "Z")
        title = f"docket timeline (start {start}, seed {world.seed})"
        report.sections.append((title, _last_lines(str(world.timeline)) or "nothing happened"))
    return report


def _options(node: pytest.Item, simulation: "type[Simulation]") -> dict[str, Any]:
    """The marker's keywords; those of a nearer marker win."""
    options: dict[str, Any] = {}
    for marker in node.iter_markers("docket"):
        if marker.args:
            raise pytest.UsageError(
                f"@pytest.mark.docket takes keywords only, found {marker.args!r} at {node.nodeid}"
            )
        options = {**marker.kwargs, **options}
    known = set(inspect.signature(simulation).parameters)
    unknown = sorted(set(options) - known)
    if unknown:
        raise pytest.UsageError(
            f"@pytest.mark.docket at {node.nodeid} has the unknown keyword "
            f"{', '.join(unknown)}; expected some of {', '.join(sorted(known))}"
        )
    return options


def _last_lines(text: str) -> str:
    lines = text.splitlines()
    if len(lines) <= _SHOWN:
        return text
    return "\n".join([f"… {len(lines) - _SHOWN} earlier lines", *lines[-_SHOWN:]])
