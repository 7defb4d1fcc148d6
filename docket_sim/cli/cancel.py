"""`docket-sim cancel`: cancels one execution."""

import asyncio
from typing import Annotated

import typer

from docket_sim.cli.described import call_text
from docket_sim.cli.output import Json, print_json, print_line
from docket_sim.cli.place import EXECUTION_TTL, ExecutionTtl, Place, known, reached
from docket_sim.docket import Docket
from docket_sim.execution import ExecutionState, Record


def cancel(
    place: Place,
    key: Annotated[str, typer.Argument(help="The key of the execution.")],
    execution_ttl: ExecutionTtl = EXECUTION_TTL,
    json: Json = False,
) -> None:
    """Cancel an execution: one that waits never runs, one that runs is cancelled where it runs.

    One that has ended is left as it is.
    """
    docket = place.make(execution_ttl=execution_ttl)
    before = asyncio.run(_cancel(place, docket, key))
    if json:
        print_json(
            {
                "key": key,
                "task": before.call.task,
                "call": call_text(docket, before.call),
                "was": before.state.value,
                "cancelled": not before.state.finished,
            }
        )
    else:
        print_line(_sentence(docket, before))


async def _cancel(place: Place, docket: Docket, key: str) -> Record:
    async with reached(place, docket):
        before = await known(docket, key)
        await docket.cancel(key)
        return before


def _sentence(docket: Docket, before: Record) -> str:
    call = f"{call_text(docket, before.call)} [{before.call.key}]"
    if before.state.finished:
        return f"{call} had ended already, {before.state.value}: it is left as it is"
    if before.state is ExecutionState.RUNNING:
        return f"{call} is being cancelled by its worker, {before.worker}"
    return f"cancelled {call}, which was {before.state.value}"
