"""The connection that brings notices is dialled again: soon after a blip, and seldom for ever."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import islice

import pytest
from conformance import Ear

from docket_sim.store.pauses import pauses
from docket_sim.store.redis.line import holds_nothing
from docket_sim.store.redis.notices import Notices


def test_waits_are_short_at_first_and_grow_up_to_the_longest():
    """Twice as long each time."""
    waits = [wait.total_seconds() for wait in islice(pauses(timedelta(seconds=5)), 9)]
    assert waits == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]


def test_no_wait_is_longer_than_the_longest():
    """Which may be shorter than the first would be."""
    waits = list(islice(pauses(timedelta(seconds=0.01)), 3))
    assert waits == [timedelta(seconds=0.01)] * 3


class ShortLived:
    """A connection that the server ends after so many seconds."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def read_response(self, **_):
        await asyncio.sleep(self.seconds)
        raise ConnectionError("the server has hung up")

    async def disconnect(self, nowait=False):
        pass

    async def send_packed_command(self, command, check_health=True):
        pass

    def pack_command(self, *args):
        return []


@asynccontextmanager
async def listening_by(dial):
    """Somebody who listens by what `dial` gives."""

    async def nothing():
        pass

    given = {"arm": nothing, "here": lambda at: at, "hold": holds_nothing, "keep_alive": None}
    notices = Notices(dial, b"", **given)
    with notices.listen(Ear()):
        yield
    await notices.close()


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "hangs up at once"])
async def test_a_server_that_is_away_is_dialled_soon_and_then_seldom(sim, answers):
    """Also one that takes each connection, and ends it."""
    dialled = []

    async def dial():
        dialled.append(sim.clock.elapsed.total_seconds())
        if answers:
            return ShortLived(0)
        raise ConnectionRefusedError("nobody is here")

    async with listening_by(dial):
        await asyncio.sleep(0.5)
        assert len(dialled) == 4
        await asyncio.sleep(600)
        assert 120 <= len(dialled) <= 130


async def test_after_each_blip_it_is_dialled_soon(sim):
    """A connection that has held for a while was no part of the outage before."""
    dialled = []

    async def dial():
        dialled.append(sim.clock.elapsed.total_seconds())
        return ShortLived(60)

    async with listening_by(dial):
        await asyncio.sleep(200)
    assert dialled == pytest.approx([0, 60.05, 120.1, 180.15])
