"""The same choices lead to the same run; where they do not, the first difference and its cause."""

import asyncio
import dataclasses
import functools
import os
import random
import socket
import subprocess
import sys
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from docket_sim import (
    Depends,
    ExponentialRetry,
    FailureFound,
    NotDeterministic,
    check_determinism,
    explore,
)
from docket_sim.search.account import Account
from docket_sim.search.explore import Search
from docket_sim.search.sources import Walk
from docket_sim.simulation.choices import Choices
from docket_sim.simulation.faults.rules import Faults

ROOT = Path(__file__).parents[2]


async def note(text: str) -> None:
    await asyncio.sleep(0.1)


async def flaky(
    number: int,
    retry: ExponentialRetry = ExponentialRetry(
        attempts=4, minimum_delay=timedelta(seconds=1), jitter=True
    ),
) -> None:
    await asyncio.sleep(random.random())
    if number % 2 and retry.attempt < 3:
        raise ConnectionError("503")


async def orderly(sim):
    """Does everything that a world takes care of: chance, the time, generated keys, retries."""
    for number in range(6):
        await sim.docket.add(flaky)(number)
    await sim.docket.add(note)(f"{time.time()}")
    await sim.run_until_idle()


def noting(text):
    """A scenario that schedules a task with what `text()` gives."""

    async def scenario(sim):
        await sim.docket.add(note, key="k")(f"{text()}")
        await sim.run_until_idle()

    return scenario


class Thing:
    """Hashed by its address."""


kept = []
counter = 0


def counted():
    global counter
    counter += 1
    return counter


def in_hash_order():
    things = [Thing() for _ in range(50)]
    kept.extend(things)  # so that the next ones have other addresses
    return [things.index(one) for one in set(things)]


class Numbers:
    """A generator of its own, seeded once."""

    def __init__(self):
        self.dice = random.Random(7)


numbers = Numbers()


@functools.lru_cache
def looked_up(day):
    looked_up.misses = getattr(looked_up, "misses", 0) + 1
    return day


def remembered():
    before = looked_up.cache_info().currsize
    looked_up("monday")
    return before


def over_a_socket():
    here, there = socket.socketpair()
    with here, there:
        there.sendall(kept_text().encode())
        return here.recv(100).decode()


_texts = iter(f"answer {number}" for number in range(100))


def kept_text():
    return next(_texts)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "count"
    path.write_text("x")
    return path


def grown(path):
    path.write_text(path.read_text() + "x")
    return path.read_text()


def in_a_thread():
    ticks = []
    thread = threading.Thread(target=lambda: ticks.append(time.thread_time_ns()))
    thread.start()
    thread.join()
    return ticks


def difference_of(scenario, **keywords):
    with pytest.raises(NotDeterministic) as caught:
        check_determinism(scenario, **keywords)
    return caught.value


def test_a_scenario_that_leaves_chance_to_the_world_is_deterministic():
    """In calm as with faults, by chance as by the default."""
    for faults in ("none", "rough", "hostile"):
        for seed in range(4):
            check_determinism(orderly, seed=seed, faults=faults)
    check_determinism(orderly, choices={})


def test_the_difference_is_told_with_its_place():
    """What was scheduled here, what there, and when."""
    found = difference_of(noting(counted))
    assert "scheduled note(text='" in found.difference
    assert "at +0s, k: " in str(found)
    assert "\n    there: scheduled note(text='" in str(found)
    assert "could not be replayed" in str(found)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (time.process_time_ns, "the machine's own clock: time.process_time_ns() at "),
        (lambda: os.urandom(4), "the machine's own randomness: os.urandom() at "),
        (uuid.uuid4, "the machine's own randomness: os.urandom() at "),
        (lambda: random.Random().random(), "the machine's own randomness: Random.seed() at "),
        (lambda: random.SystemRandom().random(), "the machine's own randomness: os.urandom() at "),
        (lambda: numbers.dice.random(), "the machine's own randomness: Random.random() at "),
        (lambda: kept.append(Thing()) or id(kept[-1]), "id(): id() at "),
        (lambda: kept.append(Thing()) or hash(kept[-1]), "hash(): hash() at "),
        (over_a_socket, "real input or output: socket.sendall() at "),
        (in_a_thread, "a thread of its own: thread.start_new_thread() at "),
        (in_hash_order, "an unordered set, made at "),
        (counted, "state left from one run to the next: {module}.counter"),
        (remembered, "state left from one run to the next: {module}.looked_up"),
    ],
    ids=lambda value: value.partition(":")[0] if isinstance(value, str) else None,
)
def test_the_likely_cause_is_named(text, cause):
    """With the line of the scenario, not of the library, behind which it lies."""
    found = difference_of(noting(text))
    cause = cause.format(module=__name__)
    assert any(one.startswith(cause) for one in found.causes), found.causes
    if cause.endswith(" at "):
        (named,) = [one for one in found.causes if one.startswith(cause)][:1]
        assert f"{Path(__file__).name}:" in named


