"""Executions as commands tell of them: plain data for `--json`, and short texts for tables."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from docket_sim.clock.durations import short
from docket_sim.codec import TaskCodec
from docket_sim.docket import Docket
from docket_sim.errors import TaskFailed, error_text
from docket_sim.execution import Record, TaskCall

_SHOWN = 60
_SECOND = timedelta(seconds=1)


def call_text(docket: Docket, call: TaskCall) -> str:
    """The call as it reads in code, as far as this docket knows the task; never raises."""
    if call.task in docket.tasks:
        return docket.describe(call)
    try:
        arguments = docket.untyped_codec(call.task).decode_arguments(call.arguments)
    except Exception:  # noqa: BLE001 - a codec may build anything
        return f"{call.task}(<unreadable>)"
    return f"{call.task}({', '.join(f'{name}={_brief(one)}' for name, one in arguments.items())})"


def summary(docket: Docket, record: Record) -> dict[str, object]:
    """What is known of an execution, but for its arguments and what came of it."""
    call = record.call
    return {
        "key": call.key,
        "task": call.task,
        "call": call_text(docket, call),
        "state": record.state.value,
        "when": call.when,
        "attempt": call.attempt,
        "generation": call.generation,
        "delivery": record.delivery,
        "worker": record.worker,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "cancel_requested": record.cancel_requested,
        "scheduled_by": call.cause and {"key": call.cause.key, "attempt": call.cause.attempt},
    }


def details(docket: Docket, record: Record) -> dict[str, object]:
    """Everything that is known of an execution.

    What cannot be read with the docket's codec is missing, and `unreadable` says why.
    """
    task = docket.task(record.call.task) if record.call.task in docket.tasks else None
    codec = docket.untyped_codec(record.call.task)
    told = summary(docket, record)
    try:
        payload = record.call.arguments
        told["arguments"] = (
            codec.decode_arguments(payload) if task is None else task.decode(payload)
        )
        if record.result is not None:
            told["result"] = codec.decode_result(record.result)
        if record.error is not None:
            told["error"] = failure(codec, record.error)
    except Exception as error:  # noqa: BLE001 - a codec may build anything
        told["unreadable"] = error_text(error)
    return told


def failure(codec: TaskCodec, payload: bytes) -> Mapping[str, str]:
    """What a failed execution failed with: the `type`, the `message` and the `traceback`."""
    error = codec.decode_error(payload)
    if isinstance(error, TaskFailed):
        kind, message, traceback = error.type_name, error.message, error.remote_traceback
    else:
        kind = f"{type(error).__module__}:{type(error).__qualname__}"
        message, notes = str(error), "\n".join(getattr(error, "__notes__", []))
        traceback = notes.removeprefix("The traceback on the worker:\n")
    return {"type": kind, "message": message, "traceback": traceback}


def distance(when: datetime, now: datetime) -> str:
    """How far `when` lies from `now`, to the second: `in 5m`, `now`, `3s ago`."""
    seconds = round((when - now) / _SECOND)
    if seconds == 0:
        return "now"
    far = short(timedelta(seconds=abs(seconds)))
    return f"in {far}" if seconds > 0 else f"{far} ago"


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
