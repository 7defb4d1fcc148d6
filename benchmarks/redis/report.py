"""The tables of systems and floors, one row each."""

import statistics
from collections.abc import Callable, Mapping, Sequence

from benchmarks.redis.catalogue import FLOORS, System
from benchmarks.rows import Results

Row = Sequence[str]
Column = tuple[str, str, str]

_RATES: list[Column] = [
    ("drain /s", "queue", "drain"),
    ("add one at a time /s", "queue", "one"),
    ("50 in flight /s", "in flight", "rate"),
    ("bulk /s", "bulk", "rate"),
]
_REST: list[Column] = [
    ("latency p50 ms", "latency", "p50"),
    ("p99", "latency", "p99"),
    ("client commands/task", "commands", "client"),
    ("in scripts", "commands", "script"),
    ("reads/task", "queue", "reads"),
    ("worker CPU us/task", "queue", "cpu"),
    ("bytes/queued task", "queue", "bytes"),
    ("idle commands/s", "commands", "idle"),
]
_FLOORS = {
    "drain-awaited": "drain: two awaited scripts for each task, 100 tasks abreast",
    "drain-coalesced": "drain: the same scripts, coalesced across tasks",
    "drain-batched": "drain: one script for 100 tasks, with a state for each",
    "add-awaited": "add: one awaited script at a time",
    "add-pipelined": "add: scripts in pipelines of 100",
}


def systems_table(systems: Sequence[System], results: Results, missing: Mapping[str, str]) -> str:
    """A row for each system; `missing` says of those that have no figures why."""
    header = ["system", *(title for title, _, _ in (*_RATES, *_REST))]
    rows = [_system(system, results, missing) for system in systems]
    return _aligned([header, *rows])


def floors_table(results: Results) -> str:
    """A row for each floor that was measured."""
    rows = [
        [_FLOORS[name], _spread([numbers["rate"] for numbers in found])]
        for name in FLOORS
        if (found := results.get(f"floors {name}"))
    ]
    return _aligned([["floor", "/s"], *rows]) if rows else ""


def _system(system: System, results: Results, missing: Mapping[str, str]) -> list[str]:
    if system.name in missing:
        empty = ["-"] * (len(_RATES) + len(_REST) - 1)
        return [system.name, missing[system.name], *empty]

    def cells(columns: Sequence[Column], show: Callable[[list[float]], str]) -> list[str]:
        return [
            _cell(results.get(f"{system.name} {part}", ()), metric, show)
            for _, part, metric in columns
        ]

    return [system.name, *cells(_RATES, _spread), *cells(_REST, _middle)]


def _cell(
    found: Sequence[Mapping[str, float]], metric: str, show: Callable[[list[float]], str]
) -> str:
    return show([numbers[metric] for numbers in found]) if found else "-"


def _spread(values: list[float]) -> str:
    return f"{_middle(values)} ({_number(min(values))}-{_number(max(values))})"


def _middle(values: list[float]) -> str:
    return _number(statistics.median(values))


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _aligned(rows: Sequence[Row]) -> str:
    """The rows in the form of a Markdown table; the first is its header."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *rest = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    ]
    return "\n".join([first, f"|{'|'.join('-' * (width + 2) for width in widths)}|", *rest])
