"""Async fixtures of a test that uses `sim`: they run on the world's loop, with no other plugin."""


def test_async_fixtures_share_the_loop_the_time_and_the_context_variables_of_the_test(run):
    """Coroutines and generators, asked for by the test, by a plain fixture or by a sync test."""
    result = run("""
    import contextvars
    user = contextvars.ContextVar("user", default="nobody")

    @pytest.fixture
    async def db():
        user.set("from a coroutine")
        await asyncio.sleep(5)
        return asyncio.get_running_loop()

    @pytest.fixture
    async def gateway(db, sim):
        before = user.get()
        token = user.set("from a generator")
        yield db
        user.reset(token)
        await asyncio.sleep(60)
        assert (before, user.get()) == ("from a coroutine", before)
        assert sim.clock.elapsed == timedelta(seconds=65)

    @pytest.fixture
    def shop(gateway):
        return gateway

    async def test_async(sim, shop):
        assert shop is sim.loop is asyncio.get_running_loop()
        assert user.get() == "from a generator"
        assert sim.clock.elapsed == timedelta(seconds=5)

    def test_sync(sim, shop):
        assert shop is sim.loop
        assert sim.clock.elapsed == timedelta(seconds=5)

    class TestShop:
        @pytest.fixture
        async def this(self, gateway):
            yield self

        async def test_method(self, this):
            assert this is self
    """)
    result.assert_outcomes(passed=3)


def test_an_async_generator_is_set_up_and_torn_down_in_one_task(run):
    """So it can hold open what belongs to a task: a task group, a timeout."""
    result = run("""
    @pytest.fixture
    async def background(sim):
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            yield group
        assert sim.clock.elapsed == timedelta(seconds=30)

    async def test_group(background):
        background.create_task(asyncio.sleep(30))
    """)
    result.assert_outcomes(passed=1)


def test_what_goes_wrong_in_the_background_of_a_fixture_is_an_error_at_its_teardown(run):
    """The group cancels the fixture where it waits, as it would any other code."""
    result = run("""
    @pytest.fixture
    async def background():
        async with asyncio.TaskGroup() as group:
            group.create_task(breaks())
            yield

    async def breaks():
        await asyncio.sleep(1)
        raise ConnectionError("the line is dead")

    async def test_group(sim, background):
        await asyncio.sleep(3)
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_group*", "*the line is dead*"])


def test_a_fixture_can_drive_the_world_and_override_sim(run):
    """The usual place for what all tests of a module begin with."""
    result = run("""
    @pytest.fixture
    async def opening_time():
        return 8

    @pytest.fixture
    async def sim(sim, opening_time):
        await sim.run_for(timedelta(hours=opening_time))
        await sim.docket.add(succeeds)()
        yield sim

    async def test_open(sim):
        assert sim.clock.now().hour == 8
        assert await sim.run_until_idle() == Tally(succeeded=1)
    """)
    result.assert_outcomes(passed=1)


def test_a_fixture_that_fails_or_skips_is_reported_like_a_plain_one(run):
    """The user's own lines are shown, and none of the plugin's."""
    result = run("""
    @pytest.fixture
    async def breaks():
        raise OSError("no space left")
        yield

    @pytest.fixture
    async def skips():
        pytest.skip("not today")

    @pytest.fixture
    async def never_yields():
        if False:
            yield

    @pytest.fixture
    async def yields_twice():
        yield
        yield

    async def test_breaks(sim, breaks): ...
    async def test_skips(sim, skips): ...
    async def test_never_yields(sim, never_yields): ...
    async def test_yields_twice(sim, yields_twice): ...
    async def test_afterwards(sim): ...
    """)
    result.assert_outcomes(passed=2, skipped=1, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_breaks*",
            '>*raise OSError("no space left")',
            "*ERROR at setup of test_never_yields*",
            "the async fixture 'never_yields' ended without a yield",
            "*ERROR at teardown of test_yields_twice*",
            "the async fixture 'yields_twice' has more than one yield",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_docket/*")


def test_a_fixture_that_waits_for_ever_does_not_hang_the_run(run):
    """Neither in its setup nor in its teardown; the next test has a world of its own."""
    result = run("""
    @pytest.fixture
    async def stuck_in_setup():
        await asyncio.Event().wait()
        yield

    @pytest.fixture
    async def stuck_in_teardown():
        yield
        await asyncio.Event().wait()

    async def test_setup(sim, stuck_in_setup): ...
    async def test_teardown(sim, stuck_in_teardown): ...
    async def test_afterwards(sim): ...
    """)
    result.assert_outcomes(passed=2, errors=2)
    assert result.stdout.str().count("Deadlock: nothing can ever happen again") == 2


def test_what_the_world_is_made_of_cannot_run_on_its_loop(run):
    """The loop is there only afterwards; the error says which fixture is meant."""
    result = run("""
    @pytest.fixture
    async def app(): ...

    @pytest.fixture
    def docket_tasks(app):
        return []

    class TestOne:
        @pytest.fixture
        async def docket_tasks(self): ...

        async def test_itself(self, sim): ...

    async def test_what_it_needs(sim): ...
    """)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "the fixture 'docket_tasks' is async, but*Make it a plain fixture.",
            "the fixture 'app' is async, but*Make it a plain fixture.",
        ]
    )


def test_an_async_fixture_cannot_be_asked_for_while_the_loop_runs(run):
    """A sync test can: nothing runs meanwhile."""
    result = run("""
    @pytest.fixture
    async def db():
        return "db"

    async def test_async(sim, request):
        request.getfixturevalue("db")

    def test_sync(request):
        sim = request.getfixturevalue("sim")
        assert request.getfixturevalue("db") == "db"
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["the async fixture 'db' was asked for by*among the test's param*"])


def test_async_fixtures_of_wider_scope_and_of_tests_without_sim_are_not_ours(run):
    """A world lasts as long as a test; pytest says itself that nobody takes care of these."""
    result = run("""
    @pytest.fixture(scope="module")
    async def wide(): ...

    @pytest.fixture
    async def narrow(): ...

    def test_wide(sim, wide): ...
    def test_without_sim(narrow): ...
    """)
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*requested an async fixture 'wide', with no plugin*",
            "*requested an async fixture 'narrow', with no plugin*",
        ]
    )


def test_a_parametrised_fixture_is_set_up_anew_for_each_test(run):
    """In the world of that test: what was put in place of its function went with its teardown."""
    result = run("""
    @pytest.fixture(params=[1, 2])
    async def number(request):
        yield request.param, asyncio.get_running_loop()

    async def test_one(sim, number):
        assert number == (number[0], sim.loop)

    def test_two(sim, number):
        assert number == (number[0], sim.loop)
    """)
    result.assert_outcomes(passed=4)
