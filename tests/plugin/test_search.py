"""A test that is run many times: what is fresh in each run, and what is reported once."""

import json
import re

import pytest

SHOP = """
    import asyncio
    import pytest
    from docket_sim import Depends

    async def get_ledger():
        raise AssertionError("each test brings its own")

    async def charge(order_id: int, ledger: list = Depends(get_ledger)) -> None:
        ledger.append(order_id)
        await asyncio.sleep(1)

    async def charge_once(order_id: int, ledger: list = Depends(get_ledger)) -> None:
        if order_id not in ledger:
            ledger.append(order_id)
        await asyncio.sleep(1)

    @pytest.fixture
    def ledger(sim):
        charges = []
        sim.override(get_ledger, value=charges)
        return charges
"""
BROKEN = (
    SHOP
    + """
    @pytest.mark.docket(seeds=100, workers=2, faults="rough")
    async def test_an_order_is_charged_once(sim, ledger):
        await sim.docket.add(charge, key="order-7")(7)
        await sim.run_until_idle()
        assert ledger == [7]
"""
)
MENDED = BROKEN.replace("add(charge,", "add(charge_once,")


def test_a_failure_is_reported_once_with_the_run_that_leads_to_it(run):
    """One test, one report: what broke, the shrunk run as a diagram, and how to replay it."""
    result = run(BROKEN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*assert [[]7, 7] == [[]7]*",
            "*docket search*",
            "run * of 100 broke: AssertionError: assert [[]7, 7] == [[]7]",
            "*power cut before settle of order-7*",
            "*taken over by worker-*",
            "*replay    pytest 'test_shop.py::test_an_order_is_charged_once' --docket-replay=ds1-*",
            "*kept      .docket/test_shop.py-test_an_order_is_charged_once.json",
            "FAILED test_shop.py::test_an_order_is_charged_once - run * of 100 broke*",
        ]
    )


def test_the_mended_test_passes_and_says_what_was_searched(run):
    """Each run has a ledger of its own, or the second would have found the first one's order."""
    result = run(MENDED, "-rP")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["100 runs (*/s), * distinct timelines; faults: crash_worker *"])


def test_the_line_in_the_report_replays_the_run(run):
    """Pasted into a shell, it makes that run again; when the task is mended, it passes."""
    found = run(BROKEN, "-p", "no:cacheprovider")
    token = re.search(r"--docket-replay=(\S+)", found.stdout.str()).group(1)
    again = run(BROKEN, f"--docket-replay={token}")
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["FAILED * - replayed: assert *"])
    run(MENDED, f"--docket-replay={token}").assert_outcomes(passed=1)


def test_a_failure_that_was_kept_is_replayed_first(run, pytester):
    """The search does not begin anew as long as the test fails as it did."""
    run(BROKEN)
    (kept,) = (pytester.path / ".docket").iterdir()
    assert json.loads(kept.read_text())["scenario"].endswith("test_an_order_is_charged_once")
    result = run(BROKEN)
    result.stdout.fnmatch_lines(["FAILED * - replayed: assert *"])
    run(MENDED).assert_outcomes(passed=1)


def test_a_kept_failure_of_other_faults_is_searched_anew(run):
    """It must not fail a test that is mended; one that is not, is found again."""
    run(BROKEN)
    hostile = 'faults="hostile"'
    mended, broken = (test.replace('faults="rough"', hostile) for test in (MENDED, BROKEN))
    run(mended, "-W", "default").assert_outcomes(passed=1, warnings=1)
    result = run(broken, "-W", "default")
    result.stdout.fnmatch_lines(["FAILED * - run * of 100 broke*"])


