"""Beside the plugins that people really use: pytest-asyncio, anyio, trio's, xdist, randomly."""

import pytest

WARNINGS_ARE_ERRORS = ("-W", "error", "-p", "no:cacheprovider", "--strict-markers")

SHARED_LOOP = """
    import asyncio
    import pytest
    {imports}
    from docket_sim import Tally

    async def job(): ...

    {fixture}
    async def gateway(sim):
        await asyncio.sleep(5)
        yield asyncio.get_running_loop()
        await asyncio.sleep(5)

    {fixture}
    async def plain():
        yield asyncio.get_running_loop()

    {mark}
    async def test_of_a_world(sim, gateway, plain):
        assert gateway is plain is sim.loop is asyncio.get_running_loop()
        assert sim.clock.elapsed.total_seconds() == 5
        await sim.docket.add(job)()
        assert await sim.run_until_idle() == Tally(succeeded=1)

    def test_plain_function(sim, gateway):
        assert gateway is sim.loop

    {mark}
    async def test_of_theirs(plain):
        assert plain is asyncio.get_running_loop()
        assert type(plain).__name__ != "VirtualLoop"
        await asyncio.sleep(0.001)
"""


@pytest.fixture
def run_beside(pytester):
    """Runs a test file in a process of its own, beside plugins that are named."""

    def run_tests(source, *options):
        pytester.makepyfile(test_shop=source)
        return pytester.runpytest_subprocess(*WARNINGS_ARE_ERRORS, *options, timeout=60)

    return run_tests


@pytest.mark.parametrize(
    ("mode", "fixture", "mark"),
    [
        ("strict", "@pytest_asyncio.fixture", "@pytest.mark.asyncio"),
        ("auto", "@pytest.fixture", ""),
    ],
)
def test_pytest_asyncio_leaves_a_test_of_a_world_to_the_world(run_beside, mode, fixture, mark):
    """Its async fixtures share the world's loop then, and its other tests are as they were."""
    source = SHARED_LOOP.format(imports="import pytest_asyncio", fixture=fixture, mark=mark)
    result = run_beside(
        source,
        *("-p", "pytest_asyncio.plugin", "-o", f"asyncio_mode={mode}"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    )
    result.assert_outcomes(passed=3)


def test_in_strict_mode_a_test_of_a_world_needs_no_mark(run_beside):
    """It would need one only to be run by pytest-asyncio."""
    result = run_beside(
        SHARED_LOOP.format(imports="import pytest_asyncio", fixture="@pytest.fixture", mark="")
        + "    test_of_theirs = None\n",
        *("-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=strict"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    )
    result.assert_outcomes(passed=2)


def test_a_fixture_of_wider_scope_keeps_the_loop_of_pytest_asyncio(run_beside):
    """It outlives the test's world, so it cannot run there."""
    result = run_beside(
        """
    import asyncio, pytest_asyncio

    @pytest_asyncio.fixture(scope="module", loop_scope="module")
    async def wide():
        yield asyncio.get_running_loop()

    async def test_one(sim, wide):
        assert wide is not sim.loop

    async def test_two(sim, wide):
        assert wide is not sim.loop
    """,
        *("-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto"),
        *("-o", "asyncio_default_fixture_loop_scope=function"),
    )
    result.assert_outcomes(passed=2)


def test_anyio_leaves_a_test_of_a_world_to_the_world(run_beside):
    """Its async fixtures share the world's loop then, and its other tests are as they were."""
    backend = '@pytest.fixture\n    def anyio_backend():\n        return "asyncio"\n'
    source = SHARED_LOOP.format(
        imports=backend, fixture="@pytest.fixture", mark="@pytest.mark.anyio"
    )
    result = run_beside(source, "-p", "anyio.pytest_plugin")
    result.assert_outcomes(passed=3)


def test_anyios_trio_backend_is_refused_for_a_test_of_a_world(run_beside):
    """The error says what to do; the asyncio variant of the same test passes."""
    result = run_beside(
        """
    import pytest

    @pytest.mark.anyio
    async def test_both(sim, anyio_backend):
        await sim.run_for("1h")
    """,
        "-p",
        "anyio.pytest_plugin",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*backend trio; a world runs on an asyncio loop of its own.*"])


def test_a_test_that_is_marked_trio_is_refused(run_beside):
    """pytest-trio would run it on a loop that knows no asyncio."""
    result = run_beside(
        """
    import pytest

    @pytest.mark.trio
    async def test_trio(sim): ...
    """,
        "-o",
        "markers=trio",
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*is marked trio; a world runs on an asyncio loop of its own.*"])


def test_tests_can_be_shuffled_and_spread_over_processes(run_beside):
    """Each has a world of its own, whatever ran before it and wherever."""
    result = run_beside(
        """
    import pytest
    from docket_sim import Tally

    async def job(number: int): ...

    @pytest.mark.parametrize("number", range(8))
    async def test_alone(sim, number):
        await sim.docket.add(job, key="the same key")(number)
        assert await sim.run_until_idle() == Tally(succeeded=1)
        assert len(sim.timeline) == 3
    """,
        *("-p", "xdist", "-n", "2", "-p", "randomly"),
    )
    result.assert_outcomes(passed=8)


def test_a_run_that_asks_for_no_world_loads_nothing(run_beside):
    """Neither the engine nor what it builds on; with all of pytest's strictness."""
    result = run_beside(
        """
    import sys

    def test_nothing_is_loaded():
        heavy = {"docket_sim", "hypothesis", "redis", "fakeredis", "pydantic", "freezegun"}
        assert not heavy & sys.modules.keys()
    """,
        "--strict-config",
    )
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["docket-sim *: seed 0, start 2030-01-01T00:00:00Z*"])
