"""`docket-sim add`: schedules a call of a task."""

import asyncio
import json as json_module
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, cast

import typer

from docket_sim.cli.complaints import usage
from docket_sim.cli.described import call_text, distance
from docket_sim.cli.options import duration_option
from docket_sim.cli.output import Json, print_json, print_line
from docket_sim.cli.place import CodecName, Place, reached
from docket_sim.clock import as_utc
from docket_sim.clock.durations import shown
from docket_sim.docket import Docket
from docket_sim.errors import PayloadError
from docket_sim.execution import Disposition, Execution
from docket_sim.task import Task


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be scheduled, as options tell of it; each says what it is for."""

    args: Annotated[
        str, typer.Option(metavar="JSON", help='The arguments by name, such as {"order_id": 7}.')
    ] = "{}"
    key: Annotated[str | None, typer.Option(help="Names the execution; a fresh id by default.")] = (
        None
    )
    delay: Annotated[
        timedelta | None, duration_option("--in", help="Make it due so much later than now.")
    ] = None
    at: Annotated[
        str | None,
        typer.Option(metavar="ISO", help="Make it due then, such as 2030-01-01T09:00:00Z."),
    ] = None


def add(
    place: Place,
    task: Annotated[str, typer.Argument(help="The task's name; --tasks tells of its collection.")],
    wish: Wish,
    json: Json = False,
) -> None:
    """Schedule a call of a task. A key that has not ended keeps what it has."""
    docket = place.make()
    when = _when(docket, wish)
    if wish.key == "":
        raise usage("expected at least one character, found none", of="--key")
    positional, by_keyword = _arguments(_task(docket, task), _object(wish.args), place.codec)

    async def submit() -> Execution:
        async with reached(place, docket):
            return await docket.add(task, when, wish.key)(*positional, **by_keyword)

    try:
        execution = asyncio.run(submit())
    except TypeError as error:
        raise usage(str(error), of="--args") from None
    if json:
        print_json(_told(docket, execution))
    else:
        print_line(_sentence(docket, execution))


def _when(docket: Docket, wish: Wish) -> datetime | None:
    if wish.delay is not None and wish.at is not None:
        raise usage("expected one of them, found both", of="--in / --at")
    if wish.delay is not None:
        try:
            return docket.now() + wish.delay
        except OverflowError:
            raise usage(f"there is no time so far away as {wish.delay}", of="--in") from None
    return None if wish.at is None else _instant(wish.at)


def _instant(written: str) -> datetime:
    try:
        when = datetime.fromisoformat(written)
    except ValueError:
        raise usage(
            f"expected a time such as 2030-01-01T09:00:00Z, found {written!r}", of="--at"
        ) from None
    if when.tzinfo is None:
        raise usage(
            f"expected a time with its zone, found {written!r}: "
            f"append Z for UTC, or an offset such as +02:00",
            of="--at",
        )
    return as_utc(when)


def _task(docket: Docket, name: str) -> Task:
    if name in docket.tasks:
        return docket.task(name)
    near = " or ".join(get_close_matches(name, docket.tasks))
    known = ", ".join(sorted(docket.tasks)) or "no tasks: give it their collection with --tasks"
    raise usage(
        f"no task is called {name!r}{f': did you mean {near}?' if near else ''}; "
        f"this command knows {known}",
        of="TASK",
    )


def _object(written: str) -> Mapping[str, Any]:
    try:
        found: object = json_module.loads(written)
    except ValueError as error:
        raise usage(f"expected a JSON object, found {written!r}: {error}", of="--args") from None
    if not isinstance(found, dict):
        raise usage(f"expected a JSON object, found {written!r}", of="--args")
    return cast("dict[str, Any]", found)


def _arguments(
    task: Task, given: Mapping[str, Any], codec: CodecName
) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of the call: what the task's annotations make of the JSON that was given."""
    try:
        arguments = task.signature.bind((), given)
        if codec is CodecName.JSON:
            arguments = task.decode(json_module.dumps(arguments).encode())
    except TypeError as error:
        raise usage(f"{task.name}{task.signature.arguments}: {error}", of="--args") from None
    except PayloadError as error:
        raise usage(str(error), of="--args") from None
    return task.signature.spread(arguments)


def _told(docket: Docket, execution: Execution) -> dict[str, object]:
    return {
        "key": execution.key,
        "task": execution.function_name,
        "call": call_text(docket, execution.call),
        "disposition": execution.disposition.value,
        "state": execution.state.value,
        "when": execution.when,
    }


def _sentence(docket: Docket, execution: Execution) -> str:
    call = f"{call_text(docket, execution.call)} [{execution.key}]"
    if execution.disposition is Disposition.ALREADY_SCHEDULED:
        return f"nothing was scheduled: the key is taken by {call}, {execution.state.value}"
    due = (
        f"{shown(execution.when.replace(microsecond=0))}, {distance(execution.when, docket.now())}"
    )
    return f"scheduled {call}, due {due}"
