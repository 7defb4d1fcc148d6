"""How commands complain: in one line on stderr, with 2 for usage and 1 for operational trouble."""

import sys
from typing import Any, NoReturn, Protocol, runtime_checkable

import typer
from typer.core import TyperGroup

from docket_sim.errors import DocketError

OPERATIONAL = 1
USAGE = 2


@runtime_checkable
class _Complaint(Protocol):
    """What typer raises about options and arguments, under whatever name its version gives it."""

    exit_code: int

    def format_message(self) -> str: ...


class OneLine(TyperGroup):
    """A group of commands whose errors are one line each."""

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Run the command, complain if need be, and exit."""
        kwargs["standalone_mode"] = False
        try:
            code: object = super().main(*args, **kwargs)
        except typer.Abort:
            _exit("nothing was done", OPERATIONAL)
        except (DocketError, OSError) as error:
            _exit(str(error) or type(error).__name__, OPERATIONAL)
        except Exception as error:
            if not isinstance(error, _Complaint):
                raise
            _exit(error.format_message() + _hint(error), error.exit_code)
        sys.exit(code if isinstance(code, int) else 0)


def usage(message: str, *, of: str) -> typer.BadParameter:
    """The error to raise when what was given as `of`, an option or argument, cannot be used."""
    return typer.BadParameter(message, param_hint=of)


def _exit(message: str, code: int) -> NoReturn:
    typer.echo(f"docket-sim: {' '.join(message.split())}", err=True)
    sys.exit(code)


def _hint(error: object) -> str:
    context = getattr(error, "ctx", None)
    return "" if context is None else f" ({context.command_path} --help tells more)"
