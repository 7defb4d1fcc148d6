"""What the measurements were taken on."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "docket-sim",
    "pydocket",
    "looptime",
    "async-solipsism",
    "freezegun",
    "hypothesis",
    "pydantic",
    "redis",
    "burner-redis",
)


def facts() -> str:
    """The machine, the interpreter and the packages, in two lines."""
    load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
    machine = (
        f"{platform.python_implementation()} {platform.python_version()} on {sys.platform} "
        f"{platform.machine()}, {os.cpu_count()} cores, load {load}"
    )
    return f"{machine}\n{', '.join(f'{name} {_version(name)}' for name in _PACKAGES)}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "(absent)"
