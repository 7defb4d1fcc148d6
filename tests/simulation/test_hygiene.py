"""What a test leaves behind: each kind is reported once, in words, and can be allowed."""

import asyncio
import re
import time
from datetime import timedelta

import pytest

from docket_sim import (
    BlockingSleep,
    CurrentDocket,
    Docket,
    Faults,
    InjectedFailure,
    LeakedTasks,
    NeverAwaited,
    Perpetual,
    Retry,
    Tally,
    TaskKey,
    UnfinishedWork,
    UnseenFailures,
    call,
    simulate,
)

HOUR = timedelta(hours=1)


async def job():
    """Does nothing."""


async def nap():
    """Takes a minute."""
    await asyncio.sleep(60)


async def fails():
    """Always."""
    raise LookupError("no such order")


async def hourly(perpetual: Perpetual = Perpetual(every=HOUR)):
    """Begins when it is added."""


async def automatic(perpetual: Perpetual = Perpetual(every=HOUR, automatic=True)):
    """Begins by itself."""


def test_due_work_is_reported_in_these_words():
    """With its key, since when it is due, and who scheduled it."""
    refused = pytest.raises(UnfinishedWork)
    with refused as caught, simulate() as sim:
        sim.run(sim.docket.add(job, key="k")())
    said = re.sub(r"tests/simulation/test_hygiene\.py:\d+", "LINE", str(caught.value))
    assert said == (
        "the test ended with work left over:\n"
        "  job() [k]: due now, scheduled at LINE\n"
        "Run it with a verb such as sim.run_due() or sim.run_until_idle(), look at it with an "
        "assertion such as sim.assert_scheduled(), or say allow_pending=True."
    )


def test_what_was_left_over_is_reported_once():
    """A second check has nothing to add."""
    with simulate() as sim:
        sim.run(sim.docket.add(job)())
        with pytest.raises(UnfinishedWork):
            sim.check()
        sim.check()


def test_more_than_eight_leftovers_are_counted():
    """So that a thousand do not fill the screen."""
    refused = pytest.raises(UnfinishedWork, match=r"\n  … and 2 more\n")
    with refused, simulate() as sim:
        for _ in range(10):
            sim.run(sim.docket.add(job)())


def test_work_of_the_future_may_be_left_by_default():
    """Scheduled for later, waiting for a retry, or a body that waits for time to pass."""

    async def shaky(retry: Retry = Retry(attempts=2, delay=HOUR)):
        raise ConnectionError

    with simulate() as sim:
        sim.run(sim.docket.add(job, when=sim.clock.now() + HOUR)())
        sim.run(sim.docket.add(shaky)())
        sim.run(sim.docket.add(nap)())
        assert sim.run(sim.run_due()) == Tally(retried=1, running=1)


def test_what_became_due_by_a_jump_is_due():
    """Nobody ran it."""
    refused = pytest.raises(UnfinishedWork, match=r"job\(\)")
    with refused, simulate() as sim:
        sim.run(sim.docket.add(job, when=sim.clock.now() + HOUR)())
        sim.clock.jump(2 * HOUR)


@pytest.mark.parametrize("when", [timedelta(0), HOUR])
def test_all_work_may_be_left_where_that_is_allowed(when):
    """Due or not."""
    with simulate(allow_pending=True) as sim:
        sim.run(sim.docket.add(job, when=sim.clock.now() + when)())
        sim.at("+1h", print)


def test_no_work_may_be_left_where_none_is_allowed():
    """Not even that of the future."""
    refused = pytest.raises(UnfinishedWork, match=r"job\(\) \[k\]: due in 1h")
    with refused, simulate(allow_pending=False) as sim:
        sim.run(sim.docket.add(job, key="k", when=sim.clock.now() + HOUR)())


def test_the_next_run_of_a_perpetual_may_always_be_left():
    """It never ends."""
    with simulate(allow_pending=False, tasks=[automatic]) as sim:
        sim.run(sim.docket.add(hourly, key="hourly")())
        assert sim.run(sim.run_for("30m")) == Tally(succeeded=2)


