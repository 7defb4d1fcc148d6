"""The pytest plugin, seen from outside: what fails a test, and what its report shows."""

import pytest


@pytest.mark.parametrize(
    ("kind", "bring"), [("async def", "await "), ("def", "sim.run")], ids=["async", "sync"]
)
def test_an_execution_that_ends_failed_fails_the_test(run, kind, bring):
    """The test itself is FAILED, not its teardown, and the summary names the execution."""
    result = run(
        f"""
    {kind} test_shop(sim):
        {bring}(sim.docket.add(fails, key="order-7")())
        {bring}(sim.run_until_idle())
    """
    )
    result.assert_outcomes(failed=1, errors=0)
    result.stdout.fnmatch_lines(
        [
            "*an execution ended failed, and nothing acknowledged it:",
            "*fails() [[]order-7[]] at +0s, attempt 1: LookupError: card declined",
            "*acknowledge_failures()*",
            "FAILED test_shop.py::test_shop*",
        ]
    )


def test_a_failure_that_was_acknowledged_or_allowed_does_not_fail_the_test(run):
    """One by a call in the test, one by a marker."""
    result = run(
        """
    async def test_acknowledged(sim):
        await sim.docket.add(fails)()
        assert await sim.run_until_idle() == Tally(failed=1)
        [failure] = sim.acknowledge_failures()
        assert str(failure.error) == "card declined"

    @pytest.mark.docket(allow_failures=True)
    async def test_allowed(sim):
        await sim.docket.add(fails)()
        assert await sim.run_until_idle() == Tally(failed=1)
    """
    )
    result.assert_outcomes(passed=2)


def test_a_test_that_fails_by_itself_is_reported_as_it_is(run):
    """A failed execution does not hide the test's own assertion, nor add an error to it."""
    result = run(
        """
    async def test_own(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()
        assert 1 == 2
    """
    )
    result.assert_outcomes(failed=1, errors=0)
    result.stdout.fnmatch_lines(["E*assert 1 == 2"])
    result.stdout.no_fnmatch_line("*nothing acknowledged it*")


@pytest.mark.parametrize("position", ["getfixturevalue", "autouse in a TestCase"])
def test_a_failed_execution_is_seen_however_the_test_came_by_sim(run, position):
    """Asked for at run time or by a `TestCase`'s fixture: the failure does not go unseen."""
    sources = {
        "getfixturevalue": """
    def test_shop(request):
        sim = request.getfixturevalue("sim")
        sim.run(sim.docket.add(fails)())
        sim.run(sim.run_until_idle())
        """,
        "autouse in a TestCase": """
    import unittest

    class TestShop(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def use_sim(self, sim):
            self.sim = sim

        def test_shop(self):
            self.sim.run(self.sim.docket.add(fails)())
            self.sim.run(self.sim.run_until_idle())
        """,
    }
    result = run(sources[position])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*LookupError: card declined*"])


def test_a_failing_test_shows_its_timeline_and_a_passing_one_does_not(run):
    """Start and seed stand in the title, and the last of many moments are shown."""
    result = run(
        """
    @pytest.mark.docket(seed=5)
    async def test_red(sim):
        await sim.docket.add(succeeds, key="in-red")()
        await sim.run_until_idle()
        assert False

    async def test_green(sim):
        await sim.docket.add(succeeds, key="in-green")()
        await sim.run_until_idle()

    async def test_quiet(sim):
        assert False
    """
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- docket timeline (start 2030-01-01T00:00:00Z, seed 5) -*",
            "+0s  scheduled   succeeds()  in-red  by test_shop.py:*",
            "+0s  completed   succeeds()  in-red  worker-1",
            "*- docket timeline (start 2030-01-01T00:00:00Z, seed 0) -*",
            "nothing happened",
        ]
    )
    result.stdout.no_fnmatch_line("*in-green*")


def test_a_long_timeline_is_cut_in_the_report(run):
    """Its end is what matters."""
    result = run(
        """
    async def test_red(sim):
        for number in range(150):
            await sim.docket.add(succeeds, key=f"number-{number}")()
        await sim.run_until_idle()
        assert False
    """
    )
    result.stdout.fnmatch_lines(["… 350 earlier lines", "*completed*number-149*"])
    result.stdout.no_fnmatch_line("*scheduled*number-0 *")


def test_a_deadlock_is_reported_in_a_few_lines(run):
    """The test is failed by a message that names its own line; asyncio's frames are left out."""
    result = run(
        """
    async def test_stuck(sim):
        never = asyncio.Event()
        await never.wait()  # the line
    """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*Deadlock: nothing can ever happen again*", "*test_shop.py:* in test_stuck: *# the line"]
    )
    failure = result.stdout.str().partition("= FAILURES =")[2].partition("- docket timeline")[0]
    assert len(failure.splitlines()) < 25
    assert "base_events.py" not in failure


def test_outcomes_other_than_passed_and_failed_are_kept(run):
    """Skipping and expecting to fail work from inside an async test."""
    result = run(
        """
    async def test_skips(sim):
        pytest.skip("not today")

    @pytest.mark.xfail(strict=True)
    async def test_expected(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()
    """
    )
    result.assert_outcomes(skipped=1, xfailed=1)
