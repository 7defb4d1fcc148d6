"""One connection to a Redis server, on which many requests are under way at once.

redis-py dials, writes and parses; here requests and answers are matched. Nothing is ever sent
again: whether a request whose answer was lost was carried out, only its sender can find out.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from redis.exceptions import (
    AskError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoScriptError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from docket_sim.errors import StoreUnavailable
from docket_sim.store.base import begin
from docket_sim.store.redis.scripts import Script

_MOVES = "the docket's slot is at another node of the cluster, or on its way there"
_ELSEWHERE: dict[type[ResponseError], str] = {
    AskError: _MOVES,
    ClusterDownError: "the cluster is down, or serves no slots that have no master",
    MasterDownError: "the server is a replica that has lost its master",
    MovedError: _MOVES,
    ReadOnlyError: "the server is a replica by now, and takes no writes",
    TryAgainError: _MOVES,
}
"""Answers by which a server says that another one serves this now: where, is asked anew."""


class Elsewhere(StoreUnavailable):
    """Another server has to be asked from now on; this one has done nothing."""


class WrittenOver(StoreUnavailable):
    """A foreign hand has put something of another type in place of what the docket keeps."""


class Connection(Protocol):
    """What is used of redis-py's connections."""

    async def disconnect(self, nowait: bool = ...) -> None: ...
    def pack_command(self, *args: Any) -> list[bytes]: ...
    async def send_packed_command(self, command: Any, check_health: bool = ...) -> None: ...
    async def read_response(self, disable_decoding: bool = ..., **options: Any) -> Any: ...


Dial = Callable[[], Awaitable[Connection]]
"""Opens a connection that is ready for commands; raises RedisError or OSError when it cannot."""


Hold = Callable[[str], Callable[[], None]]
"""Is told that something is under way at the server; what it returns is called when it is over."""


def holds_nothing(_: str) -> Callable[[], None]:
    """The `Hold` of who need not know: real time passes by itself."""
    return _nothing


def _nothing() -> None: ...