def test_the_first_run_of_a_perpetual_that_was_added_is_work():
    """Somebody asked for it, and nobody ran it."""
    refused = pytest.raises(UnfinishedWork, match=r"hourly\(\)")
    with refused, simulate() as sim:
        sim.run(sim.docket.add(hourly, key="hourly")())


def test_work_that_an_assertion_was_about_may_be_left():
    """The test has looked at it; but not at the other."""
    with simulate(allow_pending=False) as sim:
        sim.run(sim.docket.add(job)())
        sim.assert_scheduled(job)
    refused = pytest.raises(UnfinishedWork)
    with refused as caught, simulate() as sim:
        sim.run(sim.docket.add(job)())
        sim.run(sim.docket.add(nap)())
        sim.assert_scheduled(job)
    assert "nap()" in str(caught.value)
    assert "job()" not in str(caught.value)


def test_cancelled_work_is_not_left_over():
    """It will never run."""
    with simulate(allow_pending=False) as sim:
        sim.run(sim.docket.add(job, key="k")())
        sim.run(sim.docket.cancel("k"))


def test_an_error_of_the_test_is_not_covered_up():
    """What it left behind is no news then."""
    refused = pytest.raises(KeyError)
    with refused, simulate() as sim:
        sim.run(sim.docket.add(job)())
        raise KeyError


def test_an_action_that_is_under_way_at_the_end_is_reported():
    """Its time came, but its end did not."""
    under_way = pytest.raises(UnfinishedWork, match=r"test_hygiene.py:\d+, is still under way")
    with under_way, simulate() as sim:
        sim.at("+1h", nap)
        sim.run(sim.run_for("1h"))


async def forgets_the_receipt(docket: Docket = CurrentDocket()) -> None:
    docket.add(nap, key="receipt")()


def test_a_follow_up_without_await_is_reported():
    """Nothing was scheduled, and no assertion need have missed it."""
    reported = pytest.raises(NeverAwaited)
    with reported as caught, simulate() as sim:
        sim.run(sim.docket.add(forgets_the_receipt)())
        sim.run(sim.run_until_idle())
    said = re.sub(r"tests/simulation/test_hygiene\.py:\d+", "LINE", str(caught.value))
    assert said == (
        "nothing came of what nobody awaited:\n"
        "  docket.add(nap)(...), at LINE\n"
        "Write await before it, or close() what is not meant to happen."
    )


def test_whatever_a_test_forgets_to_await_is_reported_once(recwarn):
    """All of it in one error, in place of Python's warnings."""
    with simulate() as sim:
        sim.docket.add(nap)()
        sim.docket.replace(nap, sim.clock.now(), key="a")()
        sim.docket.add_many([sim.docket.call(nap)()])
        sim.docket.cancel("a")
        with pytest.raises(NeverAwaited) as caught:
            sim.check()
    assert re.findall(r"docket\.\w+", str(caught.value)) == [
        "docket.add",
        "docket.replace",
        "docket.add_many",
        "docket.cancel",
    ]
    assert not recwarn.list


async def starts_many(docket: Docket = CurrentDocket()) -> None:
    await asyncio.gather(*(docket.add(nap)() for _ in range(600)))
    docket.add(nap)().close()
    asyncio.create_task(docket.add(nap)()).cancel()


def test_what_has_begun_or_is_not_meant_to_happen_is_not_reported():
    """However it was begun; and what nobody wants is closed, or cancelled with its task."""
    with simulate() as sim:
        sim.run(sim.docket.add(starts_many)())
        sim.run(sim.run_until_idle())
        sim.assert_ran(nap, times=600)


async def has_it_done(docket: Docket = CurrentDocket()) -> None:
    scheduling = docket.add(nap)()
    await docket.cancel("anything")  # here the power goes, the first time
    await scheduling


def test_what_could_not_begin_for_want_of_power_is_not_reported():
    """The worker that was to do it is gone; the one that takes over does it."""
    crash = Faults.crash_worker(before="cancel", key="anything", worker="worker-1")
    with simulate(faults=crash, allow_pending=True) as sim:
        sim.run(sim.docket.add(has_it_done)())
        sim.run(sim.run_until_idle())
        sim.assert_ran(nap, times=1)


