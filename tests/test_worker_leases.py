"""What a worker does about its leases: renews them in time, and heeds what the answer tells."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import Faults, Tally, simulate

LEASE = timedelta(minutes=5)
ran: list[timedelta] = []


@pytest.fixture(autouse=True)
def _afresh():
    ran.clear()


def long_work(sim):
    """A task that takes an hour, and notes how long it has run."""

    async def work() -> None:
        began = sim.clock.elapsed
        try:
            await asyncio.sleep(3600)
        finally:
            ran.append(sim.clock.elapsed - began)

    return work


@pytest.mark.parametrize(
    "faults",
    [
        Faults.delay("renew", by="50ms", times=None),
        Faults.fail("renew"),
        Faults.lose_reply("renew"),
    ],
    ids=repr,
)
def test_a_lease_outlasts_a_renewal_that_is_late_or_lost(faults):
    """It is renewed so early that there is time for another try before somebody takes over."""
    with simulate(workers=2, faults=faults) as sim:
        sim.run(sim.docket.add(long_work(sim))())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert ran == [timedelta(hours=1)]
        assert sim.journal.faults


def test_a_cancellation_whose_notice_was_lost_is_told_by_the_next_renewal():
    """The worker was cut off when it was cancelled; it does not do the rest of the work in vain."""
    with simulate(faults=Faults.partition("worker-1", at="+1s", for_="10s")) as sim:
        sim.run(sim.docket.add(long_work(sim), key="k")())
        sim.at("+5s", lambda: sim.docket.cancel("k"))
        assert sim.run(sim.run_until_idle()) == Tally(cancelled=1)
        assert ran == [LEASE / 3]
