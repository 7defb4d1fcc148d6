"""One test on several stores: which, and what it says when they do not do the same."""

import pytest
from servers import shared_server

STORY = """
    from datetime import timedelta
    from docket_sim import Perpetual, Retry

    async def flaky(retry: Retry = Retry(attempts=3, delay=timedelta(hours=1))):
        if retry.attempt < 3:
            raise LookupError("503")

    async def test_story(sim):
        await sim.docket.add(flaky, key="k")()
        assert await sim.run_until_idle() == Tally(succeeded=1, retried=2)
        assert sim.clock.elapsed == timedelta(hours=2)
"""


@pytest.mark.parametrize("store", ["memory", "fakeredis", "redis"])
def test_a_test_runs_in_virtual_time_on_any_store(run, store):
    """Two hours of retries take no longer on a real server."""
    named = shared_server().url if store == "redis" else store
    result = run(STORY, f"--docket-store={named}")
    result.assert_outcomes(passed=1)
    assert result.duration < 5


def test_a_world_leaves_nothing_behind_on_a_server(run):
    """Each has a docket of its own there, which goes with it, whether the test passes or fails."""
    server = shared_server()
    before = set(server.client().keys("*"))
    result = run(
        STORY
        + """
    async def test_failing(sim):
        await sim.docket.add(flaky, key="k")()
        await sim.run_due()
        assert False
    """,
        f"--docket-store={server.url}",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert set(server.client().keys("*")) <= before


def test_all_stores_run_each_test_and_agree(run, monkeypatch):
    """`all` is memory, fakeredis and the server of DOCKET_URL."""
    monkeypatch.setenv("DOCKET_URL", shared_server().url)
    result = run(STORY, "--docket-store=all", "-v")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*memory*PASSED*", "*fakeredis*PASSED*", "*redis*PASSED*"])


def test_all_without_a_server_says_what_is_missing(run, monkeypatch):
    """Rather than leave out what was asked for."""
    monkeypatch.delenv("DOCKET_URL", raising=False)
    result = run(STORY, "--docket-store=all")
    result.stderr.fnmatch_lines(["*expects the URL of that server in DOCKET_URL*"])


def test_an_unknown_store_is_refused_at_the_start(run):
    """With what would do, and without a password that might be in it."""
    result = run(STORY, "--docket-store=postgres")
    result.stderr.fnmatch_lines(["*expected memory, fakeredis, all, or a URL*found 'postgres'*"])


def test_the_header_shows_the_stores_without_their_passwords(run):
    """A log of a test run is read by many."""
    result = run(STORY, "--docket-store=memory,redis://ann:secret@127.0.0.1:1/0", "--co")
    result.stdout.fnmatch_lines(["docket-sim*, on memory, redis://ann:[*][*][*]@127.0.0.1:1/0"])
    assert "secret" not in result.stdout.str()


def test_the_first_event_that_differs_is_reported(run):
    """A test that does not do the same everywhere fails, even if all its assertions hold."""
    result = run(
        """
    async def test_curious(sim, docket_store):
        await sim.docket.add(succeeds, key="first")()
        if docket_store == "fakeredis":
            await sim.run_for(timedelta(seconds=5))
            await sim.docket.add(succeeds, key="second")()
        await sim.run_until_idle()
    """,
        "--docket-store=memory,fakeredis",
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            (
                "the same test, on memory and on fakeredis, did not do the same. The first event "
                "that differs is on memory"
            ),
            "*at +5s, second: nothing",
            "*there: scheduled succeeds(), attempt 1 (by test_shop.py:*)",
        ]
    )


def test_a_fixture_of_the_users_own_decides_on_the_stores(run):
    """Parametrised by the user, it is not parametrised once more by the option."""
    result = run(
        """
    @pytest.fixture(params=["memory", "fakeredis"])
    def docket_store(request):
        return request.param

    async def test_story(sim):
        await sim.docket.add(succeeds)()
        assert await sim.run_until_idle() == Tally(succeeded=1)
    """,
        "--docket-store=memory,fakeredis",
    )
    result.assert_outcomes(passed=2)


def test_a_marker_that_names_a_store_is_obeyed(run):
    """A test that is about one store stays there."""
    result = run(
        """
    @pytest.mark.docket(store="memory")
    async def test_story(sim):
        assert "Memory" in type(sim.docket.store._store._store).__name__
    """,
        "--docket-store=fakeredis",
    )
    result.assert_outcomes(passed=1)


def test_a_server_that_does_not_answer_is_an_error_of_the_test(run):
    """Its URL is shown, and what went wrong; nothing hangs."""
    result = run(STORY, "--docket-store=redis://:secret@127.0.0.1:1/0")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*StoreUnavailable: the store cannot be reached*"])
    assert "secret" not in result.stdout.str()
