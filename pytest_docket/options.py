"""What the ini file and the command line say, checked at the start without loading the engine."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import pytest

_DEFAULT_SEED = 0
_NAMED_STORES = ("memory", "fakeredis")
_DEFAULT_START = datetime(2030, 1, 1, tzinfo=UTC)  # the engine's own, which is not loaded for it

Kind = Literal["string", "int", "float", "bool"]


@dataclass(frozen=True, slots=True)
class Options:
    """What was said for the whole test run.

    Attributes:
        ini: keywords of `simulate()` that the ini file gives.
        command_line: those that the command line gives.
        stores: the stores that each test with a world runs on; several are compared.
        timeline: whose reports show a timeline: `failed`, `always` or `never`.
        timeline_lines: how many lines of it a report shows.
        html: where an HTML page is written for each failing test, or `None`.
        seeds: how many times each test with a world is run, or `None` for what its marker says.
        replay: the token of the only run of each test with a world, or `None`.
        failures: where failing runs of a search are kept, or `None`.
        determinism: whether a search makes its first run twice, where the marker says nothing.
    """

    ini: dict[str, Any]
    command_line: dict[str, Any]
    stores: tuple[str, ...]
    timeline: str
    timeline_lines: int
    html: Path | None
    seeds: int | None = None
    replay: str | None = None
    failures: Path | None = None
    determinism: bool = True

    @property
    def header(self) -> str:
        """The line in pytest's header."""
        said = {**self.ini, **self.command_line}
        start = said.get("start", _DEFAULT_START)
        return (
            f"docket-sim {_version()}: seed {said.get('seed', _DEFAULT_SEED)}, "
            f"start {written(start)}"
            + (f", on {', '.join(map(masked, self.stores))}" if self.stores else "")
        )


OPTIONS = pytest.StashKey[Options]()


def instant(text: str) -> datetime:
    """An instant that is written as `2030-01-01T00:00:00Z` or `2030-01-01`; UTC without a zone.

    Raises:
        ValueError: it is written otherwise.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"expected an instant such as 2030-01-01T00:00:00Z or 2030-01-01, found {text!r}"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def written(moment: datetime) -> str:
    """An instant as reports show it."""
    return moment.isoformat().replace("+00:00", "Z")


def masked(store: str) -> str:
    """A store's name or URL as it may be shown: without a password."""
    return re.sub(r"://([^:@/]*):[^@]*@", r"://\1:***@", store).partition("?")[0]


def add_options(parser: pytest.Parser) -> None:
    """Make the ini keys and the command line's options known."""
    for name, setting in _SETTINGS.items():
        parser.addini(f"docket_{name}", setting.help, type=setting.kind, default=None)
    group = parser.getgroup("docket", "docket-sim")
    group.addoption(
        "--docket-seed", type=int, metavar="N", help="seed of every world, whatever tests say"
    )
    group.addoption(
        "--docket-start",
        metavar="ISO",
        help="first instant of every world, whatever tests say: 2030-01-01T00:00:00Z",
    )
    group.addoption(
        "--docket-store",
        metavar="STORE",
        help="where the dockets of worlds live: memory, fakeredis, or a URL such as "
        "redis://localhost:6379/15; several, or all of them (all: memory, fakeredis, and the URL "
        "of DOCKET_URL), are run one after the other and compared",
    )
    group.addoption(
        "--docket-timeline",
        choices=("failed", "always", "never"),
        default="failed",
        help="whose reports show the timeline (-rA or -rP shows those of passing tests)",
    )
    group.addoption(
        "--docket-seeds",
        type=int,
        metavar="N",
        help="run each test with a world N times, with other interleavings and, where its marker "
        "or --docket-faults says so, faults; report the simplest failing run",
    )
    group.addoption(
        "--docket-faults",
        choices=("none", "rough", "hostile"),
        help="what goes wrong in every world, whatever tests say",
    )
    group.addoption(
        "--docket-replay", metavar="TOKEN", help="make that one run of a test that was searched"
    )
    group.addoption(
        "--docket-html", metavar="DIR", help="write an HTML page for each failing test with a world"
    )


def read(config: pytest.Config) -> Options:
    """What the ini file and the command line say.

    Raises:
        UsageError: a value that cannot work; the message names its key.
    """
    ini = {name: _ini_value(config, name, setting) for name, setting in _SETTINGS.items()}
    said = {name: value for name, value in ini.items() if value is not None}
    lines = said.pop("timeline_lines", 100)
    html: str | None = config.getoption("--docket-html")
    failures = said.pop("failures", ".docket")
    determinism = said.pop("determinism", True)
    timeline: Any = config.getoption("--docket-timeline")
    return Options(
        ini=said,
        command_line=_command_line(config),
        stores=_stores(config.getoption("--docket-store") or said.pop("store", "")),
        timeline=timeline,
        timeline_lines=lines,
        html=None if html is None else config.invocation_params.dir / html,
        seeds=_seeds(config),
        replay=config.getoption("--docket-replay"),
        failures=config.rootpath / failures if failures else None,
        determinism=determinism,
    )


