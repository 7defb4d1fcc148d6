"""`docket-sim worker`: real signals to real processes, on a real server."""

import dataclasses
import json
import signal
import sys

import pytest

from docket_sim import DocketError, WorkerSettings
from docket_sim.cli.worker import ABANDONED


def state_of(cli, key):
    """Where an execution stands, as another process sees it."""
    return json.loads(cli("show", key, "--json").stdout)["state"]


def test_a_worker_drains_what_it_has_in_hand_and_exits_with_zero(worker, cli):
    """SIGTERM is how orchestrators ask: the attempt in hand ends well, and nothing is lost.

    Meanwhile nothing more should be expected of the worker, though it is alive.
    """
    cli("add", "nap", "--args", '{"seconds": 1}', "--key", "k")
    one = worker("--health-port", "0", "--name", "w1")
    one.noted("napping")
    one.signal()
    one.logged("stopping: no more work is claimed; attempts in hand: 1; they have 25s to end")
    status, body = one.get("/health")
    assert (status, body["worker"], body["in_hand"]) == (503, "w1", 1)
    assert body["problem"] == "the worker is draining, and claims no work"
    assert one.get("/live") == (200, {"status": "alive"})
    assert one.exit_code() == 0
    assert state_of(cli, "k") == "completed"


def test_a_second_signal_abandons_at_once(worker, cli):
    """Somebody who presses Ctrl-C twice does not want to wait."""
    cli("add", "nap", "--args", '{"seconds": 60}')
    one = worker()
    one.noted("napping")
    one.signal(signal.SIGINT)
    one.logged("stopping")
    one.signal(signal.SIGINT)
    assert one.exit_code() == ABANDONED
    assert "woken" in one.notes  # its cleanup has run
    assert "Traceback" not in one.log


def test_a_third_signal_ends_even_what_will_not_be_cancelled(worker, cli):
    """No body can keep its process alive against somebody who insists."""
    cli("add", "stubborn")
    one = worker()
    one.noted("digging in")
    one.signal()
    one.logged("stopping")
    one.signal()
    one.logged("abandoned")
    one.signal()
    assert one.exit_code() == ABANDONED


def test_a_body_that_blocks_the_event_loop_cannot_hold_up_the_end(worker, cli):
    """Nothing on the loop runs any more; the last resort is a thread."""
    cli("add", "block")
    one = worker("--shutdown-deadline", "0")
    one.noted("blocking")
    one.signal()
    assert one.exit_code() == ABANDONED


def test_health_follows_the_store(worker, server, cli):
    """A server that hangs, as after a network failure, is a 503 within a second and some."""
    one = worker("--health-port", "0", "--log-format", "json")
    one.logged("works on")
    assert one.get("/health")[0] == 200
    server.pause()
    try:
        status, body = one.get("/health")
        alive = one.get("/live")[0]
    finally:
        server.resume()
    assert status == 503
    assert body["problem"] == "the store has not answered within 1 s"
    assert alive == 200
    assert one.get("/health")[0] == 200


# Within the test's own process.


def test_a_worker_ends_when_everything_is_finished(cli):
    """For batch jobs: it works the docket off, the future included, and exits."""
    cli("add", "charge", "--args", '{"order_id": 7}', "--key", "k")
    cli("worker", "--until-finished")
    assert json.loads(cli("show", "k", "--json").stdout)["result"] == "receipt 7"


def test_a_draining_worker_claims_nothing_more(cli):
    """What becomes due meanwhile is left for others, also if all was to be worked off."""
    cli("add", "quit_work", "--args", '{"signals": 1, "seconds": 0.1}', "--key", "k")
    cli("worker", "--until-finished")
    assert state_of(cli, "k") == "completed"
    assert state_of(cli, "late") == "queued"


def test_what_has_not_ended_at_the_shutdown_deadline_is_abandoned(cli):
    """Nothing is settled, and the exit code says so."""
    cli("add", "quit_work", "--args", '{"signals": 1, "seconds": 60}', "--key", "k")
    result = cli("worker", "--shutdown-deadline", "100ms", code=ABANDONED)
    assert "attempts abandoned: 1; their leases expire within 5m" in result.stderr
    assert state_of(cli, "k") == "running"  # until its lease expires


def test_abandoned_work_is_taken_over_when_its_lease_has_expired(cli):
    """The next worker delivers the same attempt again."""
    cli("add", "quit_work", "--args", '{"signals": 1, "seconds": 60}', "--key", "k")
    short = ["--redelivery-timeout", "200ms"]
    cli("worker", "--shutdown-deadline", "0", *short, code=ABANDONED)
    cli("worker", "--until-finished", *short)
    told = json.loads(cli("show", "k", "--json").stdout)
    assert (told["attempt"], told["delivery"], told["result"]) == (1, 2, "taken over")


def test_a_worker_told_twice_abandons(cli):
    """The exit code is another one than for a drained stop, and a log line says what it means."""
    cli("add", "quit_work", "--args", '{"signals": 2, "seconds": 60}')
    result = cli("worker", code=ABANDONED)
    assert "attempts abandoned: 1; their leases expire within 5m" in result.stderr


