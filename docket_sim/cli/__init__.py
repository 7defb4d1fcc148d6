"""The command line: `docket-sim`, or `python -m docket_sim.cli`.

What it is made of needs the extra `cli`; this file does not, so that it can say so.
"""

import importlib
import sys

__all__ = ["main"]

_EXTRA = ("click", "rich", "typer")


def main() -> None:
    """Run the command that `sys.argv` names, and exit with its code."""
    try:
        application = importlib.import_module("docket_sim.cli.application")
    except ModuleNotFoundError as missing:
        if missing.name not in _EXTRA:
            raise
        sys.exit(
            f"docket-sim: the command line needs {missing.name}, which is not installed: "
            f"pip install 'docket-sim[cli]'"
        )
    application.app(prog_name="docket-sim")
