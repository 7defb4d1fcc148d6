"""What somebody else writes among a docket's keys while a worker waits for work: it goes on.

Each piece ends failed, or is set aside with a reason, for a person to look at.
"""

import logging
import pickle

import pytest
from servers import RedisServer

from chaos.live import Scene, at_work, run, scene
from docket_sim import Docket, ExecutionState, StoreUnavailable

GOOD = {"s": "w", "t": "charge", "a": '{"number": 1}', "w": "1", "g": "1", "q": "0000000000001"}
SETS = ("due", "leased", "void", "kept")


class Trap:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def write(found: Scene, **fields: object) -> None:
    """An execution `bad` that is due, as it should be but for `fields`; None leaves one out."""
    whole = {name: value for name, value in (GOOD | fields).items() if value is not None}
    found.client.hset(found.place("bad"), mapping=whole)
    found.client.zadd(f"{found.prefix}due", {"0000000000001bad": 1})


def while_a_worker_waits(tamper, then=None) -> None:
    """Have an idle worker come upon what `tamper` leaves, between good work before and after."""

    async def main():
        async with scene() as found, at_work(found.docket):
            await found.good_work_goes_on()
            tamper(found)
            await found.good_work_goes_on()
            if then is not None:
                await then(found)

    run(main)


# Payloads.

PAYLOADS = {
    "truncated": b'{"number"',
    "of another type": b'["a list"]',
    "that do not fit": b'{"number": 1, "color": "blue"}',
    "oversized": b'{"number": "' + b"x" * 5_000_000 + b'"}',
    "no text": b"\x80\xff\x00",
    "empty": b"",
}


async def has_failed(found: Scene) -> None:
    """Expect that `bad` ends failed, and says why."""

    def ended() -> bool:
        return found.client.hget(found.place("bad"), "s") == b"f"

    await found.until(ended, "the bad execution has failed")
    execution = await found.docket.get_execution("bad")
    assert execution.state is ExecutionState.FAILED
    with pytest.raises(Exception, match=r"\w"):
        await execution.get_result()


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_arguments_that_cannot_be_read_end_their_execution_failed(payload):
    """The worker that was to run it says why, and goes on."""
    while_a_worker_waits(lambda found: write(found, a=payload), has_failed)


def test_no_code_of_a_pickled_payload_runs_in_a_json_worker(tmp_path):
    """It fails like everything that is no JSON. The trap is real: unpickled, it would spring."""
    trap = tmp_path / "it ran"
    payload = pickle.dumps(Trap(trap))
    while_a_worker_waits(lambda found: write(found, a=payload), has_failed)
    assert not trap.exists()
    pickle.loads(payload).close()
    assert trap.exists()


def test_a_pickled_result_is_not_loaded_either(tmp_path):
    """Whoever asks for the result of an execution reads what stands there, and runs none of it."""
    trap = tmp_path / "it ran"

    def tamper(found: Scene) -> None:
        write(found, s="c", r=pickle.dumps(Trap(trap)))

    async def then(found: Scene) -> None:
        execution = await found.docket.get_execution("bad")
        with pytest.raises(Exception, match=r"\w"):
            await execution.get_result()

    while_a_worker_waits(tamper, then)
    assert not trap.exists()


# Fields.

FIELDS = {
    "no task": {"t": None},
    "no arguments": {"a": None},
    "no due time": {"w": None},
    "no state": {"s": None},
    "no such state": {"s": "?"},
    "no ticket": {"q": None},
    "a due time that is no number": {"w": "soon"},
    "a fraction as due time": {"w": "1.5"},
    "an infinite due time": {"w": "inf"},
    "a due time in hexadecimal": {"w": "0x10"},
    "a due time before all time": {"w": "-" + "9" * 30},
    "a due time after all time": {"w": "9" * 30},
    "an attempt that is no number": {"n": "first"},
    "a fraction as attempt": {"n": "1.5"},
    "a negative attempt": {"n": "-3"},
    "a fraction as generation": {"g": "1.5"},
    "deliveries that are no number": {"d": "many"},
    "a cause without its attempt": {"p": "someone"},
    "running, by nobody": {"s": "r"},
    "blocked, by nothing": {"s": "b"},
}


