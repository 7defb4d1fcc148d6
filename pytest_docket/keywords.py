"""The keywords of `simulate()` for one test; the nearest that says something wins.

From near to far: the command line, the marker `docket`, the fixtures `docket_tasks`, `docket_start`
and `docket_config`, the ini file, and the defaults of `simulate()` itself.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

import pytest

from pytest_docket.options import OPTIONS, instant

_OF_THE_SEARCH = ("seeds", "determinism")
"""What a marker may say that is not the world's business, but that of who runs the test."""


@dataclass(frozen=True, slots=True)
class Fixtures:
    """What the fixtures that a user may override gave for one test."""

    docket_tasks: Any
    docket_config: Any
    docket_start: Any
    docket_store: Any


def keywords(
    node: pytest.Item, simulate: Callable[..., object], fixtures: Fixtures
) -> dict[str, Any]:
    """What `simulate` is to be called with for the test `node`.

    Raises:
        Failed: something was said that cannot be meant; the message says where.
    """
    known = [name for name in inspect.signature(simulate).parameters if name != "choices"]
    options = node.config.stash[OPTIONS]
    return {
        **options.ini,
        **_from_fixtures(node, known, fixtures),
        **_from_markers(node, known),
        **options.command_line,
    }


def seeds(node: pytest.Item) -> int:
    """How many runs of the test `node` are asked for; 0 when it is run once, as any other.

    Raises:
        Failed: the marker says something else than a number.
    """
    asked: int | None = node.config.stash[OPTIONS].seeds
    if asked is not None:
        return asked
    for marker in node.iter_markers("docket"):
        if "seeds" in marker.kwargs:
            said = marker.kwargs["seeds"]
            if isinstance(said, bool) or not isinstance(said, int) or said < 1:
                _refuse(
                    f"@pytest.mark.docket at {node.nodeid}: seeds: expected a number of runs, "
                    f"1 or more, found {said!r}"
                )
            return said
    return 0


def determinism(node: pytest.Item) -> bool:
    """Whether the first run of a search of the test `node` is to be made twice.

    Raises:
        Failed: the marker says neither yes nor no.
    """
    for marker in node.iter_markers("docket"):
        said = marker.kwargs.get("determinism")
        if isinstance(said, bool):
            return said
        if said is not None:
            _refuse(
                f"@pytest.mark.docket at {node.nodeid}: determinism: expected True or False, "
                f"found {said!r}"
            )
    return node.config.stash[OPTIONS].determinism


def default_tasks(config: pytest.Config) -> Any:
    """The tasks that the ini file names, or none."""
    return config.stash[OPTIONS].ini.get("tasks", ())


def _from_fixtures(node: pytest.Item, known: list[str], fixtures: Fixtures) -> dict[str, Any]:
    config: Any = fixtures.docket_config
    where = f"the fixture docket_config for {node.nodeid}"
    if not isinstance(config, Mapping):
        _refuse(f"{where}: expected a mapping with keywords of simulate(), found {config!r}")
    said = _checked(where, {**config}, known)
    tasks, start = fixtures.docket_tasks, fixtures.docket_start
    if callable(tasks):
        _refuse(
            f"the fixture docket_tasks for {node.nodeid}: expected a list of tasks, or a "
            f"collection as 'module:attribute', found the single {tasks!r}; return it in a list"
        )
    if tasks != default_tasks(node.config):
        said["tasks"] = tasks
    if fixtures.docket_store is not None:
        said["store"] = fixtures.docket_store
    if start is not None:
        said["start"] = _as_instant(f"the fixture docket_start for {node.nodeid}", start)
    return said


def _from_markers(node: pytest.Item, known: list[str]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    where = f"@pytest.mark.docket at {node.nodeid}"
    for marker in node.iter_markers("docket"):
        if marker.args:
            _refuse(f"{where} takes keywords only, found {marker.args!r}")
        said = {**marker.kwargs, **said}
    seeds(node)  # refuse what is no number of runs,
    determinism(node)  # or neither yes nor no
    for name in _OF_THE_SEARCH:
        said.pop(name, None)
    return _checked(where, said, known)


def _checked(where: str, said: dict[str, Any], known: list[str]) -> dict[str, Any]:
    unknown = sorted(str(name) for name in said.keys() - set(known))
    if unknown:
        near = [get_close_matches(name, [*known, *_OF_THE_SEARCH], n=1) for name in unknown]
        meant = ", ".join(found[0] for found in near if found)
        _refuse(
            f"{where} has the unknown keyword {', '.join(unknown)}; "
            + (f"did you mean {meant}? " if meant else "")
            + f"expected some of {', '.join(sorted([*known, *_OF_THE_SEARCH]))}"
        )
    if "start" in said:
        said["start"] = _as_instant(where, said["start"])
    return said


def _as_instant(where: str, start: Any) -> Any:
    if not isinstance(start, str):
        return start  # the engine checks what it is
    try:
        return instant(start)
    except ValueError as error:
        _refuse(f"{where}: start: {error}")


def _refuse(message: str) -> NoReturn:
    pytest.fail(message, pytrace=False)
