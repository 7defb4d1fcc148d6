"""Faults: what can be done to workers and store calls, and what becomes of the work."""

import asyncio
from datetime import timedelta

import pytest

from docket_sim import Depends, Faults, Perpetual, Retry, Simulation, Tally, simulate

LEASE = timedelta(minutes=5)
charged: list[int] = []
put_away: list[str] = []


@pytest.fixture(autouse=True)
def _afresh():
    charged.clear()
    put_away.clear()


async def get_till():
    yield "till"
    put_away.append("till")


async def charge(order_id: int, till: str = Depends(get_till)) -> int:
    charged.append(order_id)
    try:
        await asyncio.sleep(1)
    finally:
        put_away.append("cloth")
    return order_id


def outcome(faults, *, workers=2, task=charge, args=(7,), **world):
    """Run one execution under `faults`, and return the tally and the simulation."""
    with simulate(workers=workers, tasks=[task], faults=faults, **world) as sim:

        async def run():
            await sim.docket.add(task, key="order-7")(*args)
            return await sim.run_until_idle()

        return sim.run(run()), sim


def test_a_crash_before_settling_runs_the_task_again_when_the_lease_is_over():
    """Nobody told the store that the task was done, so it is done twice: once for each delivery."""
    tally, sim = outcome(Faults.crash_worker(before="settle"))
    assert tally == Tally(succeeded=1, redelivered=1)
    assert charged == [7, 7]
    assert sim.clock.elapsed == LEASE + timedelta(seconds=1)


def test_a_crash_after_settling_loses_nothing():
    """The store has heard; only the report is missing, since nobody was left to make it."""
    tally, sim = outcome(Faults.crash_worker(after="settle"))
    assert tally == Tally()
    assert charged == [7]
    assert sim.journal.faults == {"crash_worker": 1}


def test_a_crash_is_a_power_cut():
    """No `finally` block and no teardown runs on the machine that has lost power."""
    with simulate(workers=2, tasks=[charge], faults=Faults.crash_worker(steps=3)) as sim:
        sim.run(sim.docket.add(charge)(7))
        sim.run(sim.run_until_idle())
        assert charged == [7, 7]
        assert put_away == ["cloth", "till"]  # of the second delivery


def test_a_crash_between_two_awaits_says_where_the_code_stood():
    """The line of the task at which its machine lost power is part of the journal."""
    _, sim = outcome(Faults.crash_worker(at="+0.5s", worker="worker-1"), workers=1)
    (incident,) = [entry for entry in sim.journal.entries if "power cut" in str(entry)]
    assert "charge [order-7] at test_what_goes_wrong.py:" in incident.what


def test_another_machine_takes_the_place_of_a_crashed_one():
    """With one worker only, the work goes on all the same, on a machine with a name of its own."""
    tally, sim = outcome(Faults.crash_worker(before="settle"), workers=1)
    assert tally == Tally(succeeded=1, redelivered=1)
    assert sim.timeline[-1].worker == "worker-1.2"


def test_a_lost_reply_is_asked_for_again():
    """The settlement was applied; the worker does not know, asks again, and is done."""
    _, sim = outcome(Faults.lose_reply("settle"))
    assert charged == [7]
    assert sim.journal.faults == {"lose_reply": 1}


def test_a_call_that_fails_is_made_again():
    """The settlement did not arrive at first; the body does not run again for that."""
    tally, _ = outcome(Faults.fail("settle"))
    assert tally == Tally(succeeded=1)
    assert charged == [7]


def test_a_call_that_is_sent_twice_changes_nothing_the_second_time():
    """As when a client resends what it has had no reply to."""
    tally, sim = outcome(Faults.resend("settle"))
    assert tally == Tally(succeeded=1)
    assert sim.journal.faults == {"resend": 1}


def test_a_duplicate_delivers_once_more_what_has_succeeded():
    """What is not idempotent shows."""
    tally, _ = outcome(Faults.duplicate())
    assert tally == Tally(succeeded=1, redelivered=1, lost=1)
    assert charged == [7, 7]


def test_a_zombie_comes_back_and_its_settlement_changes_nothing():
    """The machine stands still for longer than its lease; another has done its work meanwhile."""
    tally, _ = outcome(Faults.pause(beyond="lease", before="settle"))
    assert tally == Tally(succeeded=1, redelivered=1, lost=1)


