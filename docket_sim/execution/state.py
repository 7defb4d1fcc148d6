"""The states of an execution, and which may follow which.

`docs/lifecycle.md` draws this table; a test compares the two.
"""

from enum import Enum


class ExecutionState(Enum):
    """Where an execution stands.

    These are the states of one generation of a key: scheduling a key again after it has finished,
    or replacing it, begins a new generation in `SCHEDULED`, `QUEUED` or `BLOCKED`.
    """

    SCHEDULED = "scheduled"
    """Waits for its due time: for the first attempt, a retry, or the next run of a perpetual."""

    QUEUED = "queued"
    """Due; waits for a worker."""

    BLOCKED = "blocked"
    """Waits for the superseded attempt of its own key to end."""

    RUNNING = "running"
    """Claimed by a worker."""

    COMPLETED = "completed"
    """Ended: the body returned."""

    FAILED = "failed"
    """Ended: it failed and no policy asked for another attempt, or it was refused."""

    CANCELLED = "cancelled"
    """Ended: it was cancelled."""

    finished: bool
    """Whether this generation of the key has ended."""


TRANSITIONS: dict[ExecutionState, frozenset[ExecutionState]] = {
    ExecutionState.SCHEDULED: frozenset({ExecutionState.QUEUED, ExecutionState.CANCELLED}),
    ExecutionState.QUEUED: frozenset({ExecutionState.RUNNING, ExecutionState.CANCELLED}),
    ExecutionState.BLOCKED: frozenset(
        {ExecutionState.SCHEDULED, ExecutionState.QUEUED, ExecutionState.CANCELLED}
    ),
    ExecutionState.RUNNING: frozenset(
        {
            ExecutionState.SCHEDULED,
            ExecutionState.QUEUED,
            ExecutionState.COMPLETED,
            ExecutionState.FAILED,
            ExecutionState.CANCELLED,
        }
    ),
    ExecutionState.COMPLETED: frozenset(),
    ExecutionState.FAILED: frozenset(),
    ExecutionState.CANCELLED: frozenset(),
}
"""Which states may follow a state. `RUNNING` returns to `SCHEDULED` or `QUEUED` by a retry, by a
perpetual's next run, and when a lease has expired."""

FINISHED = frozenset(state for state, following in TRANSITIONS.items() if not following)
"""The states that nothing follows."""

for _state in ExecutionState:  # once, and not whenever it is asked: stores ask all the time
    _state.finished = _state in FINISHED


class Disposition(Enum):
    """What one call of `add()` or `replace()` did."""

    LOADED = "loaded"
    """Nothing: this handle was not made by scheduling."""

    SCHEDULED = "scheduled"
    """The call was accepted."""

    ALREADY_SCHEDULED = "already_scheduled"
    """The key was taken; the handle stands for the execution that has it."""
