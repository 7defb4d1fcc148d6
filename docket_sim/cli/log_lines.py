"""Log lines: text for people or JSON for machines, on stderr, without passwords in either."""

import json
import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from docket_sim.cli.masking import Secrets

_STANDARD = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class TextLines(logging.Formatter):
    """One line for a record, and the traceback below it, for people."""

    def __init__(self, secrets: Secrets) -> None:
        super().__init__("{asctime} {levelname:<8} {name}: {message}", style="{")
        self._secrets = secrets

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return _time(record)

    def format(self, record: logging.LogRecord) -> str:
        return self._secrets.scrub(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object on one line for a record.

    Its fields: `time`, `level`, `logger`, `message`; what the record carries beyond those, such as
    `key`, `task`, `attempt` and `worker`; and the traceback as `exception`.
    """

    def __init__(self, secrets: Secrets) -> None:
        super().__init__()
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self._secrets.scrub(record.getMessage()),
        }
        for name, value in vars(record).items():
            if name not in _STANDARD:
                line.setdefault(name, self._plain(value))
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = self._secrets.scrub(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._secrets.scrub(record.stack_info)
        return json.dumps(line)

    def _plain(self, value: object) -> object:
        """`value` as JSON can carry it; as its repr, where it cannot."""
        if isinstance(value, str):
            return self._secrets.scrub(value)
        try:
            return json.loads(self._secrets.scrub(json.dumps(value, allow_nan=False)))
        except (TypeError, ValueError, RecursionError):
            return self._secrets.scrub(repr(value))


@contextmanager
def logging_as(form: LogFormat, level: LogLevel, secrets: Secrets) -> Generator[None]:
    """Write log records of `level` and above to stderr while the context lasts."""
    handler = logging.StreamHandler()
    handler.setFormatter({LogFormat.TEXT: TextLines, LogFormat.JSON: JsonLines}[form](secrets))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(level.value.upper())
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.setLevel(before)
        root.removeHandler(handler)


def _time(record: logging.LogRecord) -> str:
    when = datetime.fromtimestamp(record.created, UTC)
    return f"{when.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