async def is_set_aside(found: Scene) -> None:
    """Expect that `bad` lies aside, and that its key is free for good work."""
    aside = f"{found.prefix}aside:bad"
    await found.until(lambda: found.client.exists(aside), "it is set aside")
    assert found.client.ttl(aside) > 0, "some day it may go"
    assert await found.docket.get_execution("bad") is None
    execution = await found.docket.add("charge", key="bad")(7)
    assert await execution.get_result() == 7


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS.keys())
def test_what_is_no_execution_is_set_aside(fields, caplog):
    """With the reason in the log; and its key can be used again."""
    while_a_worker_waits(lambda found: write(found, **fields), is_set_aside)
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "'bad' was set aside, for a person to look at: " in record.getMessage()


def _as_a_string(found: Scene) -> None:
    found.client.set(found.place("bad"), "a string")


def _as_a_list(found: Scene) -> None:
    found.client.rpush(found.place("bad"), "a", "list")


@pytest.mark.parametrize("tamper", [_as_a_string, _as_a_list])
def test_what_is_no_hash_is_set_aside(tamper, caplog):
    """Of whatever type it is."""

    def whole(found: Scene) -> None:
        tamper(found)
        found.client.zadd(f"{found.prefix}due", {"0000000000001bad": 1})

    while_a_worker_waits(whole, is_set_aside)
    assert "'bad' was set aside" in caplog.text


@pytest.mark.parametrize("fields", [{"t": None}, {"w": "soon"}, {"s": "?"}, {"s": None}])
def test_a_call_is_accepted_in_place_of_what_cannot_be_read(fields):
    """Whoever schedules comes upon it first, without a worker: it is set aside all the same."""

    async def main():
        async with scene() as found:
            write(found, **fields)
            execution = await found.docket.add("charge", key="bad")(7)
            async with at_work(found.docket):
                assert await execution.get_result() == 7
                await found.good_work_goes_on()
            assert found.ran.count(7) == 1
            assert found.client.exists(f"{found.prefix}aside:bad")
            assert not found.client.exists(f"{found.prefix}leased"), "no second entry is left"

    run(main)


# Entries.

ENTRIES = {
    "too short": "zz",
    "empty": "",
    "no text": b"\xff\xfe",
    "of nothing": "0000000000001nothing",
    "of nothing, without text": b"0000000000001\xff",
}


@pytest.mark.parametrize("score", ["-inf", 1])
@pytest.mark.parametrize("name", ["due", "leased", "void"])
def test_entries_of_nothing_are_dropped(name, score, caplog):
    """In each of the sorted sets; that somebody wrote there is in the log."""
    entries = dict.fromkeys(ENTRIES.values(), score)

    async def gone(found: Scene) -> None:
        await found.until(lambda: not found.client.exists(f"{found.prefix}{name}"), "they are gone")

    while_a_worker_waits(lambda found: found.client.zadd(f"{found.prefix}{name}", entries), gone)
    assert "it has an entry, and nothing else" in caplog.text


@pytest.mark.parametrize("name", ["due", "leased", "void"])
def test_a_second_entry_does_not_make_a_finished_execution_run_again(name):
    """What has ended has ended, whatever the sorted sets say."""

    async def main():
        async with scene() as found, at_work(found.docket):
            execution = await found.docket.add("charge", key="once")(7)
            assert await execution.get_result() == 7
            found.client.zadd(f"{found.prefix}{name}", {"0000000000001once": 1})
            await found.good_work_goes_on()
            place = f"{found.prefix}{name}"
            await found.until(lambda: not found.client.exists(place), "the entry is gone")
            assert found.ran.count(7) == 1
            assert (await found.docket.get_execution("once")).state is ExecutionState.COMPLETED

    run(main)


