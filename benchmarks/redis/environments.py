"""Where the peers are installed: one virtual environment each, since their clients differ.

`python -m benchmarks.redis.environments [DIR] [--only NAME ...]` makes them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "DOCKET_SIM_BENCHMARK_ENVIRONMENTS"
"""The environment variable that says in which folder they are."""

_REQUIREMENTS = Path(__file__).parent / "requirements"
_OURS = "docket-sim"
_PACKAGES = (
    "docket-sim",
    "pydocket",
    "arq",
    "saq",
    "taskiq",
    "taskiq-redis",
    "dramatiq",
    "huey",
    "streaq",
    "redis",
    "coredis",
    "hiredis",
)
_ASK_VERSIONS = """
import importlib.metadata, json, sys
installed = {found.name: found.version for found in importlib.metadata.distributions()}
print(json.dumps({name: installed[name] for name in sys.argv[1:] if name in installed}))
"""


def names() -> list[str]:
    """The environments that can be made: one for each file of requirements."""
    return sorted(path.stem for path in _REQUIREMENTS.glob("*.txt"))


def folder() -> Path:
    """Where the environments are, unless somebody says otherwise."""
    given = os.environ.get(VARIABLE)
    return (
        Path(given) if given else Path(tempfile.gettempdir()) / "docket-sim-benchmark-environments"
    )


def interpreter(environment: str, where: Path) -> Path | None:
    """The Python of an environment, or `None` where it is not installed."""
    if environment == _OURS:
        return Path(sys.executable)
    python = where / environment / "bin" / "python"
    return python if _finished(where / environment).exists() else None


def versions(python: Path) -> dict[str, str]:
    """The versions of what an environment has of the packages that matter here."""
    done = subprocess.run(
        [python, "-c", _ASK_VERSIONS, *_PACKAGES], capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def make(environment: str, where: Path) -> None:
    """Make one environment; one that is there already is left as it is.

    Raises:
        CalledProcessError: pip could not install what it needs.
    """
    place = where / environment
    if _finished(place).exists():
        print(f"{environment}: there already")
        return
    print(f"{environment}: installing", flush=True)
    venv.create(place, with_pip=True, clear=True)
    requirements = _REQUIREMENTS / f"{environment}.txt"
    subprocess.run(
        [place / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements], check=True
    )
    _finished(place).touch()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redis.environments")
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=folder(),
        metavar="DIR",
        help=f"where to; by default what {VARIABLE} says, else {folder()}",
    )
    parser.add_argument("--only", nargs="+", choices=names(), default=names(), metavar="NAME")
    options = parser.parse_args(arguments)
    failed = [name for name in options.only if not _made(name, options.folder)]
    if failed:
        raise SystemExit(f"not installed: {', '.join(failed)}")
    if options.folder != folder():
        print(f"the benchmark finds them with {VARIABLE}={options.folder}")


def _made(environment: str, where: Path) -> bool:
    try:
        make(environment, where)
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return False
    return True


def _finished(place: Path) -> Path:
    """What marks an environment in which everything was installed."""
    return place / "installed"


if __name__ == "__main__":
    main()
