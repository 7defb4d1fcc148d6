"""One case in a process of its own, so that none sees another's imports, garbage or caches.

`python -m benchmarks.case NAME` prints what it measured as JSON.
"""

import importlib
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CASES: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "fixture": ("laboratory", "fixture_thawed", ()),
    "fixture-frozen": ("laboratory", "fixture_frozen", ()),
    "fixture-pydocket": ("rival", "fixture", ()),
    "throughput": ("laboratory", "throughput", ()),
    "throughput-pydocket": ("rival", "throughput", ()),
    "retry": ("laboratory", "retry", ()),
    "retry-pydocket": ("rival", "retry", ()),
    "perpetual": ("laboratory", "perpetual", ()),
    "sleepers": ("loops", "docket_sim", ()),
    "sleepers-looptime": ("loops", "looptime", ()),
    "sleepers-async-solipsism": ("loops", "async_solipsism", ()),
    "yardstick": ("loops", "yardstick", ()),
    "growth-1k": ("laboratory", "growth", (1_000,)),
    "growth-10k": ("laboratory", "growth", (10_000,)),
    "growth-100k": ("laboratory", "growth", (100_000,)),
    "growth-1k-pydocket": ("rival", "growth", (1_000,)),
    "growth-10k-pydocket": ("rival", "growth", (10_000,)),
    "examples-empty": ("laboratory", "examples_empty", ()),
    "examples": ("laboratory", "examples_thawed", ()),
    "examples-frozen": ("laboratory", "examples_frozen", ()),
    "examples-pydocket": ("rival", "examples", ()),
    "plugin": ("plugin", "start", ()),
}
"""Each case by name: its module, its function there, and what that is called with."""


class CaseFailed(Exception):
    """A case did not do what it is to measure, or could not run at all."""


def load(name: str) -> Callable[[], dict[str, float]]:
    """The function that runs the case `name`."""
    module, function, arguments = CASES[name]
    return partial(getattr(importlib.import_module(f"benchmarks.{module}"), function), *arguments)


def measure(name: str) -> dict[str, float]:
    """What the case `name` measures, run in a fresh process.

    Raises:
        CaseFailed: it ended with an error.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.case", name],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise CaseFailed(f"{name}:\n{done.stdout}{done.stderr}")
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1])()))
