"""What a test leaves undone is told once: with the test, or with the teardown that did it."""

import pytest


def test_a_failure_in_the_test_is_not_told_again_at_its_teardown(run):
    """Neither after the test's own exception, nor after that of the check that follows it."""
    result = run("""
    async def test_unseen(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()

    async def test_own(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()
        assert False

    async def test_left_over(sim):
        await sim.docket.add(succeeds)()
        raise LookupError("before anything ran")
    """)
    result.assert_outcomes(failed=3, errors=0)
    assert result.stdout.str().count("nothing acknowledged it") == 1
    result.stdout.no_fnmatch_line("*work left over*")


def test_a_failure_in_a_setup_is_told_once(run):
    """What the world would say besides follows from it."""
    result = run("""
    @pytest.fixture
    async def opened(sim):
        await sim.docket.add(fails)()
        assert await sim.run_until_idle() == Tally(succeeded=1)

    async def test_never_runs(opened): ...
    """)
    result.assert_outcomes(errors=1)
    result.stdout.no_fnmatch_line("*nothing acknowledged it*")


def test_what_only_a_teardown_brings_about_is_an_error_there(run):
    """The test has passed; its report is not changed afterwards."""
    result = run("""
    @pytest.fixture
    async def closing(sim):
        yield
        await sim.docket.add(fails, key="at the end")()
        await sim.run_until_idle()

    async def test_passes(closing): ...
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        ["*ERROR at teardown of test_passes*", "*UnseenFailures: an execution ended failed*"]
    )
    result.stdout.no_fnmatch_line("*contextlib*")
    result.stdout.no_fnmatch_line("*pytest_docket/*")


def test_work_that_is_due_and_never_run_fails_the_test(run):
    """Unless an option for all tests, or a marker for one, allows it."""
    source = """
    async def test_forgot(sim):
        await sim.docket.add(succeeds)()
    """
    result = run(source)
    result.assert_outcomes(failed=1, errors=0)
    result.stdout.fnmatch_lines(["*UnfinishedWork: the test ended with work left over:*"])
    run(source, "-o", "docket_allow_pending=true").assert_outcomes(passed=1)


def test_a_task_that_nobody_waits_for_is_an_error_once_the_fixtures_are_gone(run):
    """Until then it may be theirs to end; the parked task of a fixture itself is none."""
    source = """
    @pytest.fixture
    async def server(sim):
        serving = asyncio.create_task(asyncio.Event().wait())
        yield
        serving.cancel()

    async def test_fixture(server): ...

    async def test_leak(sim):
        sim.leaked = asyncio.create_task(asyncio.Event().wait())
    """
    result = run(source)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*LeakedTasks: an asyncio task was still running*"])
    run(source, "-o", "docket_allow_leaked_tasks=true").assert_outcomes(passed=2)


def test_a_world_in_a_unittest_test_case_is_looked_after(run):
    """By an autouse fixture; `setUp` and `tearDown` see it, and failures are told once."""
    result = run("""
    import unittest

    class TestShop(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def _world(self, sim):
            self.sim = sim

        def setUp(self):
            self.sim.run(self.sim.docket.add(succeeds)())

        def tearDown(self):
            assert self.sim.run(self.sim.run_until_idle()) == Tally(succeeded=1)

        def test_green(self): ...

        @unittest.skip("not today")
        def test_skipped(self): ...

        @unittest.expectedFailure
        def test_expected(self):
            self.fail()

    class TestRed(TestShop):
        def tearDown(self): ...

        def test_green(self):
            self.sim.run(self.sim.run_until_idle())
            self.sim.run(self.sim.docket.add(fails)())
            self.sim.run(self.sim.run_until_idle())

        def test_own(self):
            self.test_green()
            self.assertEqual(1, 2)

        def test_own_and_a_leak(self):
            async def leak():
                return asyncio.create_task(asyncio.Event().wait())

            self.leaked = self.sim.run(leak())
            self.fail("own")
    """)
    result.assert_outcomes(passed=1, skipped=2, xfailed=2, failed=3, errors=0)
    assert result.stdout.str().count("nothing acknowledged it") == 1
    result.stdout.fnmatch_lines(["*AssertionError: 1 != 2*"])


def test_an_isolated_asyncio_test_case_keeps_its_own_loop(run):
    """The verbs cannot run there, and say so; everything else works."""
    result = run("""
    import unittest

    class TestShop(unittest.IsolatedAsyncioTestCase):
        @pytest.fixture(autouse=True)
        def _world(self, sim):
            self.sim = sim

        async def test_own_loop(self):
            assert asyncio.get_running_loop() is not self.sim.loop
            with pytest.raises(Exception, match="another event loop"):
                await self.sim.run_until_idle()
    """)
    result.assert_outcomes(passed=1)


def test_a_run_that_is_interrupted_is_not_checked(pytester):
    """Ctrl-C ends the run; what a half-run test has left undone is no news."""
    pytester.makepyfile("""
    async def fails():
        raise LookupError("card declined")

    async def test_half(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()
        raise KeyboardInterrupt
    """)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.no_fnmatch_line("*nothing acknowledged it*")
    result.stdout.no_fnmatch_line("*INTERNALERROR*")


def test_worlds_inside_of_hypothesis_are_none_of_the_plugins_business(run):
    """One for each example; the fixture would be one for all, and the report says so."""
    result = run(
        """
    from hypothesis import given, settings, strategies as st

    @settings(max_examples=5, database=None, derandomize=True, deadline=None)
    @given(number=st.integers(1, 3))
    def test_with_simulate(number):
        with simulate(seed=number) as sim:
            for _ in range(number):
                sim.run(sim.docket.add(succeeds)())
            assert sim.run(sim.run_until_idle()) == Tally(succeeded=number)

    @settings(max_examples=5, database=None, derandomize=True, deadline=None)
    @given(number=st.integers(1, 3))
    def test_with_the_fixture(sim, number): ...
    """,
        *("-p", "hypothesispytest"),
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*FailedHealthCheck: *function-scoped fixture*'sim'*",
            "*- docket hint -*",
            "*with simulate() as sim:",
        ]
    )
    assert result.stdout.str().count("docket hint") == 1


def test_an_override_in_a_fixtures_block_is_not_missed_by_a_test_that_did_not_pass(run):
    """The block does not see how the test has ended; an unused one is told once, with a test."""
    result = run("""
    from docket_sim import Depends

    def get_db(): ...

    async def save(db=Depends(get_db)): ...

    @pytest.fixture
    def fake_db(sim):
        sim.docket.register(save)
        with sim.override(get_db, value="fake"):
            yield

    async def test_skips(sim, fake_db):
        pytest.skip("not today")

    async def test_fails(sim, fake_db):
        assert False

    async def test_does_not_use_it(sim, fake_db): ...

    async def test_uses_it(sim, fake_db):
        (await sim.perform(save)).result()
    """)
    result.assert_outcomes(skipped=1, failed=2, passed=1, errors=0)
    assert result.stdout.str().count("UnusedOverride: an override was never used") == 1
