"""What a Redis store tells: a connection of its own, on which notices come in.

Notices may be lost while the connection is away; when it is back, everybody who listens looks at
the store once, and whoever watches a key is told to read it again.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import RedisError

from docket_sim.errors import StoreUnavailable
from docket_sim.store.base import LOOK_AGAIN, Listener, begin
from docket_sim.store.pauses import pauses
from docket_sim.store.redis.line import Connection, Dial, Elsewhere, Hold
from docket_sim.store.redis.wire import decoded, encoded, instant, unpacked

_logger = logging.getLogger(__name__)
_LONGEST_PAUSE = timedelta(seconds=5)  # between attempts to reach a server that is away
_PING = 15.0  # seconds between signs of life


class Watching:
    """What becomes of one key, as it is told: its fields, or `None` for "read it again"."""

    def __init__(self) -> None:
        self._changes: asyncio.Queue[list[bytes] | None] = asyncio.Queue()

    def put(self, fields: list[bytes] | None) -> None:
        """Add a change."""
        self._changes.put_nowait(fields)

    async def get(self) -> list[bytes] | None:
        """The next change."""
        return await self._changes.get()


class Notices:
    """Keeps a connection on which notices arrive, from when somebody wants them.

    Attributes:
        pending: whether somebody has asked to be told, and is not told yet.
    """

    def __init__(
        self,
        dial: Dial,
        prefix: bytes,
        *,
        arm: Callable[[], Awaitable[object]],
        here: Callable[[datetime], datetime],
        hold: Hold,
        keep_alive: Callable[[], Awaitable[int]] | None,
    ) -> None:
        """
        Args:
            dial: opens a connection.
            prefix: what the docket's channels begin with.
            arm: makes the store tell of whatever comes next.
            here: turns an instant on the store's clock into one on ours.
            hold: is told what is under way.
            keep_alive: asks the store, now and then, for a number that only grows, unless what the
                store holds is lost; the answer is `Elsewhere` where the docket has moved away. The
                connection is asked for a sign of life as well. `None` asks neither.
        """
        self._dial = dial
        self._bell = prefix + b"bell"
        self._watchers = prefix + b"watchers"
        self._of_key = prefix + b"w:"
        self._arm = arm
        self._here = here
        self._hold = hold
        self._keep_alive = keep_alive
        self._listeners: list[Listener] = []
        self._watching: dict[bytes, list[Watching]] = {}
        self._asked: set[bytes] = set()
        self._confirmed: set[bytes] = set()
        self._connection: Connection | None = None
        self._working: asyncio.Task[None] | None = None
        self._arming: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[str] | None = None
        self._pongs: list[asyncio.Future[None]] = []
        self._settled: asyncio.Event = asyncio.Event()
        self._away = False
        self._alive = False
        self._last_number = 0
        self.pending = False

    # Who wants to know.

    @contextmanager
    def listen(self, listener: Listener) -> Generator[None]:
        """Tell `listener` what happens, until the context is left."""
        self._listeners.append(listener)
        self._want()
        try:
            yield
        finally:
            self._listeners = [one for one in self._listeners if one is not listener]

    @contextmanager
    def watch(self, key: str) -> Generator[Watching]:
        """Collect the changes of a key, until the context is left."""
        channel = self._of_key + encoded(key)
        watching = Watching()
        self._watching.setdefault(channel, []).append(watching)
        self._want()
        try:
            yield watching
        finally:
            self._watching[channel] = [
                one for one in self._watching[channel] if one is not watching
            ]
            if not self._watching[channel]:
                del self._watching[channel]
            self._want()

    async def ready(self) -> None:
        """Wait until everybody who wants to know is told, or it shows that the store is away."""
        over = self._hold("a subscription at Redis")
        try:
            while self.pending and not self._away:
                await self._settled.wait()
        finally:
            over()

    async def caught_up(self) -> None:
        """Wait until all that has been told before has arrived here."""
        if self._connection is None or self._away:
            return
        pong: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pongs.append(pong)
        over = self._hold("notices from Redis")
        try:
            self._send("PING")
            await pong
        finally:
            over()

    async def close(self) -> None:
        """Hang up."""
        for task in (self._arming, self._working):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        self._working = self._arming = None

    # The connection.

    def _want(self) -> None:
        """Begin to tell those who were added, and stop telling those who have left."""
        if self._working is None:
            self.pending = True
            self._settled.clear()
            self._working = begin(self._work(), "notices")
        elif self._connection is not None and self._wanted() != self._asked:
            self.pending = True
            self._settled.clear()
            self._ask()

    def _wanted(self) -> set[bytes]:
        wanted = set(self._watching)
        if wanted:
            wanted.add(self._watchers)
        if self._listeners:
            wanted.add(self._bell)
        return wanted

    async def _work(self) -> None:
        """Keep a connection, and hand on what comes in."""
        again = False
        waits = pauses(_LONGEST_PAUSE)
        loop = asyncio.get_running_loop()
        while True:
            begun = math.inf
            try:
                self._connection = await self._dial()
                begun = loop.time()
                self._away, self.pending = False, True
                self._settled.clear()
                self._asked, self._confirmed = set(), set()
                why = await self._hear(self._connection, again=again)
            except (RedisError, OSError, StoreUnavailable) as error:
                why = str(error)
            finally:
                self._drop()
            _logger.warning("no notices from the store, dialling again: %s", why)
            again = True
            if loop.time() - begun > _LONGEST_PAUSE.total_seconds():
                waits = pauses(_LONGEST_PAUSE)  # it was here, and may be back soon
            await asyncio.sleep(next(waits).total_seconds())

    async def _hear(self, connection: Connection, *, again: bool) -> str:
        """Hear what comes in until nothing more will, and return why."""
        self._gone = gone = asyncio.get_running_loop().create_future()
        connection.hear(self._take, self._end)
        self._ask()
        if again:
            await self._tell_all_to_look()
        ask = self._keep_alive
        timer = begin(self._look_for_life(ask), "signs of life") if ask is not None else None
        try:
            why: str = await gone
        finally:
            if timer is not None:
                timer.cancel()
        return why

    def _end(self, why: str) -> None:
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(why)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        self._away = True
        self._settled.set()
        for pong in self._pongs:
            if not pong.done():
                pong.set_result(None)
        self._pongs.clear()
        if connection is not None:
            connection.hang_up()

    async def _tell_all_to_look(self) -> None:
        await self._arm()
        for listener in self._listeners:
            listener.work_due(LOOK_AGAIN)
        for watching in self._watching.values():
            for one in watching:
                one.put(None)

    def _ask(self) -> None:
        """Subscribe to what is wanted, and to nothing else."""
        while (wanted := self._wanted()) != self._asked:
            new, old = sorted(wanted - self._asked), sorted(self._asked - wanted)
            self._asked = wanted
            if new:
                self._send("SUBSCRIBE", *new)
            if old:
                self._send("UNSUBSCRIBE", *old)
        self._see_whether_settled()

    def _send(self, *command: Any) -> None:
        if self._connection is not None:
            try:
                self._connection.write([command])
            except (RedisError, OSError) as error:
                self._end(str(error))

    async def _look_for_life(self, ask: Callable[[], Awaitable[int]]) -> None:
        while True:
            self._alive = False
            self._send("PING")
            await self._look_for_the_docket(ask)
            await asyncio.sleep(_PING)
            if not self._alive:
                self._end(f"it has given no sign of life for {_PING:g} s")

    async def _look_for_the_docket(self, ask: Callable[[], Awaitable[int]]) -> None:
        """Find out whether this connection leads to where the docket has lived before.

        If not, it would go on, and be told nothing: whoever only waits would do so for ever. Nor
        does a server tell that somebody has emptied it.
        """
        try:
            before, self._last_number = self._last_number, await ask()
            if self._last_number < before:
                _logger.warning("the store has lost what it held of the docket")
                await self._tell_all_to_look()
        except Elsewhere:
            self._end("the docket lives elsewhere by now")
        except StoreUnavailable:
            pass  # it is away: then this connection will show it, too

    def _take(self, message: Any) -> None:
        self._alive = True
        if isinstance(message, RedisError):
            self._end(str(message))
        else:  # a PONG is no list while nothing is subscribed to
            self._hear_of([message] if isinstance(message, bytes) else message)

    def _hear_of(self, message: list[Any]) -> None:
        kind = bytes(message[0]).lower()
        if kind == b"message":
            try:
                self._hand_on(message[1], message[2])
            except ValueError:  # anybody can publish anything
                _logger.warning("ignored what is no notice: %r", bytes(message[2][:100]))
        elif kind == b"subscribe":
            if message[1] == self._bell:
                self._arming = begin(self._arm_bell(), "arm")
            else:
                self._confirm(message[1])
        elif kind == b"unsubscribe":
            self._confirmed.discard(message[1])
            self._see_whether_settled()
        elif kind == b"pong" and self._pongs:
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(None)

    async def _arm_bell(self) -> None:
        """Have the store tell of whatever comes next, now that it will be heard."""
        try:
            await self._arm()
        except StoreUnavailable as error:
            self._end(str(error))
        else:
            self._confirm(self._bell)

    def _confirm(self, channel: bytes) -> None:
        self._confirmed.add(channel)
        self._see_whether_settled()

    def _see_whether_settled(self) -> None:
        self.pending = not self._wanted() <= self._confirmed
        if not self.pending:
            self._settled.set()

    def _hand_on(self, channel: bytes, notice: bytes) -> None:
        if channel != self._bell:
            for watching in self._watching.get(channel, ()):
                watching.put(unpacked(notice))
            return
        kind, said = notice[:1], notice[1:]
        for listener in self._listeners:
            if kind == b"w":
                when, _, but_not = said.partition(b" ")
                if not but_not or decoded(but_not) != listener.worker:
                    listener.work_due(self._here(instant(when)))
            elif kind == b"c":
                listener.cancel_requested(decoded(said))
            else:
                listener.drained()