class Line:
    """A connection that is dialled when it is needed, and again after it was lost."""

    def __init__(self, dial: Dial, *, patience: float, hold: Hold = holds_nothing) -> None:
        """
        Args:
            dial: opens a connection.
            patience: how many seconds an answer may take before the connection counts as lost.
            hold: is told what is under way.
        """
        self._dial = dial
        self._hold = hold
        self._patience = patience
        self._connection: Connection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._awaited: deque[_Exchange] = deque()
        self._watchdog: asyncio.TimerHandle | None = None
        self._answered = 0
        self._why = ""

    async def open(self) -> None:
        """Dial, if need be.

        Raises:
            StoreUnavailable: nobody answers.
        """
        if self._connection is not None:
            return
        if self._dialling is None:
            self._dialling = begin(self._connect(), "dial")
        try:
            await asyncio.shield(self._dialling)
        except (RedisError, OSError) as error:
            raise StoreUnavailable(f"the store cannot be reached: {error}") from error

    async def close(self) -> None:
        """Hang up; what is under way fails."""
        self._why = "the connection was closed"
        for task in (self._dialling, self._reader):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    async def run(self, script: Script, prefix: bytes, *arguments: Any) -> Any:
        """Run a script, which is sent to a server that does not know it yet.

        Raises:
            StoreUnavailable: no answer, so that whether it ran is unknown; or a refusal.
        """
        try:
            return await self.ask("EVALSHA", script.sha, 1, prefix, *arguments)
        except NoScriptError:  # it did not run, so it may be sent again
            return await self.ask("EVAL", script.source, 1, prefix, *arguments)

    async def ask(self, *command: Any) -> Any:
        """Send one command, and return the answer.

        Raises:
            StoreUnavailable: no answer, so that whether it was done is unknown; or a refusal.
            NoScriptError: it was for a script that the server does not know.
        """
        [answer] = await self.ask_all([command])
        return answer

    async def ask_all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send some commands together, and return the answers.

        Raises: as `ask`.
        """
        if self._connection is None:
            await self.open()
        connection = self._connection
        if connection is None:
            raise StoreUnavailable("the store hung up at once")
        packed: list[bytes] = []
        for command in commands:
            packed.extend(connection.pack_command(*command))
        loop = asyncio.get_running_loop()
        exchange = _Exchange(len(commands), loop.create_future(), self._hold("a request to Redis"))
        self._awaited.append(exchange)
        if self._watchdog is None:
            self._watch(loop)
        try:
            await connection.send_packed_command(packed, check_health=False)
        except (RedisError, OSError) as error:
            self._hang_up(f"the store went away: {error}")
        return _without_refusals(await exchange.done)

    async def _connect(self) -> None:
        over = self._hold("a connection to Redis")
        try:
            self._connection = connection = await self._dial()
        finally:
            self._dialling = None
            over()
        self._why = "the store hung up"
        self._reader = begin(self._read(connection), "answers")

    async def _read(self, connection: Connection) -> None:
        """Hand each answer to who waits for it, in the order of the requests."""
        try:
            while True:
                try:
                    answer = await connection.read_response(disable_decoding=True)
                except ResponseError as error:
                    answer = error
                self._take(answer)
                if type(answer) in _ELSEWHERE:
                    self._why = _ELSEWHERE[type(answer)]
                    return
        except (RedisError, OSError) as error:
            self._why = f"the store went away: {error}"
        finally:
            self._connection = self._reader = None
            self._fail()
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    def _take(self, answer: Any) -> None:
        self._answered += 1
        if self._awaited and self._awaited[0].take(answer):
            self._awaited.popleft()
            if not self._awaited and self._watchdog is not None:
                self._watchdog.cancel()
                self._watchdog = None

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Look later whether answers still come."""
        self._watchdog = loop.call_later(self._patience, self._look, self._answered)

    def _look(self, answered_before: int) -> None:
        self._watchdog = None
        if self._answered == answered_before:
            self._hang_up(f"the store has not answered for {self._patience:g} s")
        else:
            self._watch(asyncio.get_running_loop())

    def _hang_up(self, why: str) -> None:
        self._why = why
        if self._reader is not None:
            self._reader.cancel()

    def _fail(self) -> None:
        """Tell all who wait for an answer that none will come."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        awaited, self._awaited = self._awaited, deque()
        for exchange in awaited:
            exchange.fail(StoreUnavailable(f"{self._why}; whether it was done is unknown"))


class _Exchange:
    """Commands that were sent together, and the answers as they come in."""

    __slots__ = ("_answers", "_expected", "_over", "done")

    def __init__(
        self, expected: int, done: "asyncio.Future[list[Any]]", over: Callable[[], None]
    ) -> None:
        self.done = done
        self._expected = expected
        self._over = over
        self._answers: list[Any] = []

    def take(self, answer: Any) -> bool:
        """Add an answer, and say whether it was the last."""
        self._answers.append(answer)
        if len(self._answers) < self._expected:
            return False
        self._over()
        if not self.done.done():  # otherwise nobody waits any more
            self.done.set_result(self._answers)
        return True

    def fail(self, error: StoreUnavailable) -> None:
        """No more answers will come."""
        self._over()
        if not self.done.done():
            self.done.set_exception(error)


def _without_refusals(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, NoScriptError):
            raise answer
        if type(answer) in _ELSEWHERE:
            why = _ELSEWHERE[type(answer)]
            raise Elsewhere(f"{why}: it was not done; asked again, it will be found") from answer
        if isinstance(answer, ResponseError) and str(answer).startswith("WRONGTYPE "):
            raise WrittenOver(f"the store refuses: {answer}") from answer
        if isinstance(answer, ResponseError):
            raise StoreUnavailable(f"the store refuses: {answer}") from answer
    return answers
