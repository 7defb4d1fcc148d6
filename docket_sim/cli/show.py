"""`docket-sim show`: everything that is known of one execution."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from docket_sim.cli.described import details
from docket_sim.cli.output import Json, json_text, print_fields, print_json
from docket_sim.cli.place import Place, known, reached
from docket_sim.clock.durations import shown
from docket_sim.docket import Docket
from docket_sim.execution import Record


def show(
    place: Place,
    key: Annotated[str, typer.Argument(help="The key of the execution.")],
    json: Json = False,
) -> None:
    """Show one execution: its state, its arguments, and what came of it."""
    docket = place.make()
    told = details(docket, asyncio.run(_record(place, docket, key)))
    if json:
        print_json(told)
    else:
        print_fields(_fields(told))


async def _record(place: Place, docket: Docket, key: str) -> Record:
    async with reached(place, docket):
        return await known(docket, key)


def _fields(told: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in told.items():
        match value:
            case None | False:
                continue
            case datetime():
                yield name, shown(value)
            case {"type": kind, "message": message, "traceback": traceback}:
                yield name, f"{kind}: {message}"
                yield "traceback", traceback
            case str() | int() if name != "result":
                yield name, value
            case _:
                yield name, json_text(value)
