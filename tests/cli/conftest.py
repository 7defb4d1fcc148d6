"""Commands run within the test process, workers in processes of their own, on a real server."""

import os
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from pathlib import Path

import pytest
from servers import RedisServer
from typer.testing import CliRunner, Result
from worker_process import WorkerProcess

from docket_sim.cli.application import app

HERE = Path(__file__).parent
PASSWORD = "hunter2-s3cr3t"
_dockets = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[RedisServer]:
    """A server that all tests share; each has a docket of its own."""
    with RedisServer(password=PASSWORD) as server:
        yield server


@pytest.fixture
def environment(server, monkeypatch) -> dict[str, str]:
    """The variables that the commands read: a fresh docket, and the tasks of `cli_shop`."""
    for name in [name for name in os.environ if name.startswith("DOCKET_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(HERE)
    return {
        "DOCKET_URL": server.url,
        "DOCKET_NAME": f"cli-{os.getpid()}-{next(_dockets)}",
        "DOCKET_TASKS": "cli_shop:tasks",
        "DOCKET_WORKER_SCHEDULE_AUTOMATIC_TASKS": "false",
    }


@pytest.fixture
def cli(server, environment) -> Callable[..., Result]:
    """Runs a command and gives what came of it; nothing that it shows may hold the password."""

    def run(*arguments: str, code: int = 0, typed: str | None = None, **variables: str) -> Result:
        env: Mapping[str, str] = environment | variables
        result = CliRunner().invoke(app, arguments, input=typed, env=env, prog_name="docket-sim")
        shown = result.stdout + result.stderr
        assert PASSWORD not in shown
        assert result.exit_code == code, shown or repr(result.exception)
        return result

    return run


@pytest.fixture
def worker(server, environment, tmp_path) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts worker processes; nothing that they write may hold the password."""
    started: list[WorkerProcess] = []

    def start(*options: str, **variables: str) -> WorkerProcess:
        one = WorkerProcess(options, environment | variables, tmp_path / f"{len(started)}", HERE)
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()
        assert PASSWORD not in one.log + one.output
