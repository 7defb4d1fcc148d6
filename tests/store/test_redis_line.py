"""A line on which the answers come when the test says so."""

import asyncio
import functools

import pytest

from docket_sim.errors import StoreUnavailable
from docket_sim.store.redis.line import Line

PATIENCE = 10.0


def on_a_loop(test):
    """Run an async test on an event loop of its own."""

    @functools.wraps(test)
    def run(**arguments):
        asyncio.run(asyncio.wait_for(test(**arguments), PATIENCE))

    return run


class Wire:
    """A connection whose other end is the test."""

    def __init__(self):
        self.sent = []
        self.hung_up = False

    def hear(self, take, gone):
        self.answer, self.end = take, gone

    def write(self, commands):
        self.sent.extend(commands)

    def hang_up(self):
        self.hung_up = True


async def asking(late=None):
    """A line, its wire, and a request that is on its way."""
    wire = Wire()

    async def dial():
        return wire

    line = Line(dial, patience=PATIENCE)
    await line.open()
    request = asyncio.ensure_future(line.ask_all([("PING",)], late=late))
    await asyncio.sleep(0)
    return line, wire, request


async def stop(request):
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


@on_a_loop
async def test_an_answer_is_there_in_the_turn_after_it_came():
    """Nothing but who asked has to wake up."""
    _, wire, request = await asking()
    wire.answer(b"PONG")
    await asyncio.sleep(0)
    assert request.done()
    assert request.result() == [b"PONG"]


@on_a_loop
async def test_who_has_stopped_waiting_may_learn_what_came_of_it():
    """What was claimed for somebody who was cancelled has to be handed back."""
    late = []
    _, wire, request = await asking(late.append)
    await stop(request)
    wire.answer(b"PONG")
    assert await late[0] == [b"PONG"]


@pytest.mark.parametrize("cancelled_first", [True, False])
@on_a_loop
async def test_an_answer_that_comes_with_the_cancellation_is_not_lost(cancelled_first):
    """In one turn of the loop both happen, in either order."""
    late = []
    _, wire, request = await asking(late.append)
    for step in (request.cancel, lambda: wire.answer(b"PONG"))[:: 1 if cancelled_first else -1]:
        step()
    await asyncio.wait([request])
    assert request.cancelled()
    assert await late[0] == [b"PONG"]


@pytest.mark.parametrize("before", [True, False])
@on_a_loop
async def test_who_has_stopped_waiting_learns_that_no_answer_will_come(before):
    """Whether the connection goes before or after that is asked."""
    late = []
    _, wire, request = await asking(late.append)
    request.cancel()
    if before:
        wire.end("it broke")
    await asyncio.wait([request])
    if not before:
        wire.end("it broke")
    with pytest.raises(StoreUnavailable, match="it broke"):
        await late[0]


@on_a_loop
async def test_what_is_under_way_when_the_line_is_closed_fails():
    """And the connection is hung up."""
    line, wire, request = await asking()
    await line.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await request
    assert wire.hung_up
