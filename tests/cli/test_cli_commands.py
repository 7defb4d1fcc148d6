"""The commands that look at a docket and change it, on a real server."""

import json
from datetime import UTC, datetime, timedelta

import pytest


def told(cli, *arguments):
    """What a command tells a machine: stdout holds one JSON document and nothing else."""
    return json.loads(cli(*arguments, "--json").stdout)


def work_off(cli, **variables):
    """Let a worker run everything."""
    cli("worker", "--until-finished", **variables)


# tasks


def test_tasks_are_shown_with_what_they_take_and_their_policies(cli):
    """No server is needed for it."""
    found = {one["name"]: one for one in told(cli, "tasks", "--url", "memory://")}
    charge = found["charge"]
    assert charge["signature"] == "(order_id: int, when: datetime.datetime | None = None)"
    assert charge["function"] == "cli_shop:charge"
    assert charge["summary"] == "Charge an order."
    assert charge["arguments"][0] == {
        "name": "order_id", "kind": "positional or keyword", "type": "int",
    }  # fmt: skip
    assert charge["arguments"][1]["default"] is None
    assert found["policed"]["policies"] == [
        "Retry(attempts=3, delay=0:00:02)", "Timeout(0:00:30)",
    ]  # fmt: skip
    assert found["chain"]["policies"] == []  # a docket is handed over; it decides nothing
    assert (found["tick"]["automatic"], found["nap"]["automatic"]) == (True, False)


def test_tasks_are_a_table_for_people(cli):
    """Sorted by name."""
    shown = cli("tasks").stdout
    assert shown.index("block()") < shown.index("charge(") < shown.index("tick()")


def test_tasks_of_several_collections_are_shown(cli):
    """The option may be repeated; the variable takes several."""
    both = ["--tasks", "cli_shop:tasks", "--tasks", "cli_shop:more"]
    by_option = {one["name"] for one in told(cli, "tasks", *both)}
    listed = cli("tasks", "--json", DOCKET_TASKS="cli_shop:tasks cli_shop:more").stdout
    assert {"charge", "backed_off"} <= by_option == {one["name"] for one in json.loads(listed)}


def test_tasks_of_no_collection_are_asked_for(cli):
    """Where else should they come from."""
    assert "such as shop.tasks:tasks" in cli("tasks", DOCKET_TASKS="", code=2).stderr


# add


def test_a_call_is_added_with_typed_arguments(cli):
    """JSON becomes what the task's annotations say; the answer says what was made of it."""
    args = '{"order_id": 7, "when": "2030-01-01T00:00:00Z"}'
    answer = told(cli, "add", "charge", "--args", args, "--key", "k")
    assert (answer["key"], answer["disposition"]) == ("k", "scheduled")
    assert told(cli, "show", "k")["arguments"] == {
        "order_id": 7, "when": "2030-01-01T00:00:00Z",
    }  # fmt: skip
    work_off(cli)
    assert told(cli, "show", "k")["result"] == "receipt 7"


def test_a_call_that_is_due_at_once_is_told_as_queued(cli):
    """As it is everywhere else."""
    assert told(cli, "add", "policed", "--key", "k")["state"] == "queued"
    assert told(cli, "add", "policed", "--key", "k")["state"] == "queued"
    assert told(cli, "add", "policed", "--in", "5m")["state"] == "scheduled"


def test_a_call_with_variadic_arguments_is_added(cli):
    """Keywords that the signature only takes as `**extra`."""
    cli("add", "spread", "--args", '{"a": 1, "b": 2}', "--key", "k")
    assert told(cli, "show", "k")["arguments"] == {"**extra": {"a": 1, "b": 2}}


def test_a_key_is_made_up_where_none_is_given(cli):
    """And told, so that a script can go on with it."""
    key = told(cli, "add", "policed")["key"]
    assert told(cli, "show", key)["task"] == "policed"


def test_a_call_is_added_for_later(cli):
    """`--in` counts from now."""
    before = datetime.now(UTC)
    when = datetime.fromisoformat(told(cli, "add", "policed", "--in", "5m")["when"])
    assert timedelta(minutes=5) <= when - before < timedelta(minutes=6)
    assert "due" in (line := cli("add", "policed", "--in", "1h").stdout)
    assert line.rstrip().endswith("in 1h")


def test_a_call_is_added_for_a_time(cli):
    """`--at` takes any zone."""
    answer = told(cli, "add", "policed", "--at", "2040-01-01T02:00:00+02:00")
    assert answer["when"] == "2040-01-01T00:00:00Z"