def test_a_task_that_a_body_left_running_is_reported():
    """With the line where it stands."""
    forgotten = []

    async def forgets():
        forgotten.append(asyncio.create_task(nap(), name="forgotten"))

    refused = pytest.raises(LeakedTasks)
    with refused as caught, simulate() as sim:
        sim.run(sim.docket.add(forgets)())
        sim.run(sim.run_until_idle())
    said = re.sub(r"tests/simulation/test_hygiene\.py:\d+", "LINE", str(caught.value))
    assert said.startswith(
        "an asyncio task was still running at the end of the test:\n  forgotten: nap, at LINE\n"
    )
    assert forgotten[0].cancelled()


def test_leaked_tasks_may_be_allowed():
    """They are cancelled all the same."""
    forgotten = []

    async def forgets():
        forgotten.append(asyncio.create_task(nap()))

    with simulate(allow_leaked_tasks=True) as sim:
        sim.run(sim.docket.add(forgets)())
        sim.run(sim.run_until_idle())
    assert forgotten[0].cancelled()


def test_a_task_that_is_over_or_cancelled_is_no_leak():
    """Whoever cleans up has nothing to explain."""

    async def tidy():
        task = asyncio.create_task(nap())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.create_task(job())

    with simulate() as sim:
        sim.run(sim.docket.add(tidy)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)


def test_a_body_left_running_is_no_leaked_task():
    """It is work, and belongs to its worker."""
    with simulate() as sim:
        sim.run(sim.docket.add(nap)())
        assert sim.run(sim.run_due()) == Tally(running=1)


async def sleeps():
    """Blocks the event loop."""
    time.sleep(0.001)


def test_sleeping_for_real_ends_the_verb_unless_allowed():
    """It would stop the loop of a worker in production, too."""
    with simulate(allow_failures=True) as sim:
        sim.run(sim.docket.add(sleeps)())
        with pytest.raises(BlockingSleep, match=r"time\.sleep\(0\.001\) blocks the event loop"):
            sim.run(sim.run_until_idle())
    with simulate(allow_blocking_sleep=True) as sim:
        sim.run(sim.docket.add(sleeps)())
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)


def test_reading_the_error_of_a_failure_acknowledges_that_one():
    """And no other."""
    refused = pytest.raises(UnseenFailures)
    with refused as caught, simulate() as sim:
        seen = sim.run(sim.docket.add(fails, key="seen")())
        sim.run(sim.docket.add(fails, key="unseen")())
        sim.run(sim.run_until_idle())
        with pytest.raises(LookupError, match="no such order"):
            sim.run(seen.get_result())
        assert [one.call.key for one in sim.failures] == ["unseen"]
    assert "fails()" in str(caught.value)


def test_an_injected_failure_has_to_be_looked_at_too():
    """The test asked for it, but has yet to say that this is how it ends."""
    refused = pytest.raises(UnseenFailures, match="InjectedFailure")
    with refused, simulate() as sim:
        sim.fail(job)
        sim.run(sim.docket.add(job)())
        sim.run(sim.run_until_idle())
    with simulate() as sim:
        sim.fail(job)
        sim.run(sim.docket.add(job)())
        sim.run(sim.run_until_idle())
        sim.assert_failed(job, error=InjectedFailure)


def test_one_thing_that_was_left_behind_does_not_hide_another():
    """The first kind is raised; the others are its notes."""

    async def forget() -> None:
        sim.override(nap, retry=Retry(attempts=2))
        await sim.docket.add(fails)()
        await sim.run_due()
        await sim.docket.add(job, key="due")()
        forgotten.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))
        await asyncio.sleep(0)

    forgotten: list[asyncio.Task[None]] = []
    world = simulate()
    with pytest.raises(UnseenFailures) as caught, world as sim:
        sim.run(forget())
    kinds = [note.split(":")[0] for note in caught.value.__notes__]
    assert kinds == ["Besides, UnusedOverride", "Besides, UnfinishedWork", "Besides, LeakedTasks"]


