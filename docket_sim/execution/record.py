"""What a store knows of one key at one moment."""

from dataclasses import dataclass
from datetime import datetime

from docket_sim.execution.call import TaskCall
from docket_sim.execution.state import ExecutionState


@dataclass(frozen=True, slots=True)
class Record:
    """What a store knows of one key at one moment.

    Attributes:
        call: the call that the key stands for, with its present due time and attempt.
        state: where it stands.
        delivery: how often the present attempt has been handed to a worker.
        worker: the name of the worker that has it, or had it last.
        started_at: when the last attempt was claimed.
        finished_at: when it ended.
        result: the encoded return value, once completed.
        error: the encoded exception, once failed.
        cancel_requested: whether it was cancelled while running and still runs.
    """

    call: TaskCall
    state: ExecutionState
    delivery: int = 0
    worker: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: bytes | None = None
    error: bytes | None = None
    cancel_requested: bool = False