def test_a_run_that_no_longer_fits_is_told_and_gives_its_file_to_the_next(run, pytester):
    """A regression test that has become void must not look like one that passes."""
    run(BROKEN)
    with_others = BROKEN.replace("workers=2", "workers=3"), MENDED.replace("workers=2", "workers=3")
    said = "*the run kept in .docket/*.json was not made: 'ds1-*' was made with other faults, *"
    passing = run(with_others[1], "-W", "default")
    passing.assert_outcomes(passed=1, warnings=1)
    passing.stdout.fnmatch_lines([said])
    strict = run(with_others[1], "-W", "error")
    strict.assert_outcomes(failed=1)
    strict.stdout.fnmatch_lines([said])
    found = run(with_others[0], "-W", "default")
    found.stdout.fnmatch_lines(["*kept      .docket/*_once.json"])
    assert len(list((pytester.path / ".docket").iterdir())) == 1
    run(with_others[0]).stdout.fnmatch_lines(["FAILED * - replayed: assert *"])


def test_another_failure_is_kept_beside_the_first(run, pytester):
    """What was committed as a regression test stays one when the next bug is found."""
    run(BROKEN)
    fragile = MENDED.replace("assert ledger == [7]", "assert not sim.journal.faults['partition']")
    found = run(fragile)
    found.stdout.fnmatch_lines(["*kept      .docket/*_once+2.json"])
    kept = [json.loads(path.read_text()) for path in sorted((pytester.path / ".docket").iterdir())]
    assert len({one["error"] for one in kept}) == 2
    run(MENDED).assert_outcomes(passed=1)
    for broken in (BROKEN, fragile):
        run(broken).stdout.fnmatch_lines(["FAILED * - replayed: assert *"])


def test_a_damaged_file_fails_its_test_and_no_other(run, pytester):
    """A conflict that was merged badly, say: the message names the file."""
    run(BROKEN)
    (kept,) = (pytester.path / ".docket").iterdir()
    kept.write_text("<<<<<<< HEAD")
    result = run(MENDED + "\n    async def test_other(sim): ...\n")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([f"*{kept.name} holds no failing run: Expecting value*"])


def test_a_long_name_is_cut_to_what_a_file_may_have(run, pytester):
    """A parameter may be a whole sentence; two that begin alike have files of their own."""
    result = run("""
    import pytest

    @pytest.mark.docket(seeds=2)
    @pytest.mark.parametrize("word", ["x" * 300 + end for end in "ab"])
    async def test_words(sim, word):
        assert not word
    """)
    result.assert_outcomes(failed=2)
    assert len(list((pytester.path / ".docket").iterdir())) == 2


@pytest.mark.parametrize("seeds", ["0", "-3", "'300'", "True"])
def test_seeds_is_a_number_of_runs(run, seeds):
    """The test that says something else fails; the others run."""
    result = run(f"""
    import pytest

    @pytest.mark.docket(seeds={seeds})
    async def test_runs(sim): ...

    async def test_other(sim): ...
    """)
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*seeds: expected a number of runs, 1 or more, found *"])


def test_a_misspelt_word_of_the_marker_is_recognised(run):
    """Also one that is the business of the search, and not of the world."""
    result = run("""
    import pytest

    @pytest.mark.docket(sedes=10)
    async def test_runs(sim): ...
    """)
    result.stdout.fnmatch_lines(["*unknown keyword sedes; did you mean seeds?*"])


LOST_UPDATE = """
    class Account:
        balance = 0

    accounts = {}

    async def deposit(account_id: int) -> None:
        read = accounts[account_id].balance
        await asyncio.sleep(0.01)
        accounts[account_id].balance = read + 1

    @pytest.mark.docket(seeds=400, workers=2)
    async def test_no_deposit_is_lost(sim):
        accounts[1] = Account()
        await sim.docket.add(deposit, key="a", when=sim.clock.now() + timedelta(milliseconds=30))(1)
        await sim.docket.add(deposit, key="b")(1)
        await sim.run_until_idle()
        assert accounts[1].balance == 2
"""


def searches_in(output):
    """What reports say of searches: the run, its diagram and its token, but not how long it took.

    Processes end their tests in any order.
    """
    told = re.findall(r"^-+ docket search -+\n(.*?)^  searched ", output, re.DOTALL | re.MULTILINE)
    return sorted(told)