def test_each_failed_run_of_a_perpetual_is_looked_at_for_itself():
    """That one of them was is no look at another, which failed with something else."""

    async def moody(perpetual: Perpetual = Perpetual(every=HOUR), docket=CurrentDocket()):
        raise (OSError if docket.now().hour == 0 else KeyError)("moody")

    refused = pytest.raises(UnseenFailures, match="KeyError: 'moody'")
    with refused as caught, simulate() as sim:
        sim.run(sim.docket.add(moody)())
        sim.run(sim.run_for(HOUR))
        sim.assert_failed(moody, error=OSError)
        assert [type(failure.error) for failure in sim.failures] == [KeyError]
    assert "OSError" not in str(caught.value)


async def test_what_get_result_raises_is_the_end_of_an_execution(sim):
    """Earlier runs of a perpetual have failed on their own account."""

    async def twice(perpetual: Perpetual = Perpetual(every=HOUR), docket=CurrentDocket()):
        if docket.now().hour == 1:
            perpetual.cancel()
        raise (OSError if docket.now().hour == 0 else KeyError)("twice")

    execution = await sim.docket.add(twice)()
    await sim.run_until_idle()
    with pytest.raises(KeyError):
        await execution.get_result()
    assert [type(failure.error) for failure in sim.acknowledge_failures()] == [OSError]


async def gives_way(fail: bool, docket: Docket = CurrentDocket(), key: str = TaskKey()):
    """Puts its successor in its own place, once."""
    if docket.now().hour == 0:
        await docket.replace(gives_way, docket.now() + HOUR, key)(fail)
    if fail:
        raise LookupError("no such order")


def test_a_failure_after_the_key_was_replaced_is_seen(caplog):
    """Nothing follows it, and the store knows nothing of it: so it is told, and logged."""
    refused = pytest.raises(UnseenFailures, match="2 executions")
    with refused as caught, simulate() as sim:
        sim.run(sim.docket.add(gives_way, key="k")(fail=True))
        assert sim.run(sim.run_until_idle()) == Tally(failed=1, superseded=1)
        superseded = next(one for one in sim.timeline if one.what == "superseded")
        assert superseded.details == "LookupError: no such order; nothing follows"
    assert isinstance(caught.value.__cause__, LookupError)
    errors = [one for one in caplog.records if one.name == "docket_sim" and one.exc_info]
    assert [one.getMessage() for one in errors] == [
        "superseded gives_way(fail=True) [k]: LookupError: no such order",
        "failed gives_way(fail=True) [k]: LookupError: no such order",
    ]


async def test_a_failure_after_the_key_was_replaced_can_be_asserted(sim):
    """Like any other; each is one of its own."""
    await sim.docket.add(gives_way, key="k")(fail=True)
    await sim.run_until_idle()
    assert len(sim.assert_failed(gives_way, error=LookupError, times=2)) == 2
    assert sim.failures == []


async def test_a_body_that_ended_after_the_key_was_replaced_ran(sim):
    """What it has done was done."""
    await sim.docket.add(gives_way, key="k")(fail=False)
    assert await sim.run_until_idle() == Tally(succeeded=1, superseded=1)
    assert len(sim.assert_ran(gives_way, times=2)) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"allow_failures": "false"}, "allow_failures= is True or False, found 'false'"),
        ({"allow_leaked_tasks": "no"}, "allow_leaked_tasks= is True or False, found 'no'"),
        ({"freeze": None}, "freeze= is True or False, found None"),
        ({"inline": 1}, "inline= is True or False, found 1"),
        ({"execution_ttl": "15m"}, "execution_ttl= is a timedelta, found '15m'"),
        ({"concurrency": "10"}, "concurrency= is a whole number, found '10'"),
        ({"workers": 1.5}, "workers= is a whole number, found 1.5"),
        ({"seed": None}, "seed= is a whole number, found None"),
        ({"tasks": job}, "tasks= is a list of tasks, or a collection"),
        ({"tasks": [call(job)]}, r"tasks= lists tasks, found job\(\): name the task's function"),
    ],
)
def test_what_a_world_cannot_be_made_of_is_refused(wrong, message):
    """A text for a flag would be true, whatever it says."""
    with pytest.raises(TypeError, match=message):
        simulate(**wrong)


def test_results_are_not_kept_for_less_than_no_time():
    """As a docket would refuse it."""
    with pytest.raises(ValueError, match="execution_ttl= must not be negative"):
        simulate(execution_ttl=-HOUR)
