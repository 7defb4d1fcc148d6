"""What the plugin keeps with a test, and what can be told of one before there is a world."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from docket_sim import Simulation
    from docket_sim.simulation.choices import Choices

WORLD: "pytest.StashKey[Simulation]" = pytest.StashKey()
BODY = pytest.StashKey[Callable[..., Coroutine[Any, Any, None]]]()
MARKED = pytest.StashKey[bool]()
PASSED = pytest.StashKey[bool]()
CHOICES: "pytest.StashKey[Choices]" = pytest.StashKey()
ERROR = pytest.StashKey[BaseException]()
PATHS = pytest.StashKey[Mapping[str, str]]()

WORLD_FIXTURE = "_docket_world"
_NEEDED_FIRST = ("docket_tasks", "docket_config", "docket_start", "docket_store")


def forget_run(item: pytest.Item) -> None:
    """Forget what was kept of a run of `item`, before the next."""
    for key in (WORLD, BODY, PASSED, ERROR, PATHS):
        untyped: Any = key
        if untyped in item.stash:
            del item.stash[untyped]


def note_paths(item: pytest.Item) -> None:
    """Remember the paths that fixtures gave to this run of `item`; the next one has others."""
    values: Mapping[str, Any] = getattr(item, "funcargs", None) or {}
    paths = {name: value for name, value in values.items() if isinstance(value, Path)}
    item.stash[PATHS] = {str(path): f"<{name}>" for name, path in paths.items()}


def item_of(request: pytest.FixtureRequest) -> pytest.Item:
    """The test that a function-scoped fixture is set up for."""
    untyped: Any = request  # pytest says of the node only that there is one
    return cast("pytest.Item", untyped.node)


def uses_world(item: pytest.Item) -> bool:
    """Whether `item` has a world, or will have one because it needs `sim`."""
    if WORLD in item.stash:
        return True
    for definition in reversed(_definitions(item, "sim")):
        if WORLD_FIXTURE in definition.argnames:
            return True
        if "sim" not in definition.argnames:
            return False  # a fixture of the user's own, which happens to have that name
    return False


def needed_by_world(item: pytest.Item) -> set[str]:
    """The fixtures that have to be set up before there can be a world."""
    found: set[str] = set()
    to_see: list[str] = [*_NEEDED_FIRST]
    while to_see:
        name = to_see.pop()
        if name not in found:
            found.add(name)
            to_see.extend(arg for each in _definitions(item, name) for arg in each.argnames)
    return found


def note_marker(item: pytest.Item) -> None:
    """Remember a marker `docket` that stands on the test itself, not on its class or module."""
    if any(marker.name == "docket" for marker in item.own_markers):
        item.stash[MARKED] = True


def refuse_idle_marker(item: pytest.Item) -> None:
    """Say so if the test has been marked, but has no world that the marker could be about.

    Raises:
        Failed: that is so.
    """
    if item.stash.get(MARKED, False) and not uses_world(item):
        pytest.fail(
            f"@pytest.mark.docket at {item.nodeid} has no effect, because the test does not use "
            f"the fixture sim. Ask for the fixture sim, or remove the marker.",
            pytrace=False,
        )


def _definitions(item: pytest.Item, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """The definitions of a fixture that `item` sees, the nearest last."""
    information: Any = getattr(item, "_fixtureinfo", None)  # other plugins read it, too
    return () if information is None else information.name2fixturedefs.get(name, ())