def test_spread_over_processes_a_test_fails_in_the_same_way(run, pytester):
    """By xdist, the same run is found, with the same shrunk timeline and the same token."""
    pytester.makeini("[pytest]\ndocket_failures =\n")
    program = BROKEN + LOST_UPDATE
    here = run(program)
    here.assert_outcomes(failed=2)
    spread = pytester.runpytest_subprocess("-W", "error", "-p", "xdist", "-n", "2", timeout=120)
    spread.assert_outcomes(failed=2)
    told = searches_in(here.stdout.str())
    assert [text.count("--docket-replay=ds1-") for text in told] == [1, 1]
    assert searches_in(spread.stdout.str()) == told


def test_nothing_is_kept_where_the_ini_file_says_so(run, pytester):
    """An empty name stands for none."""
    pytester.makeini("[pytest]\ndocket_failures =\n")
    run(BROKEN).assert_outcomes(failed=1)
    assert not (pytester.path / ".docket").exists()


UNANSWERED = """
    import pytest
    from docket_sim import CurrentDocket, Docket, Faults

    async def thank(): ...

    async def pay(docket: Docket = CurrentDocket()):
        await docket.add(thank)()

    @pytest.mark.docket(seeds=3, faults=Faults.fail("submit"))
    async def test_pays(sim):
        await sim.docket.add(pay)()
        await sim.run_until_idle()
"""


def test_a_server_that_is_away_is_reported_and_not_kept(run, pytester):
    """Tomorrow it is back, and a file would be left that no change to the code has mended."""
    result = run(UNANSWERED.replace("seeds=3", 'seeds=3, store="redis://localhost:1"'))
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [
            "*StoreUnavailable: the store cannot be reached*",
            "*replay    pytest 'test_shop.py::test_pays' --docket-replay=ds1-*",
            "*not kept  the store did not answer, and no fault of the simulation was in the way",
        ]
    )
    assert not (pytester.path / ".docket").exists()


def test_a_task_that_a_server_has_left_in_the_lurch_is_not_kept_either(run, pytester):
    """What the task raised is the cause of what the test has failed with."""
    program = """
    import pytest
    from docket_sim import StoreUnavailable

    async def pay():
        raise StoreUnavailable("the server is away")

    @pytest.mark.docket(seeds=3, store="fakeredis")
    async def test_pays(sim):
        await sim.docket.add(pay)()
        await sim.run_until_idle()
    """
    run(program).stdout.fnmatch_lines(["*UnseenFailures*", "*not kept  the store did not answer*"])
    assert not (pytester.path / ".docket").exists()


@pytest.mark.parametrize("store", ["memory", "fakeredis"])
def test_a_store_that_does_not_answer_by_a_fault_of_the_simulation_is_kept(run, pytester, store):
    """What the test makes of it is a finding, wherever the world's docket lives."""
    result = run(UNANSWERED.replace("seeds=3", f'seeds=3, store="{store}"'))
    result.stdout.fnmatch_lines(
        ["*StoreUnavailable: submit did not arrive*", "*kept      .docket/*"]
    )
    assert len(list((pytester.path / ".docket").iterdir())) == 1