def test_a_key_that_is_taken_keeps_what_it_has(cli):
    """Adding is idempotent: it is no error, and the answer tells."""
    cli("add", "charge", "--args", '{"order_id": 7}', "--key", "k")
    again = cli("add", "charge", "--args", '{"order_id": 8}', "--key", "k")
    assert again.stdout.startswith("nothing was scheduled: the key is taken by charge(order_id=7)")
    answer = told(cli, "add", "charge", "--args", '{"order_id": 8}', "--key", "k")
    assert answer["disposition"] == "already_scheduled"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chrage"], "no task is called 'chrage': did you mean charge?"),
        (["charge"], "charge(order_id: int, when: datetime.datetime | None = None): missing"),
        (["charge", "--args", '{"order": 1}'], "missing a required argument: 'order_id'"),
        (["charge", "--args", '{"order_id": "x"}'], "order_id: Input should be a valid integer"),
        (["charge", "--args", "[7]"], "expected a JSON object, found '[7]'"),
        (["charge", "--args", "{"], "expected a JSON object, found '{'"),
        (["policed", "--key", ""], "expected at least one character"),
        (["policed", "--at", "2030-01-01T00:00"], "append Z for UTC, or an offset"),
        (["policed", "--at", "tomorrow"], "expected a time such as 2030-01-01T09:00:00Z"),
        (["policed", "--at", "2030-01-01T00:00Z", "--in", "5m"], "expected one of them"),
        (["policed", "--in", "9000000d"], "there is no time so far away"),
    ],
)
def test_a_call_that_cannot_be_is_refused(cli, arguments, said):
    """Here, rather than on the worker; the line says what to mend."""
    assert said in cli("add", *arguments, code=2).stderr


def test_a_call_without_any_collection_is_refused_with_the_way_out(cli):
    """Arguments are checked against the task's signature, so it has to be known."""
    result = cli("add", "charge", DOCKET_TASKS="", code=2)
    assert "no tasks: give it their collection with --tasks" in result.stderr


# show


def test_an_execution_that_failed_is_shown_with_its_error(cli):
    """The type, the message and the traceback as the worker saw it, from the task on."""
    cli("add", "charge", "--args", '{"order_id": 13}', "--key", "k")
    work_off(cli)
    answer = told(cli, "show", "k")
    assert (answer["state"], answer["attempt"]) == ("failed", 1)
    assert (answer["error"]["type"], answer["error"]["message"]) == (
        "builtins:ValueError", "unlucky",
    )  # fmt: skip
    assert answer["error"]["traceback"].startswith("Traceback")
    shown = cli("show", "k").stdout
    assert "builtins:ValueError: unlucky" in shown
    assert 'raise ValueError("unlucky")' in shown
    assert "perform.py" not in shown  # nor anything else that is the engine's


def test_an_execution_is_shown_without_knowing_its_task(cli):
    """Whoever is on call may not have the code at hand."""
    cli("add", "charge", "--args", '{"order_id": 7}', "--key", "k")
    shown = cli("show", "k", DOCKET_TASKS="").stdout
    assert "charge(order_id=7)" in shown
    assert '{"order_id": 7}' in shown


def test_an_execution_that_another_scheduled_tells_which(cli):
    """The way back to the cause."""
    cli("add", "chain", "--key", "parent")
    cli("add", "quit_work", "--args", '{"signals": 1}')
    cli("worker")
    assert told(cli, "show", "chained")["scheduled_by"] == {"key": "parent", "attempt": 1}


def test_an_unknown_key_is_told(cli):
    """With the two reasons that there may be."""
    assert "never scheduled, or is forgotten" in cli("show", "k", code=1).stderr


def test_what_a_docket_holds_cannot_command_the_terminal(cli):
    """Keys and arguments come from anywhere."""
    cli("add", "policed", "--key", "k\x1b[31m\nred [bold]")
    shown = cli("show", "k\x1b[31m\nred [bold]").stdout
    assert "\x1b" not in shown
    assert "[bold]" in shown
    cli("add", "policed", "--key", "[bold]\x1b")
    shown = cli("snapshot").stdout
    assert "\x1b" not in shown
    assert "[bold]" in shown


def test_a_pickled_docket_is_read_when_asked_for(cli):
    """Unpickling runs what is in the docket, so it has to be asked for by name."""
    cli("add", "charge", "--args", '{"order_id": 7}', "--key", "k", DOCKET_CODEC="pickle")
    assert "pickle" in told(cli, "show", "k")["unreadable"]
    assert "charge(<unreadable>)" in cli("show", "k", DOCKET_TASKS="").stdout
    work_off(cli, DOCKET_CODEC="pickle")
    answer = told(cli, "show", "k", "--codec", "pickle")
    assert (answer["arguments"], answer["result"]) == ({"order_id": 7}, "receipt 7")


# cancel


def test_what_waits_is_cancelled(cli):
    """It never runs; its record says so."""
    cli("add", "policed", "--key", "k", "--in", "1h")
    line = cli("cancel", "k").stdout
    assert line == "cancelled policed() [k], which was scheduled\n"
    assert told(cli, "show", "k")["state"] == "cancelled"


def test_what_runs_is_cancelled_where_it_runs(cli, worker):
    """The worker is told, and settles it as cancelled."""
    cli("add", "nap", "--args", '{"seconds": 60}', "--key", "k")
    one = worker("--until-finished")
    one.noted("napping")
    answer = told(cli, "cancel", "k")
    assert (answer["was"], answer["cancelled"]) == ("running", True)
    assert one.exit_code() == 0
    assert told(cli, "show", "k")["state"] == "cancelled"


