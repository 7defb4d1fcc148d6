"""A trial: one run of a search, and what it came to."""

import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import PurePath
from typing import Any

from docket_sim.errors import InvariantBroken
from docket_sim.events import AttemptEvent, CancelledWaiting, Event, Finished, Retried, Started
from docket_sim.simulation.choices import Choices
from docket_sim.simulation.faults.journal import Journal
from docket_sim.simulation.simulation import Simulation
from docket_sim.simulation.timeline import Timeline

Signature = tuple[str, ...]
"""What two failures have in common when they are one: the kind of error, and its place."""

_NEVER = "never"
_OURS = str(PurePath(__file__).parents[1])


@dataclass(frozen=True, slots=True)
class Trial:
    """One run.

    Attributes:
        choices: its choices.
        error: what it failed with, or `None`.
        timeline: what happened.
        journal: what passed between the workers and the store.
        steps: how many steps it took.
        aliases: texts that were this run's own, such as the path of a directory that was made for
            it, and what they stand for where runs are compared.
    """

    choices: Choices
    error: BaseException | None
    timeline: Timeline
    journal: Journal
    steps: int
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(
        cls,
        choices: Choices,
        error: BaseException | None,
        world: Simulation,
        aliases: Mapping[str, str] | None = None,
    ) -> "Trial":
        """The run of `world` that has ended with `error`."""
        return cls(choices, error, world.timeline, world.journal, world.steps, aliases or {})

    @property
    def signature(self) -> Signature | None:
        """What the failure has in common with others that are the same one."""
        return None if self.error is None else signature_of(self.error)

    @property
    def fingerprint(self) -> bytes:
        """Alike for two runs in which the same happened."""
        digest = blake2b(digest_size=8)
        for event in self.timeline.events:
            digest.update(_told(event).encode())
        return digest.digest()

    @property
    def shape(self) -> bytes:
        """Alike for two runs in which the same happened in the same order, whenever that was."""
        digest = blake2b(digest_size=8)
        for event in self.timeline.events:
            digest.update(_told(event, timed=False).encode())
        return digest.digest()


def signature_of(error: BaseException) -> Signature:
    """What an error has in common with others that are the same failure."""
    if isinstance(error, InvariantBroken):
        return ("invariant", error.id)
    frames = traceback.extract_tb(error.__traceback__)
    places = [frame for frame in frames if not frame.filename.startswith(_OURS)]
    # All of them: two tasks may fail at one assertion of a helper.
    where = " ".join(f"{frame.filename}:{frame.lineno}" for frame in places)
    cause = error.__cause__
    because = "" if cause is None else type(cause).__qualname__
    return (type(error).__qualname__, where, because)


def _told(event: Event, *, timed: bool = True) -> str:
    parts: list[Any] = [type(event).__name__, event.call.key, event.call.attempt]
    if timed:
        parts.append(event.at)
    if isinstance(event, AttemptEvent):
        parts.append(event.worker)
    return repr(parts)


class Coverage:
    """Which tasks were ever seen to do what, over many runs."""

    KINDS = (
        "started",
        "completed",
        "failed",
        "retried",
        "timed out",
        "redelivered",
        "superseded",
        "lost",
        "cancelled",
    )

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = {}

    def add(self, events: Iterable[Event]) -> None:
        """Count what happened in one run."""
        for event in events:
            counts = self.counts.setdefault(event.call.task, Counter())
            for kind in _kinds(event):
                counts[kind] += 1

    def merge(self, other: "Coverage") -> None:
        """Count what happened in the runs of another."""
        for task, counts in other.counts.items():
            self.counts.setdefault(task, Counter()).update(counts)

    def __str__(self) -> str:
        width = max((len(task) for task in self.counts), default=4)
        wide = [max(len(kind), len(_NEVER)) for kind in self.KINDS]
        head = (f"{kind:>{size}}" for kind, size in zip(self.KINDS, wide, strict=True))
        lines = [f"{'task':<{width}}  " + "  ".join(head)]
        for task in sorted(self.counts):
            counts = (self.counts[task][kind] for kind in self.KINDS)
            shown = (f"{count:,}" if count else _NEVER for count in counts)
            cells = (f"{cell:>{size}}" for cell, size in zip(shown, wide, strict=True))
            lines.append(f"{task:<{width}}  " + "  ".join(cells))
        return "\n".join(lines)


def _kinds(event: Event) -> Iterable[str]:
    match event:
        case Started(delivery=delivery):
            yield "redelivered" if delivery > 1 else "started"
        case Finished(state=state):
            yield state.value
        case Retried():
            yield "retried"
        case CancelledWaiting():
            yield "cancelled"
        case _:
            name = type(event).__name__
            if name in {"Superseded", "LeaseLost"}:
                yield "superseded" if name == "Superseded" else "lost"
    if isinstance(event, Finished | Retried) and event.timed_out:
        yield "timed out"