def test_an_execution_whose_key_is_no_text_is_set_aside():
    """Python could not name it."""

    def tamper(found: Scene) -> None:
        found.client.hset(found.place("").encode() + b"\xff\xfe", mapping=GOOD)
        found.client.zadd(f"{found.prefix}due", {b"0000000000001\xff\xfe": 1})

    async def then(found: Scene) -> None:
        assert found.client.exists(f"{found.prefix}aside:".encode() + b"\xff\xfe")

    while_a_worker_waits(tamper, then)


# The docket's own keys.


@pytest.mark.parametrize("name", SETS)
def test_a_sorted_set_that_was_written_over_is_made_anew(name, caplog):
    """From the executions: neither what waits nor what has ended is lost."""

    async def main():
        async with scene() as found:
            async with at_work(found.docket):
                await found.good_work_goes_on()
            waiting = await found.docket.add("charge")(1)
            found.client.delete(f"{found.prefix}{name}")
            found.client.set(f"{found.prefix}{name}", "a string")
            async with at_work(found.docket):
                await found.good_work_goes_on()
                assert await waiting.get_result() == 1
            assert found.client.get(f"{found.prefix}aside-{name}") == b"a string"
            assert len((await found.docket.snapshot()).finished) == 5

    run(main)
    assert f"{name!r} was set aside, for a person to look at" in caplog.text


def _a_string(found: Scene) -> None:
    found.client.delete(f"{found.prefix}meta")
    found.client.set(f"{found.prefix}meta", "a string")


def _no_number(found: Scene) -> None:
    found.client.hset(f"{found.prefix}meta", "c", "many")


@pytest.mark.parametrize("tamper", [_a_string, _no_number])
def test_the_count_of_fences_begins_anew_when_it_was_written_over(tamper, caplog):
    """Where none was before, so that no fence is given twice."""
    while_a_worker_waits(tamper)
    assert "the docket's key 'meta' was set aside" in caplog.text


def test_a_server_without_memory_is_no_reason_to_set_anything_aside(caplog):
    """It refuses for a while; then everything is as it was, and what waited is done."""

    async def main():
        with RedisServer() as server:
            async with Docket("full", server.url) as docket:
                docket.register(_nothing)
                async with at_work(docket):
                    await docket.add(_nothing, key="before")()
                    server.ask("CONFIG", "SET", "maxmemory", 1)
                    with pytest.raises(StoreUnavailable, match="maxmemory"):
                        await docket.add(_nothing, key="during")()
                    server.ask("CONFIG", "SET", "maxmemory", 0)
                    for key in ("before", "after"):
                        execution = await docket.add(_nothing, key=key)()
                        await execution.get_result()
                    assert server.ask("KEYS", "*aside*") == []

    run(main)
    assert "set aside" not in caplog.text


async def _nothing() -> None:
    """A task."""


NOTICES = ["", "wsoon", "w" + "9" * 40, "w-" + "9" * 40, "c", b"c\xff", b"\xff"]


def test_what_is_published_by_others_does_not_end_the_notices(caplog):
    """An idle worker is still woken by the next call."""

    def tamper(found: Scene) -> None:
        for notice in NOTICES:
            found.client.publish(f"{found.prefix}bell", notice)
        found.client.publish(f"{found.prefix}w:charge", "no change")

    while_a_worker_waits(tamper)
    assert "no notices from the store" not in caplog.text


def test_what_the_server_forgot_before_its_entry_can_be_scheduled_again():
    """A server expires records by itself; the entry of one must not take its heir along."""

    async def main():
        async with scene() as found:
            found.client.zadd(f"{found.prefix}kept", {"again": 1})
            execution = await found.docket.add("charge", key="again")(7)
            async with at_work(found.docket):
                assert await execution.get_result() == 7

    run(main)
