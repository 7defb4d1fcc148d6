"""Keys: one key is in one place, and what `add` and `replace` do to it."""

from datetime import timedelta

import pytest
from guide_helpers import Work, seconds, starts

from docket_sim import Disposition, ExecutionState, Tally

# add


async def test_a_key_that_is_scheduled_keeps_what_it_has(sim):
    """A second `add` does nothing, and returns the execution that has the key."""
    work = Work()
    due = sim.clock.now() + timedelta(hours=1)
    first = await sim.docket.add(work.work, when=due, key="k")(1)
    second = await sim.docket.add(work.work, key="k")(2)

    assert first.disposition is Disposition.SCHEDULED
    assert second.disposition is Disposition.ALREADY_SCHEDULED
    assert (second.when, second.arguments["n"]) == (due, 1)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert work.log == ["1 began", "1 ended"]


async def test_a_key_that_is_queued_keeps_what_it_has(sim):
    """What is due, but not yet taken by a worker, has its key."""
    work = Work()
    await sim.docket.add(work.work, key="k")(1)
    second = await sim.docket.add(work.work, key="k")(2)

    assert second.disposition is Disposition.ALREADY_SCHEDULED
    assert second.state is ExecutionState.QUEUED
    assert await sim.run_until_idle() == Tally(succeeded=1)


async def test_a_key_that_is_running_keeps_what_it_has(sim):
    """What runs has its key until it ends."""
    work = Work(takes=60)
    await sim.docket.add(work.work, key="k")(1)
    assert await sim.run_for(timedelta(seconds=30)) == Tally(running=1)
    second = await sim.docket.add(work.work, key="k")(2)

    assert second.disposition is Disposition.ALREADY_SCHEDULED
    assert second.state is ExecutionState.RUNNING
    await sim.run_until_idle()
    assert work.log == ["1 began", "1 ended"]


async def test_a_key_that_waits_to_retry_keeps_what_it_has(sim):
    """A failed attempt that will be retried has not ended its execution."""
    work = Work(fails=1)
    await sim.docket.add(work.work, key="k")(1)
    assert await sim.run_due() == Tally(retried=1)
    second = await sim.docket.add(work.work, key="k")(2)

    assert (second.disposition, second.attempt) == (Disposition.ALREADY_SCHEDULED, 2)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert work.log == ["1 began", "1 began", "1 ended"]


async def test_a_key_that_is_blocked_keeps_what_it_has(sim):
    """A replacement that waits for its predecessor has the key."""
    work = Work(takes=60)
    await sim.docket.add(work.work, key="k")(1)
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.replace(work.work, when=sim.clock.now(), key="k")(2)
    third = await sim.docket.add(work.work, key="k")(3)

    assert third.disposition is Disposition.ALREADY_SCHEDULED
    assert (third.state, third.arguments["n"]) == (ExecutionState.BLOCKED, 2)
    await sim.run_until_idle()
    assert work.log == ["1 began", "1 ended", "2 began", "2 ended"]


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
async def test_a_key_whose_execution_has_ended_starts_afresh(sim, end):
    """A key is free again as soon as its execution has ended, in whatever way."""
    work = Work(fails=2 if end == "failed" else 0)
    first = await sim.docket.add(work.work, key="k")(1)
    if end == "cancelled":
        await sim.docket.cancel("k")
    await sim.run_until_idle()
    await first.sync()
    assert first.state.value == end
    sim.acknowledge_failures()

    second = await sim.docket.add(work.work, key="k")(2)

    assert (second.disposition, second.attempt) == (Disposition.SCHEDULED, 1)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await second.get_result() == 2


# replace


async def test_replace_supersedes_what_waits(sim):
    """The time and the arguments of the replacement hold."""
    work = Work()
    await sim.docket.add(work.work, when=sim.clock.now() + timedelta(hours=1), key="k")(1)
    await sim.docket.replace(work.work, when=sim.clock.now() + timedelta(hours=2), key="k")(2)

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert work.log == ["2 began", "2 ended"]
    assert starts(sim) == [timedelta(hours=2)]


async def test_replace_of_an_unknown_key_schedules_it(sim):
    """Nothing has to be there to be replaced."""
    work = Work()
    execution = await sim.docket.replace(work.work, when=sim.clock.now(), key="k")(1)

    assert execution.disposition is Disposition.SCHEDULED
    assert await sim.run_until_idle() == Tally(succeeded=1)


@pytest.mark.docket(workers=2)
async def test_replace_of_a_running_key_waits_for_the_running_attempt_to_end(sim):
    """The replacement is claimable only then: one key never runs twice at once."""
    work = Work(takes=60)
    execution = await sim.docket.add(work.work, key="k")(1)
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.replace(work.work, when=sim.clock.now(), key="k")(2)

    assert await sim.run_until_idle() == Tally(succeeded=1, superseded=1)
    assert work.log == ["1 began", "1 ended", "2 began", "2 ended"]
    assert starts(sim) == seconds(0, 60)
    assert await execution.get_result() == 2


async def test_the_settlement_of_a_superseded_attempt_is_void(sim):
    """It fails and would be retried, but its key stands for the replacement now: it has failed."""
    work = Work(takes=60, fails=1)
    await sim.docket.add(work.work, key="k")(1)
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.replace(work.work, when=sim.clock.now(), key="k")(2)

    assert await sim.run_until_idle() == Tally(succeeded=1, superseded=1)
    assert work.log == ["1 began", "2 began", "2 ended"]
    assert sim.assert_failed(work.work).arguments == {"n": 1}


async def test_a_replacement_for_later_keeps_its_time(sim):
    """The end of the superseded attempt does not make it due."""
    work = Work(takes=60)
    await sim.docket.add(work.work, key="k")(1)
    await sim.run_for(timedelta(seconds=30))
    await sim.docket.replace(work.work, when=sim.clock.start + timedelta(hours=1), key="k")(2)

    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 3600)


# What is no key


@pytest.mark.parametrize("key", ["", 7])
async def test_a_key_is_a_text_with_something_in_it(sim, key):
    """What else is given as one is refused where it is given, and nothing is scheduled."""
    work = Work()
    for verb in (sim.docket.add, sim.docket.replace):
        with pytest.raises(TypeError, match=f"non-empty string, found {key!r}"):
            await verb(work.work, when=sim.clock.now(), key=key)(1)
    assert await sim.run_until_idle() == Tally()
