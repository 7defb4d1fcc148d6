"""The search turned on the engine itself. A long campaign: `python -m hostile` in `tests/`.

A campaign in which some kind of fault never happened has shown nothing of it, so that is counted.
"""

from datetime import timedelta

import pytest

from docket_sim import explore
from hostile.scenarios import everything

KINDS = {
    "crash_worker",
    "duplicate",
    "fail",
    "lose_reply",
    "partition",
    "pause",
    "resend",
    "restart_store",
    "skew",
}
LONG = timedelta(days=9_000)  # a store on a server keeps nothing for ever


@pytest.mark.parametrize(("store", "runs"), [("memory", 150), ("fakeredis", 20)])
def test_the_engine_survives_whatever_goes_wrong(store, runs):
    """Invariants hold, everything ends, and everything that can go wrong has gone wrong."""
    seen = explore(everything, runs=runs, faults="hostile", seed=7, store=store, execution_ttl=LONG)
    assert seen.runs == runs
    if runs >= 100:
        assert set(seen.faults) == KINDS
        counts = seen.coverage.counts
        assert counts["plain"]["redelivered"]
        assert counts["slow"]["timed out"]
        assert counts["slow"]["superseded"]
        assert counts["flaky"]["lost"]
        assert counts["steady"]["completed"]
