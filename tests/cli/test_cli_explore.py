"""`docket-sim explore`: long searches outside of pytest, by processes that share the runs."""

import base64
import io
import json
import os
import re
import shlex
from pathlib import Path

import cli_scenarios
import pytest
from rich.console import Console
from typer.testing import CliRunner

from docket_sim import explore as explore_in_process
from docket_sim.cli.application import app
from docket_sim.cli.searching import Shown
from docket_sim.search import Exploration

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(HERE)
    monkeypatch.setenv("CLI_PARENT", str(os.getpid()))
    monkeypatch.delenv("PYTHONHASHSEED", raising=False)
    monkeypatch.setattr(cli_scenarios, "runs", 0)


@pytest.fixture
def explore():
    """Runs the command on a scenario of `cli_scenarios`, and gives what came of it."""

    def run(scenario, *options, code=0):
        path = f"cli_scenarios:{scenario}" if scenario.isidentifier() else scenario
        words = [str(option) for option in options]
        result = CliRunner().invoke(app, ["explore", path, *words], prog_name="docket-sim")
        assert result.exit_code == code, result.output or repr(result.exception)
        assert "\x1b" not in result.output
        assert "\r" not in result.output
        assert "nobody wants to read this" not in result.output or "--replay" in words
        return result

    return run


def timelines(path):
    return json.loads(path.read_text())["timelines"]


def test_a_search_that_finds_nothing_tells_what_it_has_seen(explore):
    """Which tasks did what, and what none has ever done; how much ran, and what went wrong."""
    said = explore("once", "--runs", 80).stdout
    head, row, *_ = said.splitlines()
    seen = dict(zip(re.split(r"\s{2,}", head), re.split(r"\s{2,}", row), strict=True))
    assert seen["task"] == "charge_once"
    assert int(seen["started"]) + int(seen["redelivered"]) >= 80
    assert seen["failed"] == seen["timed out"] == "never"
    assert re.search(
        r"^80 runs \(\d+/s\), \d+ distinct timelines; faults: .*crash_worker", said, re.MULTILINE
    )
    assert said.endswith("no run has failed\n")


def test_a_failure_is_shown_with_the_line_that_replays_it(explore):
    """The line is a whole command line; it fails again, with the same diagram."""
    said = explore("twice", "--workers", 3, code=1).stdout
    assert "broke: AssertionError: charged 2 times" in said
    assert "✗ power cut before settle of order-7" in said
    (line,) = re.findall(r"^  replay    docket-sim explore (.*)$", said, re.MULTILINE)
    assert line.startswith("cli_scenarios:twice --workers 3 --replay ds1-")
    again = explore(*shlex.split(line), code=1).stdout
    assert "fails again: AssertionError: charged 2 times" in again
    assert "✗ power cut before settle of order-7" in again


def test_a_run_without_end_is_a_failure(explore):
    """After so many steps; the line that replays it says how many."""
    said = explore("endless", "--steps", 10_000, "--no-determinism", code=1).stdout
    assert "run 1 of 10000 broke: EndlessRun: a run without end: it has taken 10,000 steps" in said
    (line,) = re.findall(r"^  replay    docket-sim explore (.*)$", said, re.MULTILINE)
    assert "--steps 10000" in line
    assert "again: EndlessRun: a run without end" in explore(*shlex.split(line), code=1).stdout


def test_a_replay_of_what_has_been_mended_says_so(explore):
    """The token fits the world, but the run no longer fails, or goes another way."""
    said = explore("twice", code=1).stdout
    token = re.search(r"ds1-\S+", said)[0]
    assert (
        f"the run {token} of cli_scenarios:once does not fail"
        in explore("once", "--replay", token).stdout
    )


def test_the_default_run_may_fail_already(explore):
    """Then there is nothing to search for."""
    assert "run 1 of 10000 broke: ValueError: nothing works" in explore("at_once", code=1).stdout


@pytest.mark.parametrize("seed", [3, -1])
def test_processes_make_the_same_runs_as_one(explore, tmp_path, seed):
    """Two processes, one process, and `explore()` in a test: the same seed, the same runs."""
    one, two = tmp_path / "one.json", tmp_path / "two.json"
    options = ["--runs", 90, "--seed", seed, "--faults", "hostile"]
    explore("once", *options, "--resume", one)
    explore("once", *options, "--resume", two, "--jobs", 2)
    here = explore_in_process(cli_scenarios.once, runs=90, seed=seed, faults="hostile")
    told = [json.loads(path.read_text()) for path in (one, two)]
    for state in told:
        assert base64.b64decode(state["timelines"]) == b"".join(sorted(here.timelines))
        assert state["faults"] == here.faults
        assert state["runs"] == 90
        state.pop("seconds")
    assert told[0] == told[1]


