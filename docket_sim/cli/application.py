"""The commands of `docket-sim`, under one roof."""

from importlib.metadata import version
from typing import Annotated

import typer

from docket_sim.cli.add import add
from docket_sim.cli.cancel import cancel
from docket_sim.cli.clear import clear
from docket_sim.cli.complaints import OneLine
from docket_sim.cli.explore import explore
from docket_sim.cli.options import flattened
from docket_sim.cli.show import show
from docket_sim.cli.snapshot import snapshot
from docket_sim.cli.tasks import tasks
from docket_sim.cli.worker import worker

# Tracebacks stay Python's own: prettier ones may show local variables, and passwords with them.
app = typer.Typer(
    name="docket-sim",
    cls=OneLine,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # in a table of eighty columns, options and variables are cut short
)
for command in (worker, snapshot, tasks, add, show, cancel, clear, explore):
    app.command()(flattened(command))


@app.callback(invoke_without_command=True)
def docket_sim(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    """Background tasks: run them, schedule them, look at them, search for how they fail."""
    if show_version:
        typer.echo(version("docket-sim"))
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
