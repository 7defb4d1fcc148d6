"""Log lines: readable as text, parseable as JSON, and without passwords in either."""

import json
import logging
import sys
import warnings

import pytest

from docket_sim.cli.log_lines import JsonLines, LogFormat, LogLevel, TextLines, logging_as
from docket_sim.cli.masking import Secrets

SECRETS = Secrets("redis://:hunter2@localhost")


def record(message, *args, exc_info=None, **extra):
    """A log record as a logger makes it."""
    return logging.getLogger("shop").makeRecord(
        "shop", logging.WARNING, __file__, 1, message, args, exc_info, extra=extra
    )


def failure():
    """What `sys.exc_info()` gives for an error that tells too much."""
    try:
        raise ConnectionError("AUTH hunter2 refused")
    except ConnectionError:
        return sys.exc_info()


def test_a_line_of_text_says_when_how_bad_where_and_what():
    """In the order in which eyes look for it."""
    made = record("out of %s", "stock")
    made.created = 1893456000.25
    line = TextLines(SECRETS).format(made)
    assert line == "2030-01-01T00:00:00.250Z WARNING  shop: out of stock"


def test_a_line_of_json_has_the_same_and_the_extra_fields():
    """Those of executions, and those of the user's own logging."""
    made = record("out of %s", "stock", key="k", task="charge", attempt=2, worker="w1", shelf=[7])
    made.created = 1893456000.25
    assert json.loads(JsonLines(SECRETS).format(made)) == {
        "time": "2030-01-01T00:00:00.250Z", "level": "WARNING", "logger": "shop",
        "message": "out of stock", "key": "k", "task": "charge", "attempt": 2, "worker": "w1",
        "shelf": [7],
    }  # fmt: skip


@pytest.mark.parametrize("value", [object(), float("nan"), {1: object()}, "\udcff", b"x"])
def test_an_extra_field_that_json_cannot_carry_is_shown_as_its_repr(value):
    """A log line is never lost for what somebody put into it."""
    line = JsonLines(SECRETS).format(record("hm", odd=value))
    assert "\n" not in line
    assert json.loads(line)["odd"] in (repr(value), value)


def test_an_extra_field_does_not_pass_for_one_of_the_lines_own():
    """`level` is the level, whoever says otherwise."""
    assert json.loads(JsonLines(SECRETS).format(record("hm", level="x")))["level"] == "WARNING"


def test_an_exception_is_one_field_of_the_same_line():
    """A traceback in several lines would be several records to a log collector."""
    line = JsonLines(SECRETS).format(record("lost it", exc_info=failure()))
    assert "\n" not in line
    assert json.loads(line)["exception"].endswith("ConnectionError: AUTH *** refused")


def test_a_stack_is_one_field_too():
    """For those who log with `stack_info=True`."""
    made = record("where am I")
    made.stack_info = "Stack:\n  here"
    assert json.loads(JsonLines(SECRETS).format(made))["stack"] == "Stack:\n  here"


@pytest.mark.parametrize("lines", [TextLines, JsonLines])
def test_a_password_is_in_no_part_of_a_line(lines):
    """Neither in the message, nor in a field, nor in a traceback."""
    made = record("AUTH %s", "hunter2", exc_info=failure(), url="//:hunter2@", more=["hunter2"])
    line = lines(SECRETS).format(made)
    assert "hunter2" not in line
    assert "AUTH ***" in line


def test_the_root_logger_is_left_as_it_was(capsys):
    """Warnings are log lines like others for as long as it lasts."""
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    with logging_as(LogFormat.JSON, LogLevel.WARNING, SECRETS), warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.getLogger("shop").info("not wanted")
        warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    assert (root.level, list(root.handlers)) == before
    (line,) = capsys.readouterr().err.splitlines()
    assert "old ways" in json.loads(line)["message"]
