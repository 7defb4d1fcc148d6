"""A failing test as an HTML page of one file: what it said, and its timeline as a table."""

import re
import zlib
from collections.abc import Iterable
from html import escape
from pathlib import Path

import pytest

from docket_sim import Moment, Simulation
from docket_sim.clock.durations import short
from pytest_docket.options import written

_FAILURES = pytest.StashKey[list[str]]()
_LONGEST_NAME = 100
_COLUMNS = ("elapsed", "at", "what", "call", "key", "attempt", "worker", "cause", "details")
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{test}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; }}
pre, td {{ font-family: ui-monospace, monospace; }}
pre {{ border-left: 4px solid #c33; overflow-x: auto; padding: .5rem 1rem; }}
table {{ border-collapse: collapse; }}
th, td {{ padding: .15rem .8rem .15rem 0; text-align: left; vertical-align: top; }}
tr {{ border-bottom: 1px solid #8884; }}
.elapsed, .attempt {{ text-align: right; }}
.what {{ font-weight: bold; }}
.started {{ color: #36c; }}
.completed {{ color: #283; }}
.retried, .released, .lost, .superseded {{ color: #b60; }}
.failed, .dropped {{ color: #c33; }}
.cancelled, .cancelling {{ color: #937; }}
</style>
</head>
<body>
<h1>{test}</h1>
<p>docket timeline: start {start}, seed {seed}</p>
{failures}
<table>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""


def write_page(
    folder: Path, item: pytest.Item, report: pytest.TestReport, world: Simulation
) -> Path:
    """Write the page of a test, which names all that has failed in it so far; returns its path."""
    failures = item.stash.setdefault(_FAILURES, [])
    failures.append(f"{report.when}\n\n{report.longreprtext}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _file_name(item.nodeid)
    path.write_text(page(item.nodeid, failures, world), encoding="utf-8")
    return path


def page(test: str, failures: Iterable[str], world: Simulation) -> str:
    """The page's text."""
    return _PAGE.format(
        test=escape(test),
        start=written(world.clock.start),
        seed=world.seed,
        failures="\n".join(f"<pre>{escape(failure)}</pre>" for failure in failures),
        heads="".join(f'<th class="{name}">{name}</th>' for name in _COLUMNS),
        rows="\n".join(_row(moment) for moment in world.timeline),
    )


def _row(moment: Moment) -> str:
    cause = moment.cause
    cells = {
        "elapsed": f"+{short(moment.elapsed)}",
        "at": written(moment.at),
        "what": moment.what,
        "call": moment.call,
        "key": moment.key,
        "attempt": str(moment.attempt),
        "worker": moment.worker or "",
        "cause": "" if cause is None else f"{cause.key}, attempt {cause.attempt}",
        "details": moment.details,
    }
    tags = "".join(
        f'<td class="{name} {escape(cells["what"])}">{escape(text)}</td>'
        if name == "what"
        else f'<td class="{name}">{escape(text)}</td>'
        for name, text in cells.items()
    )
    return f"<tr>{tags}</tr>"


def _file_name(test: str) -> str:
    readable = re.sub(r"[^\w.-]+", "-", test).strip("-.")[-_LONGEST_NAME:]
    return f"{readable}-{zlib.crc32(test.encode()):08x}.html"
