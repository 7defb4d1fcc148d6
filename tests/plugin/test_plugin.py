"""The pytest plugin, seen from outside: the fixture and the marker."""

import subprocess
import sys

INSTALLED = ("anyio", "asyncio", "pytest_cov", "randomly", "trio", "xdist", "xdist.looponfail")


def test_an_async_test_that_uses_sim_needs_no_other_plugin(run):
    """It runs on the world's own loop, in virtual time, and what it awaits really runs."""
    result = run(
        """
    async def test_a_day_passes(sim):
        assert asyncio.get_running_loop() is sim.loop
        await asyncio.sleep(24 * 3600)
        assert datetime.now(UTC) == sim.clock.start + timedelta(days=1)
        await sim.docket.add(succeeds)()
        assert await sim.run_until_idle() == Tally(succeeded=1)

    async def test_a_broken_promise(sim):
        await asyncio.sleep(1)
        assert sim.clock.elapsed == timedelta(0)
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*assert*datetime.timedelta(seconds=1) == *"])


def test_a_sync_test_drives_with_run(run):
    """`sim.run` awaits on the world's loop and returns the result."""
    result = run(
        """
    def test_sync(sim):
        execution = sim.run(sim.docket.add(succeeds)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert sim.run(execution.get_result()) is None
    """
    )
    result.assert_outcomes(passed=1)


def test_the_marker_says_how_the_world_is_made(run):
    """A marker on the function wins over that of its class, keyword by keyword."""
    result = run(
        """
    pytestmark = pytest.mark.docket(seed=1, workers=3)

    @pytest.mark.docket(seed=2)
    class TestShop:
        @pytest.mark.docket(start=datetime(1999, 12, 31, tzinfo=UTC), freeze=False)
        async def test_options(self, sim):
            await sim.run_due()
            assert (sim.seed, len(sim.workers)) == (2, 3)
            assert sim.clock.now().year == 1999
            assert datetime.now(UTC).year > 1999
    """
    )
    result.assert_outcomes(passed=1)


def test_an_unknown_keyword_of_the_marker_is_refused(run):
    """The message lists what there is."""
    result = run(
        """
    @pytest.mark.docket(sede=2)
    async def test_typo(sim): ...

    @pytest.mark.docket(7)
    async def test_positional(sim): ...
    """
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*unknown keyword sede; did you mean seed? expected some of*"])
    result.stdout.fnmatch_lines(["*takes keywords only, found (7,)*"])


def test_a_value_that_cannot_work_is_refused_in_words(pytester):
    """The error of the constructor is the error of the fixture, and nothing is left open."""
    pytester.makepyfile(
        """
    import pytest

    @pytest.mark.docket(codec="no such codec")
    async def test_codec(sim): ...
    """
    )
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*ValueError*no such codec*"])
    assert "unclosed" not in result.stdout.str() + result.stderr.str()


def test_the_marker_is_known(run):
    """`--strict-markers` accepts it, and `--markers` explains it."""
    result = run(
        """
    @pytest.mark.docket(seed=1)
    async def test_marked(sim): ...
    """,
        "--strict-markers",
    )
    result.assert_outcomes(passed=1)
    run("", "--markers").stdout.fnmatch_lines(["@pytest.mark.docket(start=, seed=, *"])


def test_tests_that_do_not_use_sim_are_left_alone(run):
    """Real time, real sleeping, no world, no section; async tests are somebody else's business."""
    result = run(
        """
    class TestPlain:
        def test_real_time(self):
            assert abs(datetime.now(UTC).timestamp() - time.time()) < 5
            time.sleep(0)

    @pytest.mark.parametrize("n", [1])
    def test_red(n):
        assert n == 2
    """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*docket timeline*")


def test_the_engine_is_not_loaded_for_tests_that_do_not_use_it(pytester):
    """A test run without `sim` imports neither the engine nor freezegun."""
    pytester.makepyfile(
        """
    import sys

    def test_lean():
        assert "pytest_docket.plugin" in sys.modules
        assert not {"docket_sim", "freezegun"} & set(sys.modules)
    """
    )
    command = [sys.executable, "-m", "pytest", "-q", str(pytester.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "1 passed" in done.stdout, done.stdout


def test_the_plugin_can_be_switched_off(pytester, monkeypatch):
    """With `-p no:docket`, the fixture is unknown and everything else works."""
    pytester.makepyfile("""
    def test_uses(sim): ...

    def test_plain(): ...
    """)
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    monkeypatch.delenv("PYTEST_ADDOPTS")
    others = [option for name in INSTALLED for option in ("-p", f"no:{name}")]
    result = pytester.runpytest_inprocess("-p", "no:docket", *others)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'sim' not found"])


def test_parametrised_tests_classes_and_fixtures_can_use_sim(run):
    """Each test has one world, shared by its fixtures; the next test has another."""
    result = run(
        """
    worlds = set()

    @pytest.fixture
    def order(sim):
        return sim.run(sim.docket.add(succeeds, key="from the fixture")())

    @pytest.fixture(autouse=True)
    def each_world_is_new(sim):
        assert sim not in worlds and len(sim.timeline) == 0
        worlds.add(sim)

    class TestShop:
        @pytest.mark.parametrize("days", [1, 30])
        async def test_days(self, sim, days, order):
            assert await sim.run_for(timedelta(days=days)) == Tally(succeeded=1)
            assert sim.clock.elapsed == timedelta(days=days)

        @pytest.mark.docket(allow_pending=True)
        async def test_without_naming_sim(self, order):
            await asyncio.sleep(3600)
            assert order.key == "from the fixture"

        @staticmethod
        async def test_static(sim): ...
    """
    )
    result.assert_outcomes(passed=4)
