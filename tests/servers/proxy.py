"""A proxy in front of a Redis server that cuts, delays and loses what passes, on demand.

It runs on an event loop in a thread of its own, which keeps real time inside a simulation too. It
reads the protocol, so that it knows one request and its reply among many that travel together; it
cannot stand in front of a server that speaks TLS.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from .errors import ServerNotRunning
from .faults import Fault, Verdict
from .passage import Conditions, Passage, close, reset
from .waiting import HOST, PATIENCE, real_monotonic

T = TypeVar("T")


class _RealTimeLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is not frozen."""

    def time(self) -> float:
        return real_monotonic()


class Proxy:
    """Passes everything between its clients and a server, but for the faults it is told of.

    Its controls are called from any thread but its own, and have taken effect when they return.
    A fault that takes effect ends the connection that it hits. `of` picks the requests that are
    meant, by any text that they contain: the name of a command, a key, the hash of a script. Note
    that a client's greeting (HELLO, AUTH, CLIENT SETINFO) consists of requests too.

        with Proxy(server.port) as proxy:
            proxy.swallow_replies(of="INCR")
            ...  # connect to proxy.url

    Attributes:
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self, target_port: int) -> None:
        """
        Args:
            target_port: where the server listens, on 127.0.0.1; it need not run yet.
        """
        self.port = 0
        self._target_port = target_port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._listener: asyncio.Server | None = None
        self._conditions = Conditions()
        self._conditions.flowing.set()
        self._passages: dict[asyncio.Task[Any], Passage | None] = {}
        self._connections = 0
        self._refuses = False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Listen on a free port. To be called once."""
        self._loop = _RealTimeLoop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self.port = self._do(self._listen())
        return self

    def close(self) -> None:
        """Cut every connection, and listen no more. May be called again."""
        if self._loop is None or self._thread is None:
            return
        self._do(self._hang_up())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()
        self._loop = None

    @property
    def url(self) -> str:
        """The URL of database 0, for a user who need not log in."""
        return self.url_for(0)

    def url_for(self, db: int) -> str:
        """The URL of a database, for a user who need not log in."""
        return f"redis://{HOST}:{self.port}/{db}"

    @property
    def connections(self) -> int:
        """How many connections clients have opened so far, without those that were refused."""
        return self._connections

    @property
    def cuts(self) -> int:
        """How many connections the proxy has ended so far, by `cut()` or by a fault."""
        return self._conditions.cuts

    @property
    def requests(self) -> int:
        """How many requests have come in so far, dropped ones among them."""
        return self._conditions.requests

    @property
    def faults_left(self) -> int:
        """How many requests are still to be hit by what it was told."""
        return self._conditions.faults.left

    @property
    def delay(self) -> float:
        """For how many seconds each request is held back. A latency: requests do not queue up."""
        return self._conditions.delay

    @delay.setter
    def delay(self, seconds: float) -> None:
        self._conditions.delay = seconds

    @property
    def reply_delay(self) -> float:
        """For how many seconds each reply is held back, after the server has done its work."""
        return self._conditions.reply_delay

    @reply_delay.setter
    def reply_delay(self, seconds: float) -> None:
        self._conditions.reply_delay = seconds

    def cut(self) -> None:
        """End all connections now, with a reset; new ones are welcome."""
        self._do(self._cut())

    def stall(self) -> None:
        """Be a black hole: connections stay and are accepted, and nothing passes either way."""
        self._call(self._conditions.flowing.clear)

    def flow(self) -> None:
        """End `stall()`: what was held up passes now, in its order."""
        self._call(self._conditions.flowing.set)

    def drop_requests(self, times: int = 1, *, after: int = 0, of: str = "") -> None:
        """Have requests never reach the server.

        Args:
            times: how many.
            after: how many pass before that.
            of: the text that is in those that are meant.
        """
        self._plan(Verdict.DROP_REQUEST, times, after, of)

    def swallow_replies(self, times: int = 1, *, after: int = 0, of: str = "") -> None:
        """Have the server do what it is asked, and the client lose the reply.

        Args:
            times: to how many requests.
            after: how many pass before that.
            of: the text that is in those that are meant.
        """
        self._plan(Verdict.SWALLOW_REPLY, times, after, of)

    def swallow_after(self, count: int, *, of: str = "") -> None:
        """Have one reply be lost after so many have passed.

        Args:
            count: how many requests pass before.
            of: the text that is in those that are meant.
        """
        self.swallow_replies(after=count, of=of)

    def half_deliver(
        self, what: Literal["request", "reply"] = "reply", *, after: int = 0, of: str = ""
    ) -> None:
        """Have the first half of one request or reply arrive, and then the end of the connection.

        Args:
            what: which of the two.
            after: how many requests pass before.
            of: the text that is in the requests that are meant.
        """
        verdict = Verdict.HALVE_REQUEST if what == "request" else Verdict.HALVE_REPLY
        self._plan(verdict, 1, after, of)

    def half_deliver_request(self, *, after: int = 0, of: str = "") -> None:
        """Have the first half of one request arrive; see `half_deliver`."""
        self.half_deliver("request", after=after, of=of)

    def half_deliver_reply(self, *, after: int = 0, of: str = "") -> None:
        """Have the first half of one reply arrive; see `half_deliver`."""
        self.half_deliver("reply", after=after, of=of)

    def refuse(self) -> None:
        """Reset new connections at once, as nobody were there; those that are open stay."""
        self._refuses = True

    def accept(self) -> None:
        """Accept new connections again."""
        self._refuses = False

    def heal(self) -> None:
        """Forget the faults that are left, the delays, the stalling and the refusing."""
        self.delay = self.reply_delay = 0
        self.accept()
        self._call(self._conditions.faults.clear)
        self.flow()

    def _plan(self, verdict: Verdict, times: int, after: int, of: str) -> None:
        fault = Fault(verdict, times=times, after=after, of=of.encode())
        self._call(lambda: self._conditions.faults.add(fault))

    def _call(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()

        self._do(call())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the proxy's loop, and return when it is done."""
        if self._loop is None:
            work.close()
            raise ServerNotRunning("expected a proxy that runs, found a closed one. start() it")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _listen(self) -> int:
        self._listener = await asyncio.start_server(self._accept, HOST, 0)
        return self._listener.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        if self._listener is not None:
            self._listener.close()
            await self._cut()
            await self._listener.wait_closed()

    async def _cut(self) -> None:
        passages = dict(self._passages)
        for task, passage in passages.items():
            if passage is not None:
                passage.cut()
            task.cancel()
        await asyncio.gather(*passages, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._refuses:
            reset(writer)
            return
        self._connections += 1
        self._passages[task] = None  # until the server has been reached
        try:
            server = await asyncio.open_connection(HOST, self._target_port)
            passage = self._passages[task] = Passage((reader, writer), server, self._conditions)
            await passage.run()
        except (OSError, asyncio.CancelledError):
            pass  # the server is down, so the client sees a reset; or this was cut
        finally:
            del self._passages[task]
            reset(writer)
            await close(writer)
