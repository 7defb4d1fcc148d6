"""One connection through a proxy: what a client sends, what a server answers, and how it ends."""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from .faults import Faults, Verdict
from .frames import Frames, is_unasked, replies_to

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets, and does not wait for anything
_CHUNK = 65_536

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(slots=True)
class Conditions:
    """What holds for all connections of a proxy, and is changed while they are open.

    Attributes:
        flowing: cleared while nothing passes.
        faults: what is to happen to requests.
        delay: for how many seconds each request is held back.
        reply_delay: for how many seconds each reply is held back.
        requests: how many have come in.
        cuts: how many connections the proxy has ended.
    """

    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    faults: Faults = field(default_factory=Faults)
    delay: float = 0.0
    reply_delay: float = 0.0
    requests: int = 0
    cuts: int = 0


class Passage:
    """Passes requests one way and replies the other, until one side closes or a fault ends it."""

    def __init__(self, client: Stream, server: Stream, conditions: Conditions) -> None:
        """
        Args:
            client: to who has connected to the proxy.
            server: to where the proxy has connected for it.
            conditions: what holds for all connections of the proxy.
        """
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._conditions = conditions
        self._verdicts: deque[Verdict] = deque()  # on the requests that await their replies
        self._ended = False

    async def run(self) -> None:
        """Pass on what comes until the connection is at its end, on both sides."""
        held_requests: asyncio.Queue[_Held] = asyncio.Queue()
        held_replies: asyncio.Queue[_Held] = asyncio.Queue()
        tasks = [
            asyncio.ensure_future(step)
            for step in (
                self._hold(self._from_client, held_requests, lambda: self._conditions.delay),
                self._hold(self._from_server, held_replies, lambda: self._conditions.reply_delay),
                self._release(held_requests, self._pass_request),
                self._release(held_replies, self._pass_reply),
            )
        ]
        releasing = tasks[2:]
        try:
            await asyncio.wait(releasing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for writer in (self._to_client, self._to_server):
                await close(writer)

    def cut(self) -> None:
        """End it at once on both sides, with a reset."""
        if not self._ended:
            self._end()
            reset(self._to_client)
            reset(self._to_server)

    async def _hold(
        self, reader: asyncio.StreamReader, held: "asyncio.Queue[_Held]", delay: Callable[[], float]
    ) -> None:
        """Read frames, and note when each may go on; the end of the stream is a frame of None."""
        frames = Frames()
        now = asyncio.get_running_loop().time
        with suppress(OSError, ValueError):  # a reset is an end as well, and so is gibberish
            while data := await reader.read(_CHUNK):
                for frame in frames.feed(data):
                    held.put_nowait((now() + delay(), frame))
        held.put_nowait((now() + delay(), None))

    async def _release(
        self, held: "asyncio.Queue[_Held]", pass_on: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Pass frames on in their order, each when its time has come; return at the end."""
        now = asyncio.get_running_loop().time
        while not self._ended:
            due, frame = await held.get()
            if due > now():
                await asyncio.sleep(due - now())
            await self._conditions.flowing.wait()
            if frame is None:
                return
            await pass_on(frame)

    async def _pass_request(self, frame: bytes) -> None:
        self._conditions.requests += 1
        verdict = self._conditions.faults.judge(frame)
        match verdict:
            case Verdict.DROP_REQUEST:
                self.cut()
            case Verdict.HALVE_REQUEST:
                self._end()
                await _send(self._to_server, _first_half(frame))
                reset(self._to_client)
            case _:
                self._verdicts.append(verdict)
                self._verdicts.extend([Verdict.PASS] * (replies_to(frame) - 1))
                await _send(self._to_server, frame)

    async def _pass_reply(self, frame: bytes) -> None:
        answers = self._verdicts and not is_unasked(frame)
        match self._verdicts.popleft() if answers else Verdict.PASS:
            case Verdict.SWALLOW_REPLY:
                self.cut()
            case Verdict.HALVE_REPLY:
                self._end()
                await _send(self._to_client, _first_half(frame))
            case _:
                await _send(self._to_client, frame)

    def _end(self) -> None:
        self._ended = True
        self._conditions.cuts += 1


_Held = tuple[float, bytes | None]


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once, so that the other side sees a reset."""
    line = writer.get_extra_info("socket")
    if not writer.is_closing():
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        writer.transport.abort()


async def close(writer: asyncio.StreamWriter) -> None:
    """Close a connection, and return when it is closed. Does nothing to one that is."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    with suppress(OSError):  # the other side has gone, which its reader notices
        await writer.drain()


def _first_half(frame: bytes) -> bytes:
    return frame[: len(frame) // 2]