def test_what_hypothesis_says_of_a_test_is_not_kept(run, pytester):
    """Its health checks are about how the test is written: no choice of the world's is in it."""
    program = """
    import pytest
    from hypothesis import given, strategies as st

    @pytest.mark.docket(seeds=3)
    @given(number=st.integers())
    def test_numbers(sim, number): ...
    """
    result = run(program, "-p", "hypothesispytest")
    result.stdout.fnmatch_lines(["*not kept  FailedHealthCheck is about how hypothesis runs *"])
    assert not (pytester.path / ".docket").exists()


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("nonsense", "*expected a token such as ds1-*"),
        ("ds1-AAAA", "*is damaged*"),
        ("ds1-r48Wv5McAQE", "*was made with other faults, another number of workers*"),
    ],
)
def test_a_token_that_does_not_fit_fails_the_test(run, token, says):
    """It must not pass for a run that does not fail."""
    result = run(MENDED, f"--docket-replay={token}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([says])


def test_any_test_with_a_world_can_be_searched_from_the_command_line(run):
    """Its marker need not say so; tests without a world run as always."""
    program = (
        SHOP
        + """
    runs = []

    async def test_without_a_marker(sim, ledger):
        runs.append("world")
        await sim.docket.add(charge_once)(7)
        await sim.run_until_idle()
        assert ledger == [7]

    def test_without_a_world():
        runs.append("none")

    def test_the_runs():
        assert runs.count("world") == 20 + 1  # the first is made twice
        assert runs.count("none") == 1
    """
    )
    run(program, "--docket-seeds=20", "--docket-faults=rough").assert_outcomes(passed=3)


def test_the_ini_file_may_say_what_goes_wrong(run, pytester):
    """For all worlds whose marker says nothing else."""
    pytester.makeini("[pytest]\ndocket_faults = rough\n")
    said_by_the_marker = ', faults="rough"'
    run(BROKEN.replace(said_by_the_marker, "")).assert_outcomes(failed=1)
    without = BROKEN.replace(said_by_the_marker, ', faults="none"')
    run(without, "-W", "default").assert_outcomes(passed=1, warnings=1)


def test_a_test_is_run_at_least_once(run):
    """A search of no runs would pass whatever is wrong."""
    result = run(MENDED, "--docket-seeds=0")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--docket-seeds: expected 1 or more, found 0*"])


def test_fixtures_of_wider_scopes_are_set_up_once(run):
    """Function-scoped ones are set up and torn down for each run; the first run is made twice."""
    program = """
    import pytest

    log = []

    @pytest.fixture(scope="module")
    def wide():
        log.append("wide up")
        yield
        log.append("wide down")

    @pytest.fixture
    def narrow(wide):
        log.append("narrow up")
        yield
        log.append("narrow down")

    @pytest.mark.docket(seeds=3)
    async def test_runs(sim, narrow): ...

    def test_the_log(wide):
        assert log == ["wide up"] + ["narrow up", "narrow down"] * 4
    """
    run(program).assert_outcomes(passed=2)


def test_an_error_in_the_teardown_of_a_wider_fixture_is_an_error(run):
    """It is told although all runs have passed."""
    program = """
    import pytest

    @pytest.fixture(scope="module")
    def wide():
        yield
        raise RuntimeError("not put away")

    @pytest.mark.docket(seeds=3)
    async def test_runs(sim, wide): ...
    """
    run(program).assert_outcomes(passed=1, errors=1)


def test_a_test_that_skips_is_skipped(run):
    """The first run decides."""
    program = """
    import pytest

    @pytest.mark.docket(seeds=3)
    async def test_runs(sim):
        pytest.skip("not today")
    """
    run(program).assert_outcomes(skipped=1)


def test_a_test_that_differs_from_run_to_run_is_told_so(run):
    """A failure that cannot be made again says what to look for."""
    program = """
    import pytest

    runs = []

    @pytest.mark.docket(seeds=30)
    async def test_runs(sim):
        runs.append(1)
        assert len(runs) != 7
    """
    result = run(program)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the test is not deterministic*"])


@pytest.mark.parametrize("seeds", ["0", "'many'", "True"])
def test_a_number_of_runs_that_is_none_is_refused(run, seeds):
    """The message says what was expected, and where."""
    result = run(f"""
    import pytest

    @pytest.mark.docket(seeds={seeds})
    async def test_runs(sim): ...
    """)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*seeds: expected a number of runs, 1 or more, found*"])


def test_run_twice_finds_what_is_not_idempotent(run):
    """No search and no thought: one keyword on the test that there is."""
    program = BROKEN.replace('seeds=100, workers=2, faults="rough"', "run_twice=True")
    run(program).assert_outcomes(failed=1)
    run(program.replace("add(charge,", "add(charge_once,")).assert_outcomes(passed=1)


def test_a_run_without_end_is_reported_as_any_failure(run, pytester):
    """It does not hang: steps are counted, and how many there may be can be said anywhere."""
    program = """
    import asyncio
    import pytest
    from docket_sim import Faults

    @pytest.mark.docket(seeds=50, faults=Faults.crash_worker(odds=0.05, restart_after=None))
    async def test_polls(sim):
        execution = await sim.docket.add(succeeds, key="order-7")()
        while not execution.state.finished:
            await sim.run_for("1s")
            await execution.sync()
    """
    pytester.makeini("[pytest]\ndocket_steps = 20000\n")
    result = run(program)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "run * of 50 broke: EndlessRun: a run without end: it has taken 20,000 steps*",
            "*power cut*",
            "*--docket-replay=ds1-*",
        ]
    )
    token = re.search(r"--docket-replay=(\S+)", result.stdout.str()).group(1)
    again = run(program, f"--docket-replay={token}")
    again.stdout.fnmatch_lines(
        ["*EndlessRun: a run without end*", "FAILED * - replayed: *EndlessRun*"]
    )