def _command_line(config: pytest.Config) -> dict[str, Any]:
    said: dict[str, Any] = {}
    seed, start = config.getoption("--docket-seed"), config.getoption("--docket-start")
    faults = config.getoption("--docket-faults")
    if seed is not None:
        said["seed"] = seed
    if faults is not None:
        said["faults"] = faults
    if start is not None:
        try:
            said["start"] = instant(start)
        except ValueError as error:
            raise pytest.UsageError(f"--docket-start: {error}") from None
    return said


def _seeds(config: pytest.Config) -> int | None:
    seeds: int | None = config.getoption("--docket-seeds")
    if seeds is not None and seeds < 1:
        raise pytest.UsageError(f"--docket-seeds: expected 1 or more, found {seeds}")
    return seeds


def _stores(text: str) -> tuple[str, ...]:
    """The stores that `text` names; none for the default."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    if "all" in words:
        url = os.environ.get("DOCKET_URL")
        if url is None:
            raise pytest.UsageError(
                "--docket-store=all runs tests on memory, on fakeredis and on a Redis server, and "
                "expects the URL of that server in DOCKET_URL, which is not set; set it, or name "
                "the stores: --docket-store=memory,fakeredis,redis://localhost:6379/15"
            )
        words = ["memory", "fakeredis", url]
    for word in words:
        if word not in _NAMED_STORES and "://" not in word:
            raise pytest.UsageError(
                f"--docket-store: expected {', '.join(_NAMED_STORES)}, all, or a URL such as "
                f"redis://localhost:6379/15, found {masked(word)!r}"
            )
    return tuple(dict.fromkeys(words))


def _ini_value(config: pytest.Config, name: str, setting: "_Setting") -> Any:
    try:
        value = config.getini(f"docket_{name}")
        return None if value is None else setting.check(value)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"the ini key docket_{name}: {error}") from None


def _version() -> str:
    try:
        return version("docket-sim")
    except PackageNotFoundError:
        return "(not installed as a package)"


def _as_it_is(value: Any) -> Any:
    return value


def _pending(value: str) -> bool | str:
    word = value.lower()
    if word not in {"true", "false", "future"}:
        raise ValueError(f"expected true, false or future, found {value!r}")
    return word if word == "future" else word == "true"


def _positive(value: float) -> float:
    if value <= 0:
        raise ValueError(f"expected more than 0, found {value}")
    return value


def _profile(value: str) -> str:
    if value not in {"none", "rough", "hostile"}:
        raise ValueError(f"expected none, rough or hostile, found {value!r}")
    return value


def _collection(value: str) -> str:
    module, _, attribute = value.partition(":")
    if not module or not attribute:
        raise ValueError(f"expected a collection of tasks as module:attribute, found {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class _Setting:
    kind: Kind
    help: str
    check: Callable[[Any], Any] = _as_it_is


_SETTINGS = {
    "start": _Setting("string", "first instant of a world: 2030-01-01T00:00:00Z", instant),
    "seed": _Setting("int", "what ids and jitter are drawn from"),
    "tasks": _Setting("string", "tasks of every world, as module:attribute", _collection),
    "workers": _Setting("int", "how many workers a world has", _positive),
    "concurrency": _Setting("int", "how many attempts a worker runs at once", _positive),
    "codec": _Setting("string", "how values travel"),
    "store": _Setting("string", "where the dockets of worlds live, as for --docket-store"),
    "faults": _Setting("string", "what goes wrong in a world: none, rough, hostile", _profile),
    "failures": _Setting("string", "where failing runs of a search are kept; .docket by default"),
    "determinism": _Setting("bool", "whether a search makes its first run twice, to compare"),
    "freeze": _Setting("bool", "whether user code sees virtual time in datetime.now()"),
    "patience": _Setting("float", "real seconds that threads may hold virtual time", _positive),
    "steps": _Setting("int", "steps of a run without progress before it has no end", _positive),
    "allow_failures": _Setting("bool", "whether executions may end failed unseen"),
    "allow_pending": _Setting("string", "whether work may be left: true, false, future", _pending),
    "allow_leaked_tasks": _Setting("bool", "whether a test may leave asyncio tasks running"),
    "allow_blocking_sleep": _Setting("bool", "whether time.sleep() may block the loop"),
    "timeline_lines": _Setting("int", "how many lines of a timeline a report shows", _positive),
}
