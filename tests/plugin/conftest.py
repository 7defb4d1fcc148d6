"""Test runs within a test run."""

import shlex

import fakeredis
import freezegun
import pytest

import docket_sim

# Imported here, so that the runs within this process share them instead of loading them anew.
assert docket_sim
assert fakeredis
assert freezegun

TASKS = """
    import asyncio, time
    from datetime import UTC, datetime, timedelta
    import pytest
    from docket_sim import Tally, simulate

    async def succeeds(): ...

    async def fails():
        raise LookupError("card declined")

"""
OPTIONS = ("-W", "error", "-p", "no:cacheprovider")


@pytest.fixture(autouse=True)
def only_this_plugin(pytester, monkeypatch, request):
    """Runs within tests load this plugin and those that they name, but none that is installed.

    Their worlds are where this run's are to be: `pytest tests/plugin --docket-store=fakeredis`, but
    name one store only: on several, there are more outcomes than the tests count. A test that names
    a store itself stays there, since what pytest is told last counts.
    """
    store = request.config.getoption("--docket-store")
    inherited = [] if store is None else [f"--docket-store={store}"]
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", shlex.join(["-p", "docket", *inherited]))
    for name in ("CI", "BUILD_NUMBER"):  # with one of them, pytest's summary repeats whole messages
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(pytester):
    """Runs a test file in a pytest of its own, warnings being errors, and returns the result."""

    def run_tests(source, *options):
        pytester.makepyfile(test_shop=TASKS + source)
        return pytester.runpytest(*OPTIONS, *options)

    return run_tests
