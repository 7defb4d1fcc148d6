"""A real answer on the loopback beats every virtual timer, and an idle connection holds nothing."""

import asyncio
import contextlib
import socket
import threading
import time

import pytest

from docket_sim import VirtualLoop

REAL_WHILE = 0.05  # seconds that a server takes for real
QUICKLY = 0.9  # seconds of real time: less than an open conversation may hold virtual time
WEEK = 7 * 24 * 3600


def run(program):
    """Run a program on a virtual loop."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(program)


@contextlib.contextmanager
def real_time_at_most(seconds):
    """Check that the block takes no longer, for real."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


@pytest.fixture
def serve():
    """Starts a server in a real thread: it answers one connection as the given function does."""
    threads = []

    def begin(answer):
        listener = socket.create_server(("127.0.0.1", 0))

        def accept():
            with listener, listener.accept()[0] as connection:
                answer(connection)

        threads.append(threading.Thread(target=accept))
        threads[-1].start()
        return listener.getsockname()[:2]

    yield begin
    for thread in threads:
        thread.join()


def answer_late(connection):
    """Answer what comes in, after a while."""
    request = connection.recv(100)
    time.sleep(REAL_WHILE)
    connection.sendall(request.upper())


def test_a_real_answer_is_faster_than_a_virtual_timeout(serve):
    """The server answers after a while for real; the five virtual seconds have not passed."""
    address = serve(answer_late)

    async def program():
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"ping")
        answer = await asyncio.wait_for(reader.read(100), 5)
        writer.close()
        await writer.wait_closed()
        return answer, asyncio.get_running_loop().time()

    assert run(program()) == (b"PING", 0)


def test_a_real_answer_on_a_bare_socket_is_faster_than_a_virtual_timeout(serve):
    """The loop's own socket methods are conversations too."""
    address = serve(answer_late)

    async def program():
        loop = asyncio.get_running_loop()
        with socket.socket() as bare:
            bare.setblocking(False)
            await loop.sock_connect(bare, address)
            await loop.sock_sendall(bare, b"ping")
            return await asyncio.wait_for(loop.sock_recv(bare, 100), 5)

    assert run(program()) == b"PING"


async def exchange(handle, then):
    """A server and a client on one loop: a request, its answer, and then something else."""

    async def serve_one(reader, writer):
        with contextlib.closing(writer):
            await handle(reader, writer)

    async with await asyncio.start_server(serve_one, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        with contextlib.closing(writer):
            writer.write(b"ping\n")
            answer = await asyncio.wait_for(reader.readline(), 5)
            await then()
    return answer, asyncio.get_running_loop().time()


async def nothing_else():
    """Go on at once."""


def test_a_client_and_a_server_may_share_the_loop():
    """Bytes that travel over the loopback arrive before any virtual timer."""

    async def echo(reader, writer):
        writer.write(await reader.readline())

    assert run(exchange(echo, nothing_else)) == (b"ping\n", 0)


def test_a_server_of_the_same_loop_may_take_its_virtual_time():
    """The handler sleeps for two virtual seconds, which pass at once."""

    async def echo(reader, writer):
        line = await reader.readline()
        await asyncio.sleep(2)
        writer.write(line)

    with real_time_at_most(QUICKLY):
        assert run(exchange(echo, nothing_else)) == (b"ping\n", 2)


def test_an_idle_connection_does_not_freeze_time():
    """A pooled connection that has had its answer may stay open for a week."""

    async def echo(reader, writer):
        writer.write(await reader.readline())
        await reader.read()

    with real_time_at_most(QUICKLY):
        assert run(exchange(echo, lambda: asyncio.sleep(WEEK)))[1] == WEEK


def test_a_message_that_is_never_answered_holds_time_for_a_short_grace_only(serve):
    """Not everything that is sent is answered, so a conversation does not stay open for ever."""
    closing = threading.Event()
    address = serve(lambda _connection: closing.wait(10))

    async def program():
        loop = asyncio.get_running_loop()
        loop.conversations.grace = REAL_WHILE
        reader, writer = await asyncio.open_connection(*address)
        writer.write(b"are you there?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(100), WEEK)
        writer.close()
        return loop.time()

    with real_time_at_most(QUICKLY), contextlib.ExitStack() as stack:
        stack.callback(closing.set)
        assert run(program()) == WEEK