def test_a_machine_that_stands_still_for_ever_does_not_hold_up_the_others():
    """The other worker takes over when the lease is over."""
    tally, sim = outcome(Faults.pause(before="settle"))
    assert tally.succeeded == 1
    assert tally.redelivered == 1
    assert sim.clock.elapsed == LEASE + timedelta(seconds=1)


def test_a_worker_that_is_cut_off_settles_when_it_is_back():
    """Nobody took over, so its settlement is in force, though its lease is long over."""
    tally, sim = outcome(Faults.partition("worker-1", at="+0.5s", for_="1h"), workers=1)
    assert tally == Tally(succeeded=1)
    assert sim.clock.elapsed > timedelta(minutes=59)


def test_a_worker_that_was_cut_off_hears_of_what_it_has_missed():
    """Work that was added meanwhile is not forgotten, though nobody could tell the worker."""
    with simulate(workers=1, faults=Faults.partition("worker-1", at="+1s", for_="1m")) as sim:

        async def run():
            await sim.run_for("10s")
            await sim.docket.add(charge)(7)
            return await sim.run_until_idle()

        assert sim.run(run()) == Tally(succeeded=1)


def test_a_store_that_restarts_has_forgotten_nothing():
    """Nobody reaches it for a while; then all goes on."""
    tally, sim = outcome(Faults.restart_store(at="+0.9s", for_="20s"))
    assert tally == Tally(succeeded=1)
    assert sim.clock.elapsed > timedelta(seconds=20)


async def flaky(retry: Retry = Retry(attempts=2, delay=timedelta(seconds=10))) -> None:
    if retry.attempt == 1:
        raise ConnectionError


@pytest.mark.parametrize("by", [timedelta(seconds=5), timedelta(seconds=-5), timedelta(hours=-1)])
def test_a_wrong_clock_makes_no_delay_longer_or_shorter(by):
    """The store's clock decides what is due, so that is the one by which a worker plans."""
    _, sim = outcome(Faults.skew("worker-1", by=by), workers=1, task=flaky, args=())
    assert sim.clock.elapsed == timedelta(seconds=10)


@pytest.mark.parametrize("by", [timedelta(minutes=1), timedelta(minutes=-1)])
def test_a_wrong_clock_changes_no_rhythm(by):
    """One that is slow by more than the interval does not have each run follow at once."""
    begun = []

    async def beat(perpetual: Perpetual = Perpetual(every=timedelta(seconds=10))) -> None:
        begun.append(asyncio.get_running_loop().time())

    with Simulation(workers=1, faults=Faults.skew("worker-1", by=by)) as sim:
        sim.run(sim.docket.add(beat)())
        sim.run(sim.run_for("35s"))
    assert [at - begun[0] for at in begun] == [0, 10, 20, 30]


def test_a_delay_lets_a_call_arrive_late():
    """Here the answer to a claim is so late that another worker has done the work."""
    late = Faults.delay("claim", by="lease", reply=True, task=charge)
    tally, _ = outcome(late)
    assert tally.succeeded == 1
    assert tally.lost + tally.redelivered >= 1


@pytest.mark.parametrize(
    "scope", [{"task": "other"}, {"key": "k"}, {"attempt": 2}, {"until": "+0s"}]
)
def test_a_rule_concerns_only_what_it_names(scope):
    """A scope of another task, key, attempt or time leaves this execution alone."""
    tally, sim = outcome(Faults.fail("settle", **scope))
    assert tally == Tally(succeeded=1)
    assert not sim.journal.faults


def test_rules_are_put_together():
    """Each of them happens."""
    _, sim = outcome(
        Faults.fail("settle") + Faults.fail("claim", times=2) + Faults.lose_reply("claim")
    )
    assert sim.journal.faults == {"fail": 3, "lose_reply": 1}


def test_nothing_goes_wrong_by_chance_unless_somebody_chooses():
    """The rules of a profile have odds: by default, none of them strikes."""
    tally, sim = outcome("hostile")
    assert tally == Tally(succeeded=1)
    assert not sim.journal.faults


