"""Books: files to which processes append what they see, one line at a time.

A line is written by one call of the operating system, so that a process that is killed leaves no
half of one, and what it has written before its end is there.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from docket_sim.events import (
    AttemptEvent,
    Event,
    Finished,
    LeaseLost,
    Released,
    Retried,
    Started,
    Superseded,
)
from docket_sim.execution import TaskCall

_OF_ATTEMPTS = (Started, Finished, Retried, Released, Superseded, LeaseLost)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that was seen.

    Attributes:
        at: when, in seconds since 1970.
        what: `begin`, `returned`, `raised` or `cut off` of a body; `started`, `finished`,
            `retried`, `superseded`, `leaselost` or `released` of an attempt.
        key, generation, attempt: of what.
        worker: by which worker.
        detail: what else there is to say.
    """

    at: float
    what: str
    key: str
    generation: int
    attempt: int
    worker: str
    detail: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        which = f"{self.key} generation {self.generation} attempt {self.attempt}"
        detail = "".join(f" {name}={value}" for name, value in self.detail.items())
        return f"{self.at:.6f} {self.worker}: {self.what} {which}{detail}"


class Book:
    """A file that one process appends to; also an observer of a docket's events."""

    def __init__(self, path: Path) -> None:
        """
        Args:
            path: the file; what it holds already stays.
        """
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        os.close(self._file)

    def note(self, what: str, call: TaskCall, worker: str, **detail: Any) -> None:
        """Append an entry."""
        line = [time.time(), what, call.key, call.generation, call.attempt, worker, detail]
        os.write(self._file, json.dumps(line).encode() + b"\n")

    def notify(self, event: Event) -> None:
        """Append what the worker tells of an attempt."""
        if not isinstance(event, AttemptEvent) or not isinstance(event, _OF_ATTEMPTS):
            return
        detail: dict[str, Any] = {}
        if isinstance(event, Started):
            detail["delivery"] = event.delivery
        if isinstance(event, Finished):
            detail["state"] = event.state.value
        self.note(type(event).__name__.lower(), event.call, event.worker, **detail)


def entries_of(path: Path) -> Iterator[Entry]:
    """What a book holds, but for a line that was torn off."""
    for line in path.read_bytes().splitlines():
        try:
            yield Entry(*json.loads(line))
        except json.JSONDecodeError:
            return
