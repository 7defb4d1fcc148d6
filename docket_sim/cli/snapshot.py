"""`docket-sim snapshot`: what is in a docket at this moment."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Self

import typer

from docket_sim.cli.described import call_text, distance, summary
from docket_sim.cli.output import Json, print_json, print_line, print_table
from docket_sim.cli.place import Place, reached
from docket_sim.clock.durations import short, shown
from docket_sim.docket import Docket
from docket_sim.execution import ExecutionState, Record


@dataclass(frozen=True, slots=True)
class Overview:
    """What is in a docket at one moment.

    Attributes:
        taken: when.
        counts: how many executions there are, by task and state.
        running: what workers have, longest first.
        waiting: what waits, in the order of due times.
    """

    taken: datetime
    counts: dict[str, Counter[ExecutionState]]
    running: Sequence[Record]
    waiting: Sequence[Record]

    @classmethod
    def of(cls, taken: datetime, records: Sequence[Record]) -> Self:
        """The records, counted and sorted out."""
        counts: dict[str, Counter[ExecutionState]] = {}
        for record in records:
            counts.setdefault(record.call.task, Counter())[record.state] += 1
        running = [one for one in records if one.state is ExecutionState.RUNNING]
        return cls(
            taken,
            dict(sorted(counts.items())),
            sorted(running, key=lambda one: one.started_at or taken),
            sorted(filter(_waits, records), key=lambda one: one.call.when),
        )

    @property
    def states(self) -> Counter[ExecutionState]:
        """How many executions there are, by state."""
        return sum(self.counts.values(), Counter[ExecutionState]())


def snapshot(
    place: Place,
    limit: Annotated[
        int, typer.Option(min=0, help="How many running and how many due executions to list.")
    ] = 10,
    json: Json = False,
) -> None:
    """Show what is in a docket: counts by task and state, what runs, and what is due next."""
    docket = place.make()
    overview = asyncio.run(_overview(place, docket))
    if json:
        print_json(_told(place, docket, overview, limit))
    else:
        _show(place, docket, overview, limit)


async def _overview(place: Place, docket: Docket) -> Overview:
    async with reached(place, docket):
        found = await docket.store.snapshot(now=docket.now())
    return Overview.of(found.taken, found.records)


def _waits(record: Record) -> bool:
    return not record.state.finished and record.state is not ExecutionState.RUNNING


def _told(place: Place, docket: Docket, overview: Overview, limit: int) -> dict[str, object]:
    return {
        "docket": place.docket,
        "taken": overview.taken,
        "states": {state.value: overview.states[state] for state in ExecutionState},
        "tasks": {
            task: {state.value: counts[state] for state in ExecutionState}
            for task, counts in overview.counts.items()
        },
        "running": [
            summary(docket, one) | {"running_seconds": _age(one, overview).total_seconds()}
            for one in overview.running[:limit]
        ],
        "next_due": [summary(docket, one) for one in overview.waiting[:limit]],
    }


def _show(place: Place, docket: Docket, overview: Overview, limit: int) -> None:
    print_line(f"{place.shown}, {shown(overview.taken.replace(microsecond=0))}")
    states = [state for state in ExecutionState if overview.states[state]]
    if not states:
        print_line("nothing is scheduled, runs, or has ended of late")
        return
    counted = [*overview.counts.items()]
    total = [("all", overview.states)] if len(counted) > 1 else []
    rows = [(task, *(counts[state] for state in states)) for task, counts in counted + total]
    print_table("executions", ["task", *(state.value for state in states)], rows)
    if overview.running:
        _show_running(docket, overview, limit)
    if overview.waiting:
        _show_waiting(docket, overview, limit)


def _show_running(docket: Docket, overview: Overview, limit: int) -> None:
    rows = [
        (
            call_text(docket, one.call),
            one.call.key,
            one.worker,
            one.call.attempt,
            _for(one, overview),
        )
        for one in overview.running[:limit]
    ]
    title = _title("running", rows, overview.running)
    print_table(title, ["call", "key", "worker", "attempt", "for"], rows)


def _show_waiting(docket: Docket, overview: Overview, limit: int) -> None:
    rows = [
        (
            call_text(docket, one.call),
            one.call.key,
            one.state.value,
            one.call.attempt,
            distance(one.call.when, overview.taken),
        )
        for one in overview.waiting[:limit]
    ]
    title = _title("next due", rows, overview.waiting)
    print_table(title, ["call", "key", "state", "attempt", "due"], rows)


def _title(what: str, rows: Sequence[object], of: Sequence[object]) -> str:
    return what if len(rows) == len(of) else f"{what}, {len(rows)} of {len(of)}"


def _age(record: Record, overview: Overview) -> timedelta:
    """For how long the present attempt has been running."""
    return max(timedelta(), overview.taken - (record.started_at or overview.taken))


def _for(record: Record, overview: Overview) -> str:
    return short(timedelta(seconds=round(_age(record, overview).total_seconds())))