def test_processes_find_the_first_failure_of_the_row(explore):
    """Whoever is faster: the run that is reported is the one that one process would report."""
    one = explore("twice", code=1).stdout
    two = explore("twice", "--jobs", 2, code=1).stdout
    report = r"run \d+ of 10000 broke.*"
    assert re.search(report, one, re.DOTALL)[0] == re.search(report, two, re.DOTALL)[0]


def test_an_interrupted_search_goes_on_where_it_stopped(explore, tmp_path, monkeypatch):
    """Ctrl-C ends it in order; later it makes the rest of the runs, and none twice."""
    monkeypatch.setattr("docket_sim.search.campaign._SHARE", 0.01)
    state, whole = tmp_path / "state.json", tmp_path / "whole.json"
    first = explore("interrupted", "--runs", 100, "--resume", state)
    assert re.search(r"interrupted after \d+ runs; the same command goes on from ", first.stderr)
    assert "never" in first.stdout
    assert 38 <= json.loads(state.read_text())["runs"] < 100

    second = explore("interrupted", "--runs", 100, "--resume", state)
    assert "100 runs (" in second.stdout
    explore("once", "--runs", 100, "--resume", whole)
    assert timelines(state) == timelines(whole)
    assert "100 runs (" in explore("interrupted", "--runs", 100, "--resume", state).stdout


def test_a_second_interruption_ends_it_at_once(explore, tmp_path, monkeypatch):
    """What was done before is kept all the same."""
    monkeypatch.setattr("docket_sim.search.campaign._SHARE", 0.01)
    # Such a short share may hold but one run; both are to be pressed within one.
    monkeypatch.setattr("docket_sim.search.campaign.Campaign._next", growing_shares())
    state = tmp_path / "state.json"
    said = explore("interrupted_twice", "--runs", 100, "--resume", state, code=130)
    assert "ended at once; the same command goes on from" in said.stderr
    assert json.loads(state.read_text())["done"] == 20


def growing_shares():
    from docket_sim.search.shares import Share

    shares = [Share(0, 20), Share(20, 60)]
    return lambda campaign: shares.pop(0) if shares else None


def test_a_search_goes_on_with_its_failure(explore, tmp_path):
    """What is not mended is found again at once; when it is, the search goes on behind it."""
    state = tmp_path / "state.json"
    explore("twice", "--runs", 60, "--resume", state, code=1)
    assert "charged 2 times" in explore("twice", "--runs", 60, "--resume", state, code=1).stdout
    content = json.loads(state.read_text())
    content["of"]["scenario"] = "cli_scenarios:once"
    state.write_text(json.dumps(content))
    assert "60 runs (" in explore("once", "--runs", 60, "--resume", state).stdout


def test_a_failure_is_kept_and_replayed_first(explore, tmp_path):
    """As `explore(keep=...)` does, which reads the same file."""
    keep = tmp_path / "failures" / "charge.json"
    assert f"kept      {keep}" in explore("twice", "--keep", keep, code=1).stdout
    assert json.loads(keep.read_text())["scenario"] == "cli_scenarios:twice"
    assert "fails again" in explore("twice", "--keep", keep, "--runs", 1, code=1).stdout
    mended = explore("once", "--keep", keep, "--runs", 3)
    assert f"the run kept in {keep} no longer fails" in mended.stderr
    assert "3 runs" in mended.stdout


def test_time_may_bound_a_search(explore):
    """Without a number of runs, there are as many as there is time for."""
    assert "no run has failed" in explore("once", "--seconds", 0.3, "--faults", "none").stdout


def test_a_scenario_that_is_not_deterministic_ends_the_search(explore):
    """With what differs and why; unless that is not wanted."""
    said = explore("by_state", code=1).stdout
    assert "the same choices have led to two different runs" in said
    assert "likely cause  state left from one run to the next: cli_scenarios.runs" in said
    assert "5 runs (" in explore("by_state", "--runs", 5, "--no-determinism").stdout


def test_a_search_in_which_nothing_is_scheduled_is_an_error(explore):
    """It could not have found anything."""
    said = explore("idle", "--runs", 5, code=1).stderr
    assert "expected that the scenario schedules something, found nothing in 5 runs" in said


def test_processes_find_out_what_depends_on_the_hash_seed(explore):
    """Texts hash otherwise in each process, and so the order of a set of them differs."""
    said = explore("by_hash_order", "--jobs", 2, "--runs", 20, code=1).stdout
    assert "in another process, " in said
    assert re.search(r"likely cause  an unordered set, made at cli_scenarios.py:\d+", said)


