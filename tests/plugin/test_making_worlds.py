"""How a world is made: the marker, the fixtures to override, and which of them wins."""

import pytest

SHOP = """
    from docket_sim import Tally

    async def charge(): ...

    tasks = [charge]
"""


def test_fixtures_of_a_conftest_say_how_every_world_below_it_is_made(pytester):
    """A project says once which tasks it has and when its tests begin."""
    pytester.makepyfile(shop=SHOP)
    pytester.makeconftest("""
        import pytest
        import shop

        @pytest.fixture
        def docket_tasks():
            return [shop.charge]

        @pytest.fixture(scope="session")
        def docket_config():
            return {"workers": 3, "seed": 9}

        @pytest.fixture
        def docket_start():
            return "2031-05-01T12:00:00+02:00"
    """)
    pytester.makepyfile("""
        from datetime import UTC, datetime

        async def test_world(sim):
            assert sim.clock.start == datetime(2031, 5, 1, 10, tzinfo=UTC)
            await sim.docket.add("charge")()
            await sim.run_until_idle()
            assert (sim.seed, len(sim.workers)) == (9, 3)
    """)
    pytester.runpytest("-W", "error").assert_outcomes(passed=1)


def test_a_class_overrides_what_its_module_says_and_can_build_on_it(run):
    """They are ordinary fixtures: the nearest is used, and may ask for the one it overrides."""
    result = run("""
    @pytest.fixture
    def docket_config():
        return {"workers": 2, "seed": 1}

    class TestShop:
        @pytest.fixture
        def docket_config(self, docket_config):
            return {**docket_config, "seed": 2}

        async def test_both(self, sim):
            await sim.run_due()
            assert (sim.seed, len(sim.workers)) == (2, 2)
    """)
    result.assert_outcomes(passed=1)


def test_a_start_can_be_a_parameter(run):
    """One test, several calendars."""
    result = run("""
    @pytest.mark.parametrize("docket_start", ["2030-03-31", "2032-02-29"])
    async def test_calendar(sim, docket_start):
        assert sim.clock.now().strftime("%Y-%m-%d") == docket_start
    """)
    result.assert_outcomes(passed=2)


def test_the_nearest_word_wins(pytester):
    """Command line, marker, fixtures, ini file, defaults: each is silenced by the one before."""
    pytester.makepyfile(shop=SHOP)
    pytester.makeini("""
        [pytest]
        docket_seed = 1
        docket_workers = 2
        docket_concurrency = 3
        docket_tasks = shop:tasks
        docket_start = 2031-01-01
    """)
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def docket_config():
            return {"workers": 4, "seed": 5}

        def test_fixture_over_ini(sim):
            sim.run(sim.run_due())
            assert (sim.seed, sim.clock.start.year, len(sim.workers)) == (5, 2031, 4)
            sim.run(sim.docket.add("charge")())
            sim.run(sim.run_until_idle())

        @pytest.mark.docket(seed=6, start="2032-01-01", tasks=())
        def test_marker_over_fixture(sim):
            assert (sim.seed, sim.clock.start.year) == (6, 2032)
            with pytest.raises(LookupError, match="charge"):
                sim.run(sim.docket.add("charge")())
    """)
    pytester.runpytest("-W", "error").assert_outcomes(passed=2)
    result = pytester.runpytest("-W", "error", "--docket-seed=7", "--docket-start=2033-01-01")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "docket-sim *: seed 7, start 2033-01-01T00:00:00Z*",
            "E*assert (7, 2033, 4) == (5, 2031, 4)",
            "E*assert (7, 2033) == (6, 2032)",
        ]
    )


@pytest.mark.parametrize(
    ("fixture", "message"),
    [
        ("docket_config(): return [1]", "*docket_config*: expected a mapping*, found [[]1[]]"),
        (
            "docket_config(): return {'worker': 2}",
            "*docket_config*unknown keyword worker; did you mean workers?*",
        ),
        (
            "docket_config(): return {'start': 'soon'}",
            "*docket_config*: start: expected an instant*found 'soon'",
        ),
        (
            "docket_start(): return 'tomorrow'",
            "*docket_start*: start: expected an instant*found 'tomorrow'",
        ),
        (
            "docket_tasks(): return succeeds",
            "*docket_tasks*: expected a list of tasks*return it in a list",
        ),
    ],
)
def test_a_fixture_that_gives_what_cannot_be_meant_is_named(run, fixture, message):
    """The error says which fixture, for which test, and what was expected."""
    result = run(f"""
    @pytest.fixture
    def {fixture}

    async def test_world(sim): ...
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*keywords.py*")


def test_a_marker_with_a_start_that_is_no_instant_is_refused(run):
    """ISO text is taken, with or without a zone; a text that is none is told so."""
    result = run("""
    @pytest.mark.docket(start="2029-12-31T23:00:00-01:00")
    async def test_zone(sim):
        assert sim.clock.start == datetime(2030, 1, 1, tzinfo=UTC)

    @pytest.mark.docket(start="New Year's Eve")
    async def test_words(sim): ...
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["@pytest.mark.docket at *test_words: start: expected an instant*"])


def test_a_marker_on_a_test_without_a_world_is_an_error(run):
    """It would promise what does not happen. The engine is not loaded to say so."""
    result = run("""
    @pytest.mark.docket(seed=1)
    def test_idle(): ...

    @pytest.mark.docket(seed=1)
    def test_idle_with_request(request): ...
    """)
    result.assert_outcomes(errors=1, failed=1)
    result.stdout.fnmatch_lines(
        ["@pytest.mark.docket at *test_idle has no effect*Ask for the fixture sim, or remove*"]
    )


def test_a_marker_is_in_its_place_where_a_fixture_or_the_test_itself_asks_for_sim(run):
    """Transitively, or at run time; and one on a class or module is for those tests that do."""
    result = run("""
    pytestmark = pytest.mark.docket(workers=2)

    @pytest.fixture
    def shop(sim):
        return sim

    @pytest.mark.docket(seed=1)
    def test_through_a_fixture(shop):
        assert shop.seed == 1

    @pytest.mark.docket(seed=2)
    def test_at_run_time(request):
        assert request.getfixturevalue("sim").seed == 2

    @pytest.mark.docket(seed=3)
    class TestClass:
        def test_without(self): ...
    """)
    result.assert_outcomes(passed=3)


def test_a_fixture_called_sim_of_the_users_own_is_left_alone(run):
    """Another simulator, a SIM card: the plugin has nothing to do with it."""
    result = run("""
    @pytest.fixture
    def sim():
        return "card"

    @pytest.fixture
    async def db(): ...

    def test_card(sim):
        assert sim == "card"

    @pytest.mark.docket(seed=1)
    def test_marked(sim): ...

    def test_async_fixture(sim, db): ...
    """)
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(
        ["*test_marked has no effect*", "*requested an async fixture 'db', with no plugin*"]
    )


def test_a_marker_with_a_value_that_no_world_can_be_made_of_is_refused(run):
    """In words of its own, and not in those of what it breaks."""
    result = run("""
    @pytest.mark.docket(tasks=succeeds)
    async def test_task(sim): ...

    @pytest.mark.docket(concurrency="10")
    async def test_concurrency(sim): ...

    @pytest.mark.docket(allow_failures="false")
    async def test_failures(sim): ...
    """)
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(["*tasks= is a list of tasks*write one task as tasks=[[]task]*"])
    result.stdout.fnmatch_lines(["*concurrency= is a whole number, found '10'*"])
    result.stdout.fnmatch_lines(["*allow_failures= is True or False, found 'false'*"])
