"""Connections on which a server that does not read makes nobody wait.

redis-py waits until what was written has left, and a connection that was hung up lingers until
then: for ever, when the other side has stopped reading. Here, whoever asks waits for the answer
alone, and no longer than an answer may take.
"""

from typing import Any, cast

from redis.asyncio.connection import AbstractConnection

_NEVER_FULL = 2**30  # bytes; some loops take no more than a C int


class _Unhindered(AbstractConnection):
    async def _connect(self) -> None:
        await cast("Any", super())._connect()
        assert self._writer is not None, "it is connected"
        self._writer.transport.set_write_buffer_limits(high=_NEVER_FULL)

    async def disconnect(self, nowait: bool = False, *args: Any, **options: Any) -> None:
        if nowait and self._writer is not None:
            self._writer.transport.abort()
        await super().disconnect(nowait, *args, **options)


def unhindered(make: type[Any]) -> type[Any]:
    """A class of redis-py's connections, with that changed."""
    return type(make.__name__, (_Unhindered, make), {})
