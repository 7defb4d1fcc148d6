"""From `module:collection` to registered tasks, and to one line when that fails."""

import importlib
import re
import sys
import traceback
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

from docket_sim.cli.complaints import usage
from docket_sim.docket import Docket
from docket_sim.errors import DocketError, error_text

_BETWEEN = re.compile(r"[\s,]+")


def register(docket: Docket, collections: Iterable[str]) -> None:
    """Import `collections` of tasks, the current directory first, and register what they hold.

    Raises:
        BadParameter: there is no such module or collection, or what it holds are no tasks.
        DocketError: a module failed while it was imported.
    """
    look_here()
    for given in collections:
        for path in filter(None, _BETWEEN.split(given)):
            _register(docket, path)


def look_here() -> None:
    """Let modules be imported from the current directory, before all others."""
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)


def _register(docket: Docket, path: str) -> None:
    module, colon, _ = path.partition(":")
    if colon and module:
        import_module(module, of="--tasks")
    try:
        docket.register_collection(path)
    except (ValueError, TypeError, DocketError) as error:
        raise usage(str(error), of="--tasks") from error


def import_module(module: str, *, of: str) -> ModuleType:
    """Import what was named by `of`, an option or argument.

    Raises:
        BadParameter: there is no such module.
        DocketError: it failed while it was imported.
    """
    try:
        # What a module prints while it is imported is no part of a command's output.
        with redirect_stdout(sys.stderr):
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise _failed(module, error) from error
        raise usage(
            f"there is no module {error.name!r}: expected one in the current directory, "
            f"{Path.cwd()}, or on PYTHONPATH",
            of=of,
        ) from None
    except Exception as error:
        raise _failed(module, error) from error


def _failed(module: str, error: Exception) -> DocketError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f" ({last.filename}:{last.lineno})"
    return DocketError(f"{module} could not be imported: {error_text(error)}{where}")
