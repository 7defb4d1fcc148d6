"""Errors: one line on stderr, nothing on stdout, 2 for usage and 1 for operational trouble."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import docket_sim.cli

ROOT = Path(__file__).parents[2]
EVERY = {
    "worker": ["worker"],
    "snapshot": ["snapshot"],
    "add": ["add", "charge", "--args", '{"order_id": 7}'],
    "show": ["show", "k"],
    "cancel": ["cancel", "k"],
    "clear": ["clear", "--yes"],
}
each_that_needs_a_server = pytest.mark.parametrize("command", EVERY.values(), ids=EVERY)


def complaint(result):
    """The one line that was written."""
    assert result.stdout == ""
    lines = [line for line in result.stderr.splitlines() if line != "imported"]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("docket-sim: ")
    return lines[0]


@each_that_needs_a_server
@pytest.mark.parametrize("url", ["memory://", "fakeredis://"])
def test_a_docket_that_lives_in_one_process_is_refused(cli, command, url):
    """Work that another process adds would never arrive."""
    line = complaint(cli(*command, "--url", url, code=2))
    assert f"{url} lives and dies with one process" in line
    assert "redis://localhost:6379/0, or set DOCKET_URL" in line


@each_that_needs_a_server
def test_no_url_at_all_is_refused_likewise(cli, command):
    """The default of `Docket` is none for separate processes."""
    assert "memory:// lives and dies" in complaint(cli(*command, code=2, DOCKET_URL=""))


@each_that_needs_a_server
def test_a_server_that_is_not_there_is_operational_trouble(cli, command):
    """The line tells where it was looked for, without the password."""
    line = complaint(cli(*command, "--url", "redis://:hunter2@127.0.0.1:1/0", code=1))
    assert "at redis://:***@127.0.0.1:1/0: the store cannot be reached" in line
    assert "hunter2" not in line


def test_a_wrong_password_is_not_told(cli, server):
    """Neither the right one nor the wrong one."""
    url = server.url_for(0, password="wr0ng-pw")
    line = complaint(cli("snapshot", "--url", url, code=1))
    assert "wr0ng-pw" not in line


def test_a_store_that_dies_under_a_command_is_operational_trouble(cli, monkeypatch):
    """Whatever operation it is in."""
    monkeypatch.setattr("docket_sim.store.redis.RedisStore.snapshot", _dying)
    assert "Connection reset" in complaint(cli("snapshot", code=1))


async def _dying(self, *, now):
    raise docket_sim.StoreUnavailable("Connection reset by peer")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["frob"], "No such command 'frob'. (docket-sim --help tells more)"),
        (["snapshot", "--frob"], "(docket-sim snapshot --help tells more)"),
        (["show"], "(docket-sim show --help tells more)"),
        (["worker", "--health-port", "70000"], "'--health-port'"),
        (["worker", "--log-level", "loud"], "'loud' is not one of"),
        (["snapshot", "--url", "mysql://h"], "redis://, rediss://, unix://"),
        (["snapshot", "--url", "redis+sentinel://h:1"], "found none that names the service"),
    ],
)
def test_what_cannot_be_understood_is_a_usage_error(cli, arguments, said):
    """It names what is wrong, and the help that tells more."""
    assert said in complaint(cli(*arguments, code=2))


@pytest.mark.parametrize(
    ("tasks", "code", "said"),
    [
        ("no_such_module:tasks", 2, "there is no module 'no_such_module'"),
        ("cli_shop", 2, "expected a collection as 'module:attribute', found 'cli_shop'"),
        ("cli_shop:nothing", 2, "expected 'cli_shop:nothing' to be a list of tasks, found None"),
        ("cli_shop:wrong", 2, "a task is a callable that returns an awaitable, found 'print'"),
        ("cli_broken:tasks", 1, "cli_broken could not be imported: RuntimeError: no configuration"),
        ("cli_needs:tasks", 1, "cli_needs could not be imported: ModuleNotFoundError"),
    ],
)
def test_tasks_that_cannot_be_had_are_told_in_one_line(cli, tasks, code, said):
    """What was asked for wrongly is usage; a module that fails is trouble, and says where."""
    line = complaint(cli("tasks", "--tasks", tasks, code=code))
    assert said in line
    if code == 1:
        assert f"{tasks.partition(':')[0]}.py:" in line


def test_a_defect_is_not_passed_off_as_trouble(cli, monkeypatch):
    """What nobody has foreseen keeps its traceback, for the report of the bug."""
    monkeypatch.setattr("docket_sim.cli.snapshot.Overview.of", lambda *args: 1 / 0)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        cli("snapshot")


def test_the_version_is_told(cli):
    """That of the package as installed."""
    assert cli("--version").stdout.strip() == version("docket-sim")


@pytest.mark.parametrize("extra", ["typer", "rich"])
def test_a_missing_extra_is_told_with_the_command_that_installs_it(monkeypatch, extra):
    """Without the extra, the entry point can be imported, and says what to do."""
    for name in [name for name in sys.modules if name.startswith("docket_sim.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, extra, None)
    with pytest.raises(SystemExit) as ended:
        docket_sim.cli.main()
    assert ended.value.code == (
        f"docket-sim: the command line needs {extra}, which is not installed: "
        f"pip install 'docket-sim[cli]'"
    )


def test_another_module_that_is_missing_is_not_mistaken_for_the_extra(monkeypatch):
    """An installation that is broken otherwise is shown as it is."""
    for name in [name for name in sys.modules if name.startswith("docket_sim.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pydantic_core", None)
    with pytest.raises(ModuleNotFoundError, match="pydantic_core"):
        docket_sim.cli.main()


def test_the_module_runs_as_a_program(tmp_path):
    """`python -m docket_sim.cli` is `docket-sim`, and finds tasks in the current directory."""
    (tmp_path / "here.py").write_text("async def job() -> None: ...\n\ntasks = [job]\n")
    command = [sys.executable, "-P", "-m", "docket_sim.cli", "tasks", "--tasks", "here:tasks"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
    )
    assert "job()" in done.stdout, done.stderr
    assert done.stderr == ""
