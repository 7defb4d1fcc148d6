"""What a driving verb brought about, as counts."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from docket_sim.events import (
    CancelledWaiting,
    Event,
    Finished,
    LeaseLost,
    Retried,
    Started,
    Superseded,
)
from docket_sim.execution import ExecutionState


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the attempts that ended while a verb drove the simulation.

    Compare it with what you expect: `await sim.run_until_idle() == Tally(succeeded=2, retried=1)`;
    what is not named is expected to be 0.

    Attributes:
        succeeded: runs whose body returned, each run of a perpetual counted.
        failed: runs that failed and were not retried.
        retried: attempts that failed and were followed by another.
        timed_out: those of the failed and retried ones that their `Timeout` ended.
        cancelled: executions that were cancelled, running or waiting.
        superseded: attempts whose key had been replaced when they ended.
        redelivered: attempts that a worker took over from another.
        lost: attempts whose lease was lost.
        running: attempts that are still running.
    """

    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    timed_out: int = 0
    cancelled: int = 0
    superseded: int = 0
    redelivered: int = 0
    lost: int = 0
    running: int = 0

    @classmethod
    def of(cls, events: Iterable[Event], *, running: int = 0) -> "Tally":
        """The counts of `events`."""
        counts = dict.fromkeys((field.name for field in fields(cls)), 0)
        counts["running"] = running
        for event in events:
            for name in _counted_as(event):
                counts[name] += 1
        return cls(**counts)

    def __repr__(self) -> str:
        counts = ((field.name, getattr(self, field.name)) for field in fields(self))
        return f"Tally({', '.join(f'{name}={count}' for name, count in counts if count)})"


_STATES = {
    ExecutionState.COMPLETED: "succeeded",
    ExecutionState.FAILED: "failed",
    ExecutionState.CANCELLED: "cancelled",
}


_KINDS: dict[type[Event], str] = {
    CancelledWaiting: "cancelled",
    LeaseLost: "lost",
    Retried: "retried",
    Superseded: "superseded",
}


def _counted_as(event: Event) -> list[str]:
    match event:
        case Finished(state=state):
            counted = [_STATES[state]]
        case Started(delivery=delivery):
            counted = ["redelivered"] if delivery > 1 else []
        case _:
            counted = [_KINDS[type(event)]] if type(event) in _KINDS else []
    if isinstance(event, Finished | Retried) and event.timed_out:
        counted.append("timed_out")
    return counted
