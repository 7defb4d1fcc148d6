"""What the pytest plugin adds to the start of a test run that does not use it."""

import os
import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import workload
from benchmarks.measure import took

_LEAN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
"""The less there is besides, the less of a difference drowns in it."""
_WITHOUT = ("-p", "no:docket")
_NO_TESTS = 5
"""pytest's exit status where there is nothing to run."""


def start() -> dict[str, float]:
    """Runs of pytest on an empty test file, in pairs: with the plugin, and without."""
    with TemporaryDirectory() as directory:
        empty = Path(directory) / "test_nothing.py"
        empty.touch()
        # These two do not count: they compile everything, as installing a package does.
        assert "docket(" in _pytest(empty, "--markers")
        assert "docket(" not in _pytest(empty, "--markers", *_WITHOUT)
        pairs = [_pair(empty, number) for number in range(workload.STARTS)]
    return {
        "ms": 1_000 * statistics.median(with_it - without for with_it, without in pairs),
        "whole": 1_000 * statistics.median(with_it for with_it, _ in pairs),
    }


def _pair(empty: Path, number: int) -> tuple[float, float]:
    """Seconds with the plugin and without; who goes first takes turns."""
    with_it, without = partial(_pytest, empty), partial(_pytest, empty, *_WITHOUT)
    if number % 2 == 0:
        return took(with_it), took(without)
    last = took(without)
    return took(with_it), last


def _pytest(empty: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *_LEAN, *options, empty.name],
        cwd=empty.parent,
        env=_compiling(empty.parent),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, _NO_TESTS}, done.stdout + done.stderr
    return done.stdout


def _compiling(directory: Path) -> dict[str, str]:
    """The environment, but that what is compiled is kept, under `directory`."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(directory / "compiled")}
