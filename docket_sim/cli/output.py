"""What commands print: JSON for machines, tables for people, and nothing else on stdout."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from pydantic_core import to_jsonable_python
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
"""The option of all commands that print something."""


def print_json(value: object) -> None:
    """Print `value` as one JSON document."""
    _print(json_text(value, indent=2))


def json_text(value: object, indent: int | None = None) -> str:
    """`value` as JSON; what JSON cannot carry stands there as its repr."""
    plain: Any = to_jsonable_python(value, fallback=repr, inf_nan_mode="strings")
    return json.dumps(plain, indent=indent)


def print_line(text: str) -> None:
    """Print a line."""
    _print(printable(text))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table. A cell that is too wide is folded: nothing is cut off."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    Console(file=sys.stdout).print(table)


def print_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one below the other."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        lines = [printable(line) for line in str(value).splitlines()]
        table.add_row(name, Text("\n".join(lines)))
    Console(file=sys.stdout).print(table)


def printable(text: str) -> str:
    """`text` with everything escaped that could make a terminal do more than show it."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()  # a reader that has gone is noticed here, not while the interpreter ends
