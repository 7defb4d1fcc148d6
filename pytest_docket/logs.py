"""Virtual time in the log: each record that pytest shows says when it was, and in whose attempt."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from docket_sim import Simulation, current_attempt
from docket_sim.clock.durations import short
from docket_sim.entropy import short_key

_HANDLERS = ("caplog_handler", "report_handler", "log_cli_handler", "log_file_handler")


@contextmanager
def virtual_time_in_logs(config: pytest.Config, world: Simulation) -> Generator[None]:
    """Let the handlers of pytest's own log capturing show the time of `world`."""
    capturing: Any = config.pluginmanager.get_plugin("logging-plugin")
    found = [getattr(capturing, name, None) for name in _HANDLERS]
    handlers = [handler for handler in found if isinstance(handler, logging.Handler)]
    changed: list[tuple[logging.Handler, _InVirtualTime]] = []
    for handler in handlers:
        if handler.formatter is not None:
            changed.append((handler, _InVirtualTime(handler.formatter, world)))
            handler.setFormatter(changed[-1][1])
    try:
        yield
    finally:
        for handler, ours in changed:
            if handler.formatter is ours:  # the user's own, set meanwhile, stays
                handler.setFormatter(ours.usual)


class _InVirtualTime(logging.Formatter):
    """Formats as usual, with `+3s order-7 | ` in front and virtual time for `%(asctime)s`."""

    def __init__(self, usual: logging.Formatter, world: Simulation) -> None:
        super().__init__()
        self.usual = usual
        self._world = world

    def format(self, record: logging.LogRecord) -> str:
        now = self._world.clock.now()
        real = record.created, record.msecs
        # With freeze=False the record has real time, which is the user's to read afterwards.
        record.created, record.msecs = now.timestamp(), now.microsecond / 1000
        try:
            text = self.usual.format(record)
        finally:
            record.created, record.msecs = real
        key = _key(record)
        since = f"+{short(self._world.clock.elapsed)}"
        return f"{since} {short_key(key)} | {text}" if key else f"{since} | {text}"


def _key(record: logging.LogRecord) -> str:
    """The key of the attempt that logs, or, outside of attempts, the one that the engine names."""
    attempt = current_attempt.get(None)
    if attempt is not None:
        return attempt.execution.key
    return str(getattr(record, "key", "")) if record.name == "docket_sim" else ""
