"""What somebody else has written among a docket's keys, while a worker lives: it goes on."""

import asyncio
import pickle
from uuid import uuid4

import pytest
from servers import shared_server

from docket_sim import Docket, Worker


async def charge(order_id: int) -> int:
    return order_id


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def left_behind(tamper):
    """Run one call that `tamper` has written over, and good work around it; what became of it."""
    name = f"foreign-{uuid4()}"
    client = shared_server().client()
    place = f"docket-sim:{{{name}}}:x:bad"

    async def main():
        async with Docket(name, shared_server().url) as docket:
            await docket.add(charge, key="before")(1)
            await docket.add(charge, key="bad")(2)
            await docket.add(charge, key="after")(3)
            tamper(client, place)
            async with Worker(docket) as worker:
                await worker.run_until_finished()
            for key, result in (("before", 1), ("after", 3)):
                execution = await docket.get_execution(key)
                assert await execution.get_result() == result
            return await docket.get_execution("bad")

    execution = asyncio.run(asyncio.wait_for(main(), 20))
    aside = client.exists(f"docket-sim:{{{name}}}:aside:bad")
    client.delete(*client.keys(f"docket-sim:{{{name}}}:*"))
    return execution, bool(aside)


PAYLOADS = {
    "truncated": b'{"order_id"',
    "of another type": b'["a list"]',
    "oversized": b'{"order_id": "' + b"x" * 3_000_000 + b'"}',
    "no text": b"\x80\xff\x00",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_arguments_that_cannot_be_read_end_that_execution_failed(payload):
    """With a reason, and without an end to the worker."""
    execution, aside = left_behind(lambda client, place: client.hset(place, "a", payload))
    assert (execution.state.value, aside) == ("failed", False)


def test_a_pickled_payload_is_never_loaded_by_a_json_worker(tmp_path):
    """No code in it runs."""
    trap = tmp_path / "it ran"
    payload = pickle.dumps(Bomb(trap))
    execution, _ = left_behind(lambda client, place: client.hset(place, "a", payload))
    assert execution.state.value == "failed"
    assert not trap.exists()
    pickle.loads(payload).close()
    assert trap.exists(), "the trap would have sprung"


def _another_type(client, place):
    client.delete(place)
    client.set(place, "a string")


TAMPERED = {
    "a key of another type": _another_type,
    "no task": lambda client, place: client.hdel(place, "t"),
    "no arguments": lambda client, place: client.hdel(place, "a"),
    "a due time that is no number": lambda client, place: client.hset(place, "w", "soon"),
    "an attempt that is no number": lambda client, place: client.hset(place, "n", "first"),
    "no such state": lambda client, place: client.hset(place, "s", "?"),
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED.keys())
def test_what_is_no_execution_any_more_is_set_aside(tamper, caplog):
    """For a person to look at, with the reason in the log."""
    execution, aside = left_behind(tamper)
    assert (execution, aside) == (None, True)
    assert "set aside, for a person to look at" in caplog.text
