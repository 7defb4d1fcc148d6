"""Connections on which nobody waits for more than an answer.

What is asked is written at once, and an answer is heard in the turn of the loop in which it comes.
redis-py hands it on a turn later, and waits until what was written has left; a connection that was
hung up lingers until then: for ever, when the other side has stopped reading.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, cast

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, RedisError, ResponseError

_NOT_ENOUGH = object()
_pack: Callable[[tuple[Any, ...]], bytes] = cast("Any", hiredis).pack_command


def packed(commands: Iterable[tuple[Any, ...]]) -> bytes:
    """Commands as they are sent."""
    return b"".join(map(_pack, commands))


class _Unhindered(AbstractConnection):
    _ears: "_Ears | None" = None

    def hear(self, take: Callable[[Any], None], gone: Callable[[str], None]) -> None:
        assert self._writer is not None, "it is connected"

        def ended(why: str) -> None:
            self.hang_up()
            gone(why)

        self._ears = _Ears(cast("Any", self._parser).parse_error, take, ended)
        self._ears.transport = self._writer.transport
        self._writer.transport.set_protocol(self._ears)

    def write(self, commands: Iterable[tuple[Any, ...]]) -> None:
        assert self._ears is not None, "answers are heard"
        self._ears.transport.write(packed(commands))

    def hang_up(self) -> None:
        if self._ears is not None:
            self._ears.over = True
        if self._writer is not None:
            self._writer.transport.abort()
            cast("Any", self)._close()

    async def disconnect(self, nowait: bool = False, *args: Any, **options: Any) -> None:
        if nowait and self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(nowait, *args, **options)


class _Ears(asyncio.Protocol):
    """Puts answers together from what arrives, and hands them on.

    Attributes:
        transport: where it arrives.
        over: whether nobody wants to hear more.
    """

    transport: asyncio.WriteTransport

    def __init__(
        self,
        error_of: Callable[[str], Exception],
        take: Callable[[Any], None],
        gone: Callable[[str], None],
    ) -> None:
        self._answers = hiredis.Reader(
            protocolError=InvalidResponse, replyError=error_of, notEnoughData=_NOT_ENOUGH
        )
        self._take = take
        self._gone = gone
        self.over = False

    def data_received(self, data: bytes) -> None:
        try:
            self._answers.feed(data)
            while not self.over and (answer := self._answers.gets()) is not _NOT_ENOUGH:
                if isinstance(answer, RedisError) and not isinstance(answer, ResponseError):
                    raise answer  # it is loading its data, or wants a password
                self._take(answer)
        except RedisError as error:
            self._end(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(str(exc or "it has hung up"))

    def _end(self, why: str) -> None:
        if not self.over:
            self._gone(why)


def unhindered(make: type[Any]) -> type[Any]:
    """A class of redis-py's connections, with that changed."""
    return type(make.__name__, (_Unhindered, make), {})