def test_a_failure_that_does_not_come_again_is_told_as_such(explore):
    """It was seen in another process; here the same choices do not fail."""
    said = explore("fails_elsewhere", "--jobs", 2, "--no-determinism", "--runs", 20, code=1).stdout
    assert "run 2: AssertionError: not at home" in said
    assert "there: no failure, with the same choices" in said


def test_a_process_that_dies_ends_the_search(explore):
    """Rather than let it wait for ever."""
    said = explore("dies_elsewhere", "--jobs", 2, "--runs", 20, code=1).stderr
    assert re.search(r"expected the process explore-\d to make its runs.* ended with code 7", said)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        ("tests.shop", "expected a module and a function in it, such as .* found 'tests.shop'"),
        ("cli_scenarios:", "expected a module and a function in it"),
        ("cli_nowhere:once", "there is no module 'cli_nowhere': expected one in the current"),
        ("cli_scenarios:twise", "cli_scenarios has no 'twise'.* did you mean twice"),
        ("cli_scenarios:number", "expected a function .* found cli_scenarios:number to be int 7"),
        ("cli_scenarios:takes_two", r"of one parameter.*:takes_two\(sim, ledger\): give the other"),
        ("cli_scenarios:takes_none", r"of one parameter.*:takes_none\(\)"),
    ],
)
def test_what_is_no_scenario_is_refused(explore, scenario, says):
    """In one line: what was expected, what was found, what to do."""
    said = explore(scenario, code=2).stderr
    assert len(said.splitlines()) == 1
    assert re.search(says, said)
    assert "SCENARIO" in said


def test_a_module_that_fails_to_be_imported_says_where(explore):
    """That is not the command's use that is wrong."""
    assert "cli_broken could not be imported: " in explore("cli_broken:once", code=1).stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--runs", "0"], "Invalid value for '--runs'"),
        (["--seconds", "0"], "--seconds: expected more than 0, found 0"),
        (["--faults", "wild"], "'wild' is not one of"),
        (["--replay", "x7Qk"], "expected a token such as ds1-x7Qk, found 'x7Qk'"),
        (["--replay", "ds1-x7Qk", "--keep", "f"], "expected no --keep beside it"),
        (["--resume", "cli_shop.py"], "cli_shop.py does not hold the state of a search"),
        (["--keep", "cli_shop.py"], "cli_shop.py holds no failing run"),
    ],
)
def test_wrong_use_is_refused(explore, options, says):
    """With 2, before anything is run."""
    assert says in explore("once", *options, code=2).stderr


def test_the_state_of_another_search_is_refused(explore, tmp_path):
    """Its runs are other ones: to go on from it would leave some out."""
    state = tmp_path / "state.json"
    explore("once", "--runs", 2, "--resume", state)
    said = explore("once", "--runs", 2, "--seed", 5, "--resume", state, code=2).stderr
    assert "the state of another search: expected seed 5, found 0" in said
    content = json.loads(state.read_text())
    state.write_text(json.dumps(content | {"version": 99}))
    said = explore("once", "--runs", 2, "--resume", state, code=2).stderr
    assert "written by another version: 99, not 1" in said


def some_exploration():
    seen = Exploration(runs=500, seconds=2.0, timelines={b"a", b"b"})
    seen.faults.update({"crash_worker": 1200, "pause": 3, "fail": 2, "partition": 1})
    return seen


@pytest.mark.parametrize(("runs", "of"), [(1000, "500 of 1,000 runs"), (None, "500 runs")])
def test_a_terminal_shows_a_bar(runs, of):
    """Runs, runs per second, distinct timelines and faults; it is gone in the end."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80)
    with Shown(runs=runs, seconds=9.0, console=console) as shown:
        shown(some_exploration())
    assert of in screen.getvalue()
    assert "250 runs/s, 2 distinct, 1,206 faults" in screen.getvalue()


def test_elsewhere_a_line_is_written_now_and_then(monkeypatch):
    """A log of a long search is not filled with bars."""
    lines = io.StringIO()
    with Shown(runs=1000, seconds=None, console=Console(file=lines, width=60)) as shown:
        shown(some_exploration())
        assert not lines.getvalue()
        monkeypatch.setattr("docket_sim.cli.searching._EVERY", type(shown._began - shown._began)())
        shown(some_exploration())
    (line,) = lines.getvalue().splitlines()
    assert line.startswith("500 of 1,000 runs; 250 runs/s, 2 distinct, 1,206 faults (")
    assert line.endswith("(crash_worker 1,200, pause 3, fail 2, …)")