def test_the_first_run_is_made_twice(run):
    """What cannot be made again is not worth being found; what may be why is named."""
    program = """
    import pytest

    served = []

    async def serve(guest: str) -> None: ...

    @pytest.mark.docket(seeds=30)
    async def test_serves(sim):
        served.append("guest")
        await sim.docket.add(serve, key="table-1")(f"guest {len(served)}")
        await sim.run_until_idle()
    """
    result = run(program)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "NotDeterministic: the same choices have led to two different runs*",
            "*table-1: scheduled serve(guest='guest 1')*",
            "*there: scheduled serve(guest='guest 2')*",
            "*likely cause  state left from one run to the next: test_shop.served",
            "*@pytest.mark.docket(determinism=False)*",
        ]
    )
    tolerated = program.replace("seeds=30", "seeds=30, determinism=False")
    run(tolerated).assert_outcomes(passed=1)


def test_whole_suites_may_do_without_the_second_run(run, pytester):
    """By the ini file; the marker of a test may still ask for it."""
    pytester.makeini("[pytest]\ndocket_determinism = false\n")
    program = """
    import pytest

    runs = []

    async def task(number: int) -> None: ...

    async def test_counts(sim):
        runs.append(1)
        await sim.docket.add(task, key="k")(len(runs))
        await sim.run_until_idle()

    @pytest.mark.docket(determinism=True)
    async def test_counts_and_minds(sim):
        runs.append(1)
        await sim.docket.add(task, key="k")(len(runs))
        await sim.run_until_idle()
    """
    run(program, "--docket-seeds=5").assert_outcomes(passed=1, failed=1)


def test_a_directory_of_its_own_is_no_difference_between_runs(run):
    """pytest makes one for each run, with another name; also where it is in keys and errors."""
    run(
        """
    import pytest

    async def write(path: str) -> None:
        raise OSError(f"{path} is full")

    @pytest.fixture
    def letters(tmp_path):
        path = tmp_path / "letters"
        path.mkdir()
        return path

    @pytest.mark.docket(seeds=5, faults="rough", allow_failures=True)
    async def test_writes(sim, letters):
        await sim.docket.add(write, key=f"{letters}/a")(f"{letters}/a")
        await sim.run_until_idle()
    """
    ).assert_outcomes(passed=1)


def test_on_a_server_the_first_run_is_not_made_twice(run):
    """What a server does at one instant has no order: two runs may differ, and both be right."""
    program = """
    import pytest

    runs = []

    @pytest.mark.docket(seeds=3, store="fakeredis")
    async def test_runs(sim):
        runs.append(1)

    def test_the_runs():
        assert len(runs) == 3
    """
    run(program).assert_outcomes(passed=2)


def test_determinism_is_a_yes_or_no(run):
    """The message says what was expected, and where."""
    result = run("""
    import pytest

    @pytest.mark.docket(seeds=3, determinism="no")
    async def test_runs(sim): ...
    """)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*determinism: expected True or False, found 'no'*"])
