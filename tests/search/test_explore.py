"""`explore`: a search through the runs of one scenario for one that fails."""

import asyncio
import base64
import json
import zlib
from datetime import timedelta
from itertools import islice

import pytest

from docket_sim import (
    Depends,
    ExponentialRetry,
    FailureFound,
    Faults,
    NeverAwaited,
    NotDeterministic,
    NothingToRun,
    Retry,
    explore,
)
from docket_sim.search.explore import Search
from docket_sim.search.shrink import Shrinker
from docket_sim.search.silence import silenced
from docket_sim.search.sources import Walk, portfolio
from docket_sim.search.token import read_token, token_of
from docket_sim.simulation.choices import Choices


class Ledger:
    """What was charged, as a payment provider would know it."""

    def __init__(self):
        self.charges = []


async def get_ledger():
    raise AssertionError("every scenario brings its own")


async def charge(order_id: int, ledger: Ledger = Depends(get_ledger)) -> int:
    ledger.charges.append(order_id)
    await asyncio.sleep(1)
    return order_id


async def charge_once(order_id: int, ledger: Ledger = Depends(get_ledger)) -> int:
    if order_id not in ledger.charges:
        ledger.charges.append(order_id)
    await asyncio.sleep(1)
    return order_id


def charged_once(task):
    async def scenario(sim):
        ledger = Ledger()
        sim.override(get_ledger, value=ledger)
        await sim.docket.add(task, key="order-7")(7)
        await sim.run_until_idle()
        assert ledger.charges.count(7) == 1, f"charged {ledger.charges.count(7)} times"

    return scenario


def test_a_task_that_is_not_idempotent_is_found_out():
    """A worker that dies before it could say that it was done leads to a second charge."""
    with pytest.raises(FailureFound) as caught:
        explore(charged_once(charge), runs=100)
    message = str(caught.value)
    assert "charged 2 times" in message
    assert "✗ power cut before settle of order-7" in message
    assert "leased to worker-" in message
    assert isinstance(caught.value.__cause__, AssertionError)


def test_its_twin_survives():
    """With the order's number as idempotency key, no fault leads to a second charge."""
    seen = explore(charged_once(charge_once), runs=400, faults="hostile")
    assert seen.runs == 400
    assert seen.distinct > 100
    assert set(seen.faults) >= {"crash_worker", "lose_reply", "pause", "fail", "duplicate"}
    assert seen.coverage.counts["charge_once"]["redelivered"] > 0


def test_one_line_replays_it():
    """The token makes that run again, and no other; it says so when nothing fails any more."""
    with pytest.raises(FailureFound) as caught:
        explore(charged_once(charge), runs=100)
    with pytest.raises(FailureFound, match="fails again"):
        explore(charged_once(charge), replay=caught.value.replay)
    assert explore(charged_once(charge_once), replay=caught.value.replay).runs == 1


def test_a_token_that_was_cut_short_is_refused():
    """Also where its checksum fits, as it does by chance now and then."""
    token = token_of({("worker-1 settle: fault", 300): 1}, "a world")
    body = base64.urlsafe_b64decode(token.removeprefix("ds1-") + "==")[1:-2] + b"\x80"
    whole = bytes([zlib.crc32(body) & 0xFF]) + body
    with pytest.raises(ValueError, match="damaged: it ends too early"):
        read_token("ds1-" + base64.urlsafe_b64encode(whole).decode().rstrip("="), "a world")


@pytest.mark.parametrize(
    ("token", "says"),
    [
        ("x7Qk", "expected a token such as ds1-"),
        ("ds1-!!!!", "no token|damaged"),
        ("ds1-AAAAAA", "damaged|other faults"),
    ],
)
def test_a_token_that_is_none_is_refused(token, says):
    """A mistyped token must not pass for a run that does not fail."""
    with pytest.raises(ValueError, match=says):
        explore(charged_once(charge), replay=token)


@pytest.mark.parametrize(
    "world",
    [
        {"faults": "hostile"},
        {"workers": 3},
        {"concurrency": 1},
        {"execution_ttl": timedelta(0)},
        {"inline": True},
        {"run_twice": True},
    ],
    ids=lambda world: next(iter(world)),
)
def test_a_token_of_another_world_is_refused(world):
    """There, the same choices would mean something else."""
    with pytest.raises(FailureFound) as caught:
        explore(charged_once(charge), runs=100)
    with pytest.raises(ValueError, match="other faults, another number of workers"):
        explore(charged_once(charge), replay=caught.value.replay, **world)