@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (lambda: Faults.of("rogh"), ValueError, "expected none, rough, hostile, found 'rogh'"),
        (lambda: Faults.of(7), TypeError, "expected a name"),
        (lambda: Faults.fail("setle"), ValueError, "found 'setle'"),
        (lambda: Faults.fail("settle", wrker="a"), TypeError, "unknown keywords wrker"),
        (lambda: Faults.crash_worker(before="settle", at="+1s"), TypeError, "one"),
        (lambda: Faults.delay("settle", by="soon"), ValueError, "'soon'"),
        (lambda: Faults.restart_store(losing=-timedelta(1)), ValueError, "losing= is 0 or more"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_where_it_is_made(wrong, error, says):
    """The message says what was expected and what was found."""
    with pytest.raises(error, match=says):
        wrong()


@pytest.mark.parametrize(
    "faults",
    [
        Faults(),
        Faults.none(),
        Faults.crash_worker(before="settle", worker="worker-1", attempt=2),
        Faults.crash_worker(after="claim", restart_after=None),
        Faults.crash_worker(steps=3, restart_after="5s"),
        Faults.fail("renew", times=2) + Faults.lose_reply(since="+1s", until="+2s"),
        Faults.resend("settle", task="charge") + Faults.duplicate(key="order-7"),
        Faults.delay("claim", by="lease") + Faults.delay(by="0.05s", reply=True),
        Faults.pause("worker-1", beyond="lease", before="settle"),
        Faults.pause(for_="10s", at="+1m 30s") + Faults.pause(),
        Faults.partition("worker-2", for_="heartbeat", times=None),
        Faults.skew(by=timedelta(seconds=-5)) + Faults.skew(by="5s", at="10s"),
        Faults.restart_store(before="claim") + Faults.restart_store(at="+1s", for_="30s"),
        Faults.restart_store(before="settle", losing="1.5s"),
        Faults.lose_reply("settle", odds=0.5) + Faults(limit=3),
    ],
    ids=repr,
)
def test_rules_are_shown_as_they_are_written(faults):
    """What a report shows can be pasted into a test."""
    again = eval(repr(faults), {"Faults": Faults, "timedelta": timedelta})
    assert repr(again) == repr(faults)
    assert len(again.rules) == len(faults.rules)
    assert [r.effect for r in again.rules] == [r.effect for r in faults.rules]


def test_a_rule_reads_well():
    """Only what was said of it is shown."""
    rule = Faults.crash_worker(before="settle", worker="worker-1")
    assert repr(rule) == "Faults.crash_worker(before='settle', worker='worker-1')"


async def short() -> None: ...


def test_an_end_that_was_not_acknowledged_may_be_told_again():
    """Its lease has ended, but nobody has taken it over: the second settlement is in order."""
    faults = Faults.duplicate() + Faults.lose_reply("settle")
    with simulate(workers=2, faults=faults) as sim:
        sim.run(sim.docket.add(short)())
        assert sim.run(sim.run_until_idle()).succeeded >= 1
        assert sim.journal.faults == {"duplicate": 1, "lose_reply": 1}


def test_what_strikes_at_a_call_happens_at_the_next_one():
    """And again at a later one, when it strikes again."""
    with simulate() as sim:
        for _ in range(2):
            sim.strike(Faults.fail("settle"))
            sim.run(sim.docket.add(short)())
            assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        assert sim.journal.faults == {"fail": 2}
        with pytest.raises(TypeError, match="no matter of chance"):
            sim.strike(Faults.fail("settle", odds=0.5))


def test_a_rule_counts_its_own_strikes():
    """One that is given twice strikes twice; one for any verb strikes once, wherever that is."""
    fails = Faults.fail("settle")
    for faults, strikes in ((fails, 1), (fails + fails, 2), (Faults.fail(), 1)):
        tally, sim = outcome(faults, task=short, args=())
        assert tally == Tally(succeeded=1)
        assert sim.journal.faults == {"fail": strikes}


@pytest.mark.parametrize("name", ["partition", "restart_store"])
def test_a_shorter_outage_does_not_end_a_longer_one(name):
    """What is cut off twice is cut off until the later of the two ends."""
    cut = getattr(Faults, name)
    with simulate(faults=cut(at="+1s", for_="10m") + cut(at="+2s", for_="1s")) as sim:
        sim.run(sim.docket.add(charge, key="a", when=sim.clock.now() + timedelta(seconds=5))(7))
        sim.run(sim.run_until_idle())
        assert sim.clock.elapsed > timedelta(minutes=10)
