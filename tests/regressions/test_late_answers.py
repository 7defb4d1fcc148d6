"""What has run has run, whether or not the answer to `add()` has reached who added it."""

import asyncio

import pytest

from docket_sim import CurrentDocket, Docket, Faults, call, simulate


async def child() -> None: ...


async def parent(docket: Docket = CurrentDocket()) -> None:
    await docket.add(child, key="child")()
    await asyncio.sleep(1)


@pytest.mark.parametrize(
    ("faults", "times"),
    [
        (Faults.delay("submit", by="1m", reply=True), 1),
        (Faults.lose_reply("submit"), 1),
        (Faults.pause(beyond="lease", after="submit"), 2),
    ],
    ids=["late", "lost", "after a standstill"],
)
def test_an_assertion_sees_what_ran_before_its_addition_was_answered(faults, times):
    """It was said to be waiting still, or never to have run, and counted as work left over."""
    with simulate(workers=2, tasks=[parent, child], faults=faults, allow_failures=True) as sim:
        sim.run(sim.docket.add(parent, key="parent")())
        sim.run(sim.run_until_idle())
        sim.assert_ran(call(child), times=times)