def test_a_failure_is_kept_in_a_file_and_replayed_first(tmp_path):
    """The file can be committed: until the task is mended, the search ends with it at once."""
    path = tmp_path / "double-charge.json"
    with pytest.raises(FailureFound):
        explore(charged_once(charge), runs=100, keep=path)
    kept = json.loads(path.read_text())
    assert kept["error"] == "AssertionError: charged 2 times"
    assert kept["choices"][0]["label"].endswith("settle: fault")
    with pytest.raises(FailureFound, match="fails again"):
        explore(charged_once(charge), runs=1, keep=path)
    assert explore(charged_once(charge_once), runs=1, keep=path).runs == 1


def test_a_kept_failure_that_no_longer_fits_is_searched_anew(tmp_path):
    """After a change of the faults, it would mean something else; it must not fail the mended."""
    path = tmp_path / "double-charge.json"
    with pytest.raises(FailureFound):
        explore(charged_once(charge), runs=100, keep=path)
    told = pytest.warns(UserWarning, match=r"kept in .*double-charge.json was not made: 'ds1-")
    with told:
        assert explore(charged_once(charge_once), runs=3, keep=path, faults="hostile").runs == 3
    with told, pytest.raises(FailureFound, match="run 3 of 50"):
        explore(charged_once(charge), runs=50, keep=path, faults="hostile")


def test_a_file_that_keeps_nothing_is_refused(tmp_path):
    """A search that ignored it would hide that the failure is no longer watched for."""
    path = tmp_path / "double-charge.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match="holds no failing run"):
        explore(charged_once(charge_once), runs=3, keep=path)


def test_a_failure_is_shrunk_to_what_is_needed():
    """Of many things that go wrong in the failing run, one is left."""
    only_by_chance = Faults.rough()
    with pytest.raises(FailureFound) as caught:
        explore(charged_once(charge), runs=300, seed=3, faults=only_by_chance)
    assert str(caught.value).count("choice    ") == 1


def test_the_same_seed_makes_the_same_search():
    """Two searches see the same runs."""
    one = explore(charged_once(charge_once), runs=120, seed=5)
    other = explore(charged_once(charge_once), runs=120, seed=5)
    assert one.timelines == other.timelines
    assert one.faults == other.faults


def test_a_negative_seed_makes_a_search_of_its_own():
    """Chance draws from it as from any other; none of its runs by chance is one of seed 1."""
    first = [
        [source.choose("call", number, 1_000, None) for number in range(9)]
        for seed in (-1, 1)
        for source in islice(portfolio(seed, 100), 6)
    ]
    assert len({tuple(one) for one in first}) == len(first)
    one = explore(charged_once(charge_once), runs=120, seed=-1)
    other = explore(charged_once(charge_once), runs=120, seed=-1)
    assert one.timelines == other.timelines


def test_a_search_may_be_bounded_in_time():
    """Whichever bound is reached first ends it."""
    assert explore(charged_once(charge_once), runs=1_000_000, seconds=0.2).runs < 1_000_000


def test_jitter_is_a_choice():
    """By default there is none; a search tries all kinds."""
    delays = set()

    async def always_fails(
        retry: ExponentialRetry = ExponentialRetry(
            attempts=2, minimum_delay=timedelta(seconds=10), jitter=True
        ),
    ) -> None:
        raise ConnectionError

    async def scenario(sim):
        await sim.docket.add(always_fails)()
        await sim.run_until_idle()
        sim.acknowledge_failures()
        delays.add(sim.clock.elapsed)

    explore(scenario, runs=40, faults="none", workers=1)
    assert len(delays) > 20


