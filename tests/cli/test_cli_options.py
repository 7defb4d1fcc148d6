"""Options: each declared once, told by the help, settable by its variable, on the page."""

import dataclasses
import inspect
import re
from datetime import timedelta
from pathlib import Path

import pytest
import typer

from docket_sim import WorkerSettings
from docket_sim.cli.options import duration

COMMANDS = ("worker", "snapshot", "tasks", "add", "show", "cancel", "clear", "explore")
PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
VARIABLE = re.compile(r"DOCKET_[A-Z_]+")


def help_of(cli, command):
    """The help of a command, as one line."""
    return " ".join(cli(command, "--help").stdout.split())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("1h 30m", timedelta(minutes=90)),
        ("90", timedelta(seconds=90)),
        ("0.5", timedelta(seconds=0.5)),
        ("0", timedelta()),
    ],
)
def test_a_duration_is_written_as_people_say_it_or_in_seconds(written, meant):
    """Seconds because other programs' options and orchestrators' fields are in seconds."""
    assert duration(written) == meant


@pytest.mark.parametrize("written", ["", "soon", "-5", "5 minutes", "9999999999999d"])
def test_what_is_no_duration_is_refused(written):
    """The message of the one that can be read tells the units."""
    with pytest.raises(typer.BadParameter):
        duration(written)


def test_a_duration_that_is_none_names_the_option_and_the_way_to_write_one(cli):
    """One line, and the exit code of usage errors."""
    result = cli("worker", "--shutdown-deadline", "soon", code=2)
    assert "'--shutdown-deadline'" in result.stderr
    assert "expected a duration such as '90s'" in result.stderr


@pytest.mark.parametrize("field", dataclasses.fields(WorkerSettings), ids=lambda field: field.name)
def test_every_setting_of_workers_is_an_option_with_its_default_and_its_variable(cli, field):
    """A setting that is added is an option without a line of code."""
    told = help_of(cli, "worker")
    assert f"--{field.name.replace('_', '-')}" in told
    assert f"DOCKET_WORKER_{field.name.upper()}" in told


def test_the_help_tells_the_defaults_of_durations_as_they_are_written(cli):
    """What is shown can be given."""
    told = help_of(cli, "worker")
    assert "DOCKET_WORKER_REDELIVERY_TIMEOUT; default: 5m" in told
    assert "DOCKET_WORKER_SHUTDOWN_DEADLINE; default: 25s" in told


def test_the_worker_is_called_with_what_settings_know(cli):
    """No default of the command line's own: these are `WorkerSettings()`."""
    defaults = WorkerSettings()
    assert f"DOCKET_WORKER_CONCURRENCY; default: {defaults.concurrency}" in help_of(cli, "worker")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_and_variable_is_on_the_page(cli, command):
    """`docs/command-line.md` has them all."""
    page = PAGE.read_text()
    told = help_of(cli, command)
    assert command in page
    missing = {*OPTION.findall(told), *VARIABLE.findall(told)} - {
        *OPTION.findall(page),
        *VARIABLE.findall(page),
    }
    assert not missing


def test_the_page_has_no_option_or_variable_that_is_not_there(cli):
    """Nor does it tell of others."""
    there = "".join(help_of(cli, command) for command in COMMANDS) + cli("--help").stdout
    page = PAGE.read_text()
    assert not {*OPTION.findall(page)} - {*OPTION.findall(there)}
    assert not {*VARIABLE.findall(page)} - {*VARIABLE.findall(there)}


def test_every_command_says_what_it_does(cli):
    """The overview is the door for those who know nothing yet."""
    told = cli().stdout
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", told, re.MULTILINE), command


def test_a_negative_shutdown_deadline_is_refused():
    """Zero is none at all: what is in hand is abandoned at once."""
    with pytest.raises(ValueError, match="shutdown_deadline must not be negative"):
        WorkerSettings(shutdown_deadline=timedelta(seconds=-1))
    assert WorkerSettings(shutdown_deadline=timedelta()).shutdown_deadline == timedelta()


def test_the_help_of_settings_is_what_the_class_says(cli):
    """One text for those who write Python and those who write shell."""
    documented = inspect.getdoc(WorkerSettings) or ""
    assert "how many attempts may run at once." in documented
    assert "How many attempts may run at once." in help_of(cli, "worker")
