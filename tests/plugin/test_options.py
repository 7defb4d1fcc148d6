"""The ini file and the command line: typed, checked at the start, and shown in the header."""

import json

import pytest

from docket_sim.clock.virtual import DEFAULT_START

NO_STORE = "--docket-store="  # as if none was named, whatever this run itself was told

RED = """
    @pytest.mark.docket(seed=5)
    async def test_red(sim):
        await sim.docket.add(succeeds, key="in-red")()
        await sim.run_until_idle()
        assert "<b>" == "&"
"""


def test_the_header_shows_what_worlds_begin_with(run):
    """Seed and start are the engine's own defaults, though it has not been loaded."""
    start = DEFAULT_START.isoformat().replace("+00:00", "Z")
    header = f"docket-sim 0.1.0: seed 0, start {start}"
    run("    def test_x(): ...", NO_STORE).stdout.fnmatch_lines([header])
    run("    def test_x(sim): assert sim.seed == 0").assert_outcomes(passed=1)
    run("    def test_x(): ...", "-q").stdout.no_fnmatch_line("docket-sim*")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", "seven", "docket_seed: *seven*"),
        ("start", "soon", "docket_start: expected an instant such as *, found 'soon'"),
        ("workers", "0", "docket_workers: expected more than 0, found 0"),
        ("patience", "-1.5", "docket_patience: expected more than 0, found -1.5"),
        ("steps", "0", "docket_steps: expected more than 0, found 0"),
        ("tasks", "shop.tasks", "docket_tasks: expected a collection*found 'shop.tasks'"),
        ("allow_failures", "perhaps", "docket_allow_failures: *perhaps*"),
        ("allow_pending", "later", "docket_allow_pending: expected true, false or future*"),
        ("faults", "rogh", "docket_faults: expected none, rough or hostile, found 'rogh'"),
        ("timeline_lines", "0", "docket_timeline_lines: expected more than 0, found 0"),
    ],
)
def test_a_bad_value_in_the_ini_file_ends_the_run_before_it_begins(pytester, key, value, message):
    """A usage error that names the key: no test has run, and none has to be read for it."""
    pytester.makeini(f"[pytest]\ndocket_{key} = {value}")
    pytester.makepyfile("def test_x(): ...")
    result = pytester.runpytest("-W", "error")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: the ini key {message}"])


def test_seeds_may_be_negative_wherever_they_are_said(run, pytester):
    """In the ini file, by the marker, and on the command line."""
    pytester.makeini("[pytest]\ndocket_seed = -3\n")
    program = """
    def test_ini(sim):
        assert sim.seed == -3

    @pytest.mark.docket(seed=-2)
    def test_marked(sim):
        assert sim.seed == -2
    """
    run(program).assert_outcomes(passed=2)
    said = run("    def test_line(sim): assert sim.seed == -1", "--docket-seed=-1")
    said.assert_outcomes(passed=1)
    said.stdout.fnmatch_lines(["docket-sim*: seed -1, *"])


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--docket-seeds=-1", "ERROR: --docket-seeds: expected 1 or more, found -1"),
        ("--docket-seed=seven", "*argument --docket-seed: invalid int value: 'seven'"),
        ("--docket-start=soon", "ERROR: --docket-start: expected an instant*found 'soon'"),
        ("--docket-timeline=some", "*argument --docket-timeline: invalid choice: 'some'*"),
    ],
)
def test_a_bad_value_on_the_command_line_is_a_usage_error(run, option, message):
    """As with any other option of pytest's."""
    result = run("    def test_x(): ...", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([message])


def test_native_toml_values_are_taken(pytester):
    """pytest 9 reads `[tool.pytest]` with TOML's own types."""
    if pytest.version_tuple < (9, 0):
        pytest.skip("pytest 9 reads [tool.pytest]")
    pytester.makepyprojecttoml(
        "[tool.pytest]\n"
        + "".join(
            f"docket_{key} = {json.dumps(value)}\n"
            for key, value in {"seed": 4, "freeze": False, "patience": 2.5, "workers": 2}.items()
        )
    )
    pytester.makepyfile("""
        from datetime import UTC, datetime

        def test_x(sim):
            assert sim.seed == 4
            assert datetime.now(UTC) < sim.clock.now()
    """)
    pytester.runpytest("-W", "error").assert_outcomes(passed=1)


def test_the_number_of_lines_of_a_timeline_is_an_ini_option(pytester, run):
    """The last ones are shown."""
    pytester.makeini("[pytest]\ndocket_timeline_lines = 2")
    result = run(RED)
    result.stdout.fnmatch_lines(["… 1 earlier lines", "+0s  started*", "+0s  completed*"])
    result.stdout.no_fnmatch_line("+0s  scheduled*")


def test_timelines_can_be_had_always_or_never(run):
    """`always` adds them to passing tests, which -rA shows; `never` leaves them out."""
    source = """
    async def test_green(sim):
        await sim.docket.add(succeeds, key="in-green")()
        await sim.run_until_idle()
    """
    always = run(source, "--docket-timeline=always", "-rA")
    always.stdout.fnmatch_lines(["*= PASSES =*", "*- docket timeline *", "*completed*in-green*"])
    assert always.stdout.str().count("docket timeline") == 1
    run(RED, "--docket-timeline=never").stdout.no_fnmatch_line("*docket timeline*")


def test_a_failing_test_can_be_had_as_an_html_page(pytester, run):
    """One file for each, which holds all it needs; the report says where. Text stays text."""
    result = run(RED + "    def test_green(sim): ...", "--docket-html=pages")
    (page,) = (pytester.path / "pages").iterdir()
    result.stdout.fnmatch_lines(["*- docket timeline as HTML -*", str(page)])
    text = page.read_text()
    assert page.name.startswith("test_shop.py-test_red-")
    for expected in (
        "<title>test_shop.py::test_red</title>",
        "start 2030-01-01T00:00:00Z, seed 5",
        "assert &#x27;&lt;b&gt;&#x27; == &#x27;&amp;&#x27;",
        '<td class="what completed">completed</td>',
        '<td class="elapsed">+0s</td><td class="at">2030-01-01T00:00:00Z</td>',
        '<td class="key">in-red</td>',
    ):
        assert expected in text
    assert "<b>" not in text
    assert "http" not in text


def test_an_html_page_has_all_that_failed_in_its_test(pytester, run):
    """The test's own failure and what its teardown found are told on one page."""
    run(
        """
    @pytest.fixture
    def breaks(sim):
        yield
        raise OSError("no space left")

    @pytest.mark.parametrize("text", ["../a b", "../a-b"])
    def test_red(breaks, sim, text):
        assert text == "no"
    """,
        "--docket-html=pages",
    ).assert_outcomes(failed=2, errors=2)
    pages = [page.read_text() for page in (pytester.path / "pages").iterdir()]
    assert len(pages) == 2
    assert all("no space left" in page and "AssertionError" in page for page in pages)