def test_an_interleaving_is_found_without_any_fault():
    """Two tasks that read, wait and write lose an update when they overlap."""

    class Account:
        balance = 0

    async def deposit(account_id: int) -> None:
        read = accounts[account_id].balance
        await asyncio.sleep(0.01)
        accounts[account_id].balance = read + 1

    accounts = {}

    async def scenario(sim):
        accounts[1] = Account()
        await sim.docket.add(deposit, key="a")(1)
        await sim.run_until_idle()
        await sim.docket.add(deposit, key="b", when=sim.clock.now() + timedelta(milliseconds=30))(1)
        await sim.docket.add(deposit, key="c")(1)
        await sim.run_until_idle()
        assert accounts[1].balance == 3

    with pytest.raises(FailureFound) as caught:
        explore(scenario, runs=400, faults="none")
    assert "✗" not in str(caught.value)


def test_a_scenario_may_be_a_plain_function():
    """It drives the world with `sim.run`."""

    async def task(retry: Retry = Retry(attempts=2)) -> None: ...

    def scenario(sim):
        sim.run(sim.docket.add(task)())
        assert sim.run(sim.run_until_idle()).succeeded == 1

    assert explore(scenario, runs=5, faults="none").runs == 5


def test_a_failure_that_does_not_come_again_is_no_failure_found():
    """What the search reports can be replayed; what cannot is told as what it is."""
    runs = []

    async def scenario(sim):
        runs.append(sim)
        await sim.docket.add(charge_once, key="order-7")(7)
        sim.override(get_ledger, value=Ledger())
        tally = await sim.run_until_idle()
        assert not (tally.redelivered and len(runs) < 10)

    with pytest.raises(NotDeterministic, match="the same choices have led to two different runs"):
        explore(scenario, runs=100)


def test_odds_are_those_of_each_rule():
    """One that is a hundred times as probable strikes about a hundred times as often."""

    async def scenario(sim):
        sim.override(get_ledger, value=Ledger())
        for number in range(10):
            await sim.docket.add(charge_once)(number)
        await sim.run_until_idle()

    often = Faults.fail("settle", odds=0.3, times=None)
    seldom = Faults.lose_reply("settle", odds=0.003, times=None)
    for rules in (often + seldom, seldom + often):
        seen = explore(scenario, runs=60, faults=rules).faults
        assert 0 < seen["lose_reply"] < seen["fail"] / 10


def test_a_search_of_no_depth_is_refused():
    """It would have looked at nothing, and say that all was searched."""
    with pytest.raises(ValueError, match="depth: expected 1 deviation or more, found 0"):
        explore(charged_once(charge), runs=10, depth=0)


def test_a_scenario_that_schedules_nothing_is_refused():
    """No run of it can fail, whatever is wrong."""

    async def idle(sim):
        await sim.run_until_idle()

    with pytest.raises(NothingToRun, match="schedules something, found nothing in 20 runs"):
        explore(idle, runs=20)


def test_a_scenario_that_forgets_to_await_fails():
    """Its assertions may well hold: here that nobody is charged twice."""

    async def forgetful(sim):
        sim.docket.add(charge, key="order-7")(7)
        await sim.run_until_idle()

    with pytest.raises(FailureFound) as caught:
        explore(forgetful, runs=20)
    assert isinstance(caught.value.__cause__, NeverAwaited)


async def deposit_by_name(name: str, ledger: Ledger = Depends(get_ledger)) -> None:
    ledger.charges.append(name)
    await asyncio.sleep(1)


def test_a_failure_is_not_shrunk_to_another_one():
    """Two tasks may fail at one assertion of a helper: the line that called it tells them apart."""

    def once(ledger, name):
        assert ledger.charges.count(name) == 1, f"{name} ran {ledger.charges.count(name)} times"

    async def scenario(sim):
        ledger = Ledger()
        sim.override(get_ledger, value=ledger)
        for name in ("a", "b"):
            await sim.docket.add(deposit_by_name, key=name)(name)
        await sim.run_until_idle()
        once(ledger, "b")
        once(ledger, "a")

    search = Search(scenario, {"faults": Faults.rough(), "workers": 2})
    with silenced():
        failing = (search.attempt(Choices(Walk(seed))) for seed in range(60))
        found = [trial for trial in failing if isinstance(trial.error, AssertionError)]
        assert len({str(trial.error)[0] for trial in found}) == 2
        for trial in found[:12]:
            shrunk = Shrinker(trial, search.attempt, limit=200).shrink()
            assert str(shrunk.error)[0] == str(trial.error)[0]