def test_what_has_ended_is_left_as_it_is(cli):
    """Cancelling twice is no error."""
    cli("add", "policed", "--key", "k", "--in", "1h")
    cli("cancel", "k")
    assert "had ended already, cancelled: it is left as it is" in cli("cancel", "k").stdout
    assert told(cli, "cancel", "k")["cancelled"] is False


def test_an_unknown_key_cannot_be_cancelled(cli):
    """A key that was mistyped should not look like a success."""
    assert "nothing is known of 'k'" in cli("cancel", "k", code=1).stderr


def test_a_record_is_kept_no_longer_than_asked_for(cli):
    """`--execution-ttl` of the command that ends the execution decides."""
    cli("add", "policed", "--key", "k", "--in", "1h")
    cli("cancel", "k", "--execution-ttl", "0")
    cli("show", "k", code=1)


# snapshot


def test_a_snapshot_counts_by_task_and_state(cli):
    """What there is, what runs, what comes next."""
    for order in (7, 8):
        cli("add", "charge", "--args", f'{{"order_id": {order}}}')
    work_off(cli)
    cli("add", "charge", "--args", '{"order_id": 9}', "--key", "later", "--in", "2h")
    cli("add", "policed", "--key", "sooner", "--in", "1h")
    answer = told(cli, "snapshot")
    assert answer["tasks"]["charge"]["completed"] == 2
    assert answer["tasks"]["charge"]["scheduled"] == 1
    assert answer["states"]["scheduled"] == 2
    assert [one["key"] for one in answer["next_due"]] == ["sooner", "later"]
    assert answer["running"] == []


def test_a_snapshot_tells_what_runs_where_and_for_how_long(cli):
    """Left behind by a worker that was told to abandon it."""
    cli("add", "quit_work", "--args", '{"signals": 2, "seconds": 60}', "--key", "k")
    cli("worker", "--name", "w1", code=3)
    (running,) = told(cli, "snapshot")["running"]
    assert (running["key"], running["worker"], running["attempt"]) == ("k", "w1", 1)
    assert 0 <= running["running_seconds"] < 60
    shown = cli("snapshot").stdout
    assert "quit_work(" in shown
    assert "w1" in shown


def test_a_snapshot_is_tables_for_people(cli, server):
    """The place is named, without its password; what comes next is told as a distance."""
    cli("add", "charge", "--args", '{"order_id": 7}', "--key", "k", "--in", "2h")
    shown = cli("snapshot").stdout
    assert "at redis://:***@127.0.0.1" in shown
    assert "charge(order_id=7)" in shown
    assert "in 2h" in shown


def test_a_snapshot_without_knowing_the_tasks_reads_the_same(cli):
    """Arguments are shown by name, as they travel."""
    cli("add", "charge", "--args", '{"order_id": 7}')
    assert "charge(order_id=7)" in cli("snapshot", DOCKET_TASKS="").stdout


def test_a_snapshot_lists_no_more_than_asked_for(cli):
    """And says how many there are."""
    for hours in (1, 2, 3):
        cli("add", "policed", "--in", f"{hours}h")
    assert len(told(cli, "snapshot", "--limit", "2")["next_due"]) == 2
    assert "next due, 2 of 3" in cli("snapshot", "--limit", "2").stdout


def test_a_snapshot_of_an_empty_docket_says_so(cli):
    """An empty table would leave one wondering."""
    assert "nothing is scheduled, runs, or has ended of late" in cli("snapshot").stdout


# clear


def test_everything_that_waits_is_cleared(cli):
    """Nothing is asked with `--yes`."""
    for hours in (1, 2):
        cli("add", "policed", "--key", f"k{hours}", "--in", f"{hours}h")
    assert told(cli, "clear", "--yes")["cancelled"] == 2
    assert told(cli, "show", "k1")["state"] == "cancelled"
    assert "cancelled 0 executions" in cli("clear").stdout  # nothing waits: nothing is asked


def test_clearing_shows_its_progress_to_people(cli):
    """On stderr, and only where that is a terminal."""
    cli("add", "policed", "--in", "1h")
    assert cli("clear", "--yes").stderr == ""
    cli("add", "policed", "--in", "1h")
    result = cli("clear", "--yes", "--json", FORCE_COLOR="1")
    assert "cancelling" in result.stderr
    assert "100%" in result.stderr
    assert json.loads(result.stdout)["cancelled"] == 1


def test_clearing_asks_first(cli):
    """On stderr, so that stdout stays clean."""
    cli("add", "policed", "--key", "k", "--in", "1h")
    result = cli("clear", "--json", typed="y\n")
    assert result.stderr.startswith("cancel everything that waits in docket 'cli-")
    assert result.stderr.endswith(": 1 in all? [y/N] ")
    assert json.loads(result.stdout)["cancelled"] == 1


@pytest.mark.parametrize("typed", ["n\n", ""])
def test_without_a_yes_nothing_is_cleared(cli, typed):
    """Neither for a no, nor where nobody can answer."""
    cli("add", "policed", "--key", "k", "--in", "1h")
    assert "[y/N] docket-sim: nothing was done" in cli("clear", typed=typed, code=1).stderr
    assert told(cli, "show", "k")["state"] == "scheduled"