def test_what_is_read_from_a_file_is_real_input(file):
    """A file outlives the world."""
    found = difference_of(noting(lambda: grown(file)))
    assert found.causes[0].startswith("real input or output: ")


def test_what_only_the_first_run_finds_missing_is_put_down_to_state():
    """A cache that is filled once: the second and the third run are alike."""
    looked_up.cache_clear()
    found = difference_of(noting(remembered))
    assert found.causes[0].startswith("state left from one run to the next: ")
    check_determinism(noting(remembered))


def test_state_in_a_closure_is_named_after_its_variable():
    """Most scenarios of tests are closures."""
    ledger = []

    async def scenario(sim):
        ledger.append(7)
        await sim.docket.add(note)(f"{len(ledger)}")
        await sim.run_until_idle()

    assert any("ledger (in " in one for one in difference_of(scenario).causes)


def test_another_end_is_a_difference():
    """Although the same tasks ran: the scenario fails the second time, or otherwise."""
    runs = []

    async def scenario(sim):
        runs.append(1)
        assert len(runs) < 2, "enough"

    assert "there: AssertionError" in difference_of(scenario).difference


def test_another_choice_is_a_difference():
    """A run that asks for other choices would be replayed wrongly, if not today."""
    one = account()
    other = dataclasses.replace(one, choices=one.choices[:-1])
    number, last = len(one.choices), one.choices[-1]
    said = f"choice no. {number}: {last.label}, no. {last.number}: {last.value} of 0 to "
    assert one.difference(other).startswith(said)
    assert one.difference(other).endswith("there: none")
    assert one.difference(one) is None


def test_the_order_of_events_of_one_instant_counts():
    """Between stores it does not, but between two runs on one store it does."""
    runs = []

    async def scenario(sim):
        runs.append(1)
        keys = ["a", "b"] if len(runs) % 2 else ["b", "a"]
        for key in keys:
            await sim.docket.add(note, key=key)("x")
        await sim.run_until_idle()

    assert difference_of(scenario, choices={}).difference.startswith("event no. 1: ")


def test_an_address_that_is_only_shown_is_no_difference():
    """Error messages show objects as Python does."""

    async def fails() -> None:
        kept.append(Thing())
        raise ValueError(f"cannot use {kept[-1]}")

    async def scenario(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()
        sim.acknowledge_failures()
        raise ValueError(f"cannot use {kept[-1]}")

    check_determinism(scenario)


def test_a_scenario_that_fails_the_same_way_is_deterministic():
    """Whether it fails is another question."""

    async def scenario(sim):
        await orderly(sim)
        raise AssertionError("always")

    check_determinism(scenario)


def test_a_token_is_a_run_to_check():
    """So a failure that a search has found can be checked, too."""

    async def charge(ledger: list = Depends(list)) -> None:
        charges.append(1)
        await asyncio.sleep(1)

    charges = []

    async def scenario(sim):
        charges.clear()
        await sim.docket.add(charge, key="k")()
        await sim.run_until_idle()
        assert len(charges) < 2

    with pytest.raises(FailureFound) as caught:
        explore(scenario, runs=100)
    check_determinism(scenario, token=caught.value.replay)
    with pytest.raises(ValueError, match="choices or a token, found both"):
        check_determinism(scenario, token=caught.value.replay, choices={})


def test_a_search_begins_with_the_check():
    """What cannot be replayed is not worth being found; the check can be left out."""
    with pytest.raises(NotDeterministic):
        explore(noting(counted), runs=5)
    assert explore(noting(counted), runs=5, determinism=False).runs == 5
    assert explore(orderly, runs=5).runs == 5


def test_the_profiler_of_others_stays():
    """The witness gives back the hook that it has borrowed."""

    def profiler(frame, event, arg):
        pass

    before = sys.getprofile()
    sys.setprofile(profiler)
    try:
        difference_of(noting(counted))
        assert sys.getprofile() is profiler
    finally:
        sys.setprofile(before)


PROGRAM = """
import hashlib, pickle
from docket_sim.search.account import Account
from search.test_determinism_check import account
print(hashlib.sha256(repr(account()).encode()).hexdigest())
"""


def account():
    """A run with everything, by chance."""
    search = Search(orderly, {"faults": Faults.of("hostile"), "workers": 3})
    return Account.of(search.attempt(Choices(Walk(11, mood=3.0))))


def test_the_same_choices_make_the_same_run_in_another_process():
    """Whatever seed texts are hashed with: a token is sent from one machine to another."""
    assert any("worker" in choice.label and choice.value for choice in account().choices)
    digests = set()
    for seed in ("1", "2", "random"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            capture_output=True,
            text=True,
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
            },
        )
        assert done.returncode == 0, done.stderr
        digests.add(done.stdout)
    assert len(digests) == 1