def test_every_setting_reaches_the_worker(cli):
    """But for the deadline, which is the business of the process around it."""
    given = {
        "concurrency": 3, "redelivery_timeout": 61.0, "reconnection_delay": 7.0,
        "max_deliveries": 2, "schedule_automatic_tasks": False,
    }  # fmt: skip
    fields = {field.name for field in dataclasses.fields(WorkerSettings)}
    assert fields == {*given, "shutdown_deadline"}
    cli("add", "settings", "--key", "k")
    cli(
        "worker", "--until-finished", "--concurrency", "3", "--redelivery-timeout", "61s",
        "--reconnection-delay", "7", "--max-deliveries", "2", "--no-schedule-automatic-tasks",
    )  # fmt: skip
    result = json.loads(cli("show", "k", "--json").stdout)["result"]
    assert {name: result[name] for name in given} == given


def test_settings_come_from_the_environment(cli):
    """Everything that is an option can be a variable, for containers."""
    result = cli(
        "worker",
        DOCKET_WORKER_NAME="w7",
        DOCKET_WORKER_CONCURRENCY="3",
        DOCKET_WORKER_UNTIL_FINISHED="true",
        DOCKET_WORKER_HEALTH_PORT="0",
    )
    assert "worker w7 works on docket" in result.stderr
    assert "up to 3 attempts at once" in result.stderr
    assert "health at http://127.0.0.1:" in result.stderr


def test_an_option_wins_over_its_variable(cli):
    """What is typed is meant."""
    result = cli(
        "worker", "--until-finished", "--name", "typed",
        DOCKET_WORKER_NAME="inherited",
    )  # fmt: skip
    assert "worker typed works on" in result.stderr


def test_automatic_tasks_are_scheduled_unless_told_otherwise(cli):
    """A perpetual that schedules itself is there after a worker has been."""
    cli("add", "quit_work", "--args", '{"signals": 1}')
    cli("worker")
    cli("show", "tick", code=1)
    cli("add", "quit_work", "--args", '{"signals": 1}')
    cli("worker", "--schedule-automatic-tasks")
    assert json.loads(cli("show", "tick", "--json").stdout)["task"] == "tick"


def test_uvloop_runs_the_worker(cli):
    """The loop is a matter of one option."""
    pytest.importorskip("uvloop")
    cli("add", "charge", "--args", '{"order_id": 7}', "--key", "k")
    cli("worker", "--uvloop", "--until-finished")
    assert state_of(cli, "k") == "completed"


def test_a_worker_on_uvloop_drains_as_well(cli):
    """Its way with signals is another one; the outcome is the same."""
    pytest.importorskip("uvloop")
    cli("add", "quit_work", "--args", '{"signals": 1}', "--key", "k")
    cli("worker", "--uvloop")
    assert state_of(cli, "k") == "completed"


def test_uvloop_that_is_missing_is_asked_for_by_its_command(cli, monkeypatch):
    """The way out stands in the message."""
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert "pip install uvloop" in cli("worker", "--uvloop", code=2).stderr


def test_a_worker_without_tasks_is_refused(cli):
    """It would take the work of others and fail it as unknown."""
    result = cli("worker", DOCKET_TASKS="", code=2)
    assert "expected one collection or more, such as shop.tasks:tasks" in result.stderr


def test_a_setting_that_cannot_work_is_refused(cli):
    """What `WorkerSettings` refuses is a usage error."""
    assert (
        "concurrency must be at least 1, found 0"
        in cli("worker", "--concurrency", "0", code=2).stderr
    )


def test_a_port_that_is_taken_is_named(cli, server):
    """With what to do about it."""
    result = cli("worker", "--health-port", f"{server.port}", code=1)
    assert f"cannot listen at 127.0.0.1:{server.port}" in result.stderr
    assert "Choose another --health-port" in result.stderr


def test_json_logs_are_json_to_the_last_line(cli):
    """Each line is an object, with the execution in its fields; failures carry the traceback."""
    cli("add", "charge", "--args", '{"order_id": 13}', "--key", "k")
    result = cli(
        "worker", "--until-finished", "--log-format", "json",
        "--name", "w1",
    )  # fmt: skip
    lines = [json.loads(line) for line in result.stderr.splitlines() if line != "imported"]
    assert lines[0]["message"].startswith("worker w1 works on")
    (failed,) = [line for line in lines if line["level"] == "ERROR"]
    assert failed["message"].startswith("failed charge(order_id=13) [k]: ValueError: unlucky")
    fields = {name: failed[name] for name in ("key", "task", "attempt", "worker", "logger")}
    assert fields == {
        "key": "k", "task": "charge", "attempt": 1, "worker": "w1", "logger": "docket_sim",
    }  # fmt: skip
    assert 'raise ValueError("unlucky")' in failed["exception"]


@pytest.mark.parametrize(
    ("error", "with_traceback"), [(DocketError("hm"), False), (ZeroDivisionError("hm"), True)]
)
def test_what_ends_a_worker_is_json_too(cli, monkeypatch, error, with_traceback):
    """A collector of logs would not parse anything else; a defect keeps its traceback."""

    async def fail(self, *args, **kwargs):
        raise error

    monkeypatch.setattr("docket_sim.cli.service.Service.run", fail)
    result = cli("worker", "--log-format", "json", code=1)
    (line,) = [json.loads(line) for line in result.stderr.splitlines() if line != "imported"]
    assert (line["level"], line["message"]) == ("CRITICAL", "the worker has ended: hm")
    assert ("exception" in line) == with_traceback
