"""`docket-sim clear`: cancels everything that waits."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from docket_sim.cli.output import Json, print_json, print_line
from docket_sim.cli.place import EXECUTION_TTL, ExecutionTtl, Place, reached
from docket_sim.docket import Docket


def clear(
    place: Place,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    execution_ttl: ExecutionTtl = EXECUTION_TTL,
    json: Json = False,
) -> None:
    """Cancel everything that waits; what runs goes on, what has ended is kept."""
    docket = place.make(execution_ttl=execution_ttl)
    waiting = asyncio.run(_waiting(place, docket))
    if waiting and not yes:
        _ask(f"cancel everything that waits in {place.shown}: {waiting} in all?")
    cleared = asyncio.run(_clear(place, place.make(execution_ttl=execution_ttl), waiting))
    if json:
        print_json({"docket": place.docket, "cancelled": cleared})
    else:
        print_line(f"cancelled {cleared} executions of {place.shown}")


def _ask(question: str) -> None:
    # Not typer's own way to ask: that writes a space to stdout.
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise typer.Abort


async def _waiting(place: Place, docket: Docket) -> int:
    async with reached(place, docket):
        return len((await docket.snapshot()).future)


async def _clear(place: Place, docket: Docket, waiting: int) -> int:
    console = Console(stderr=True)
    console.quiet = not console.is_terminal
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task("cancelling", total=waiting)

        def cancelled(so_far: int) -> None:
            progress.update(bar, completed=so_far)

        async with reached(place, docket):
            return await docket.clear(progress=cancelled)
