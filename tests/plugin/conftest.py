"""Test runs within a test run."""

import freezegun
import pytest

import docket_sim

# Imported here, so that the runs within this process share them instead of loading them anew.
assert docket_sim
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
OPTIONS = ("-W", "error", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")


@pytest.fixture
def run(pytester):
    """Runs a test file in a pytest of its own, warnings being errors, and returns the result."""

    def run_tests(source, *options):
        pytester.makepyfile(test_shop=TASKS + source)
        return pytester.runpytest(*OPTIONS, *options)

    return run_tests
