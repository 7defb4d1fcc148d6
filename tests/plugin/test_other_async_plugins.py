"""Beside other plugins that run async tests: a test that uses `sim` runs on the world's loop."""

import pytest

TESTS = """
    from docket_sim import Tally

    async def job(): ...

    async def test_on_the_worlds_loop(sim):
        await sim.docket.add(job)()
        assert await sim.run_until_idle() == Tally(succeeded=1)
"""

# How pytest-asyncio does it: the item's function is replaced before it is called.
REPLACES = """
    import asyncio, functools, inspect, pytest

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(item):
        body = item.obj
        if inspect.iscoroutinefunction(body):
            @functools.wraps(body)
            def synchronized(*args, **kwargs):
                asyncio.run(body(*args, **kwargs))
            item.obj = synchronized
        return (yield)
"""

# How anyio does it: a hook that comes first calls the function itself.
CALLS = """
    import asyncio, inspect, pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(pyfuncitem):
        if inspect.iscoroutinefunction(pyfuncitem.obj):
            names = inspect.signature(pyfuncitem.obj).parameters
            asyncio.run(pyfuncitem.obj(**{n: pyfuncitem.funcargs[n] for n in names}))
            return True
"""


@pytest.mark.parametrize("plugin", [REPLACES, CALLS], ids=["replaces", "calls"])
def test_another_plugin_does_not_take_the_test_to_its_own_loop(pytester, plugin):
    """There it would wait for ever for what only the world's loop can do."""
    pytester.makeconftest(plugin)
    pytester.makepyfile(TESTS)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)


@pytest.mark.parametrize("plugin", [REPLACES, CALLS], ids=["replaces", "calls"])
def test_tests_without_sim_are_left_to_the_other_plugin(pytester, plugin):
    """They run where they ran before."""
    pytester.makeconftest(plugin)
    pytester.makepyfile("""
        import asyncio

        async def test_of_theirs():
            assert "Virtual" not in type(asyncio.get_running_loop()).__name__
    """)
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
