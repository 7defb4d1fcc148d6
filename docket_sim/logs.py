"""The log as an observer: one line for each event, with the execution in its fields."""

import logging
from collections.abc import Callable
from types import TracebackType

from docket_sim.errors import error_text, own_traceback
from docket_sim.events import (
    Event,
    Finished,
    LeaseLost,
    Released,
    Retried,
    Scheduled,
    Started,
    Superseded,
    word_of,
)
from docket_sim.execution import ExecutionState, TaskCall

_logger = logging.getLogger("docket_sim")


class LogObserver:
    """Writes events to the logger `docket_sim`.

    Each record carries `key`, `task`, `attempt` and, where there is one, `worker` and `delivery`.
    Failures are errors with their traceback; what points to a worker that has died or stood still
    is a warning, and so are retries, each in one line; the rest is info and debug.
    """

    def __init__(self, describe: Callable[[TaskCall], str]) -> None:
        """
        Args:
            describe: gives a call as it reads in code.
        """
        self._describe = describe

    def notify(self, event: Event) -> None:
        """Write `event`, if its level is wanted."""
        level = _level(event)
        if not _logger.isEnabledFor(level):
            return
        call = event.call
        extra = {"key": call.key, "task": call.task, "attempt": call.attempt}
        for name in ("worker", "delivery"):
            value = getattr(event, name, None)
            if value is not None:
                extra[name] = value
        error = getattr(event, "error", None)
        _logger.log(
            level,
            "%s %s [%s]%s",
            word_of(event),
            self._describe(call),
            call.key,
            _details(event),
            exc_info=_exc_info(error) if level >= logging.ERROR else None,
            extra=extra,
        )


def _exc_info(
    error: BaseException | None,
) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    return None if error is None else (type(error), error, own_traceback(error))


_LEVELS: dict[type[Event], int] = {
    Finished: logging.INFO,
    LeaseLost: logging.WARNING,
    Released: logging.WARNING,
    Retried: logging.WARNING,
    Superseded: logging.INFO,
}


def _level(event: Event) -> int:
    if isinstance(event, Finished | Superseded) and event.state is ExecutionState.FAILED:
        return logging.ERROR
    if isinstance(event, Started) and event.delivery > 1:
        return logging.WARNING
    return _LEVELS.get(type(event), logging.DEBUG)


def _details(event: Event) -> str:
    match event:
        case Scheduled():
            return f" for {event.call.when.isoformat()}"
        case Started():
            return f" attempt {event.call.attempt}{_taken_over(event.delivery)}"
        case Retried() | Released():
            return f": {error_text(event.error)}; again at {event.when.isoformat()}"
        case Finished(error=error) | Superseded(error=error) if error is not None:
            return f": {error_text(error)}"
        case LeaseLost():
            return ": its lease is gone, and what it decided is void"
        case _:
            return ""


def _taken_over(delivery: int) -> str:
    return f", delivery {delivery}: taken over, its lease had expired" if delivery > 1 else ""
