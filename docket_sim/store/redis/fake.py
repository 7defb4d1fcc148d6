"""Connections to fakeredis: a server within this process, which runs the same scripts."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from fakeredis import FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection
from redis.exceptions import RedisError, ResponseError

from docket_sim.store.base import begin
from docket_sim.store.redis.dialling import PATIENCE, Address
from docket_sim.store.redis.unhindered import packed


def fake_address(server: FakeServer | None = None) -> Address:
    """A place on `server`, or on a fresh one."""
    here = server or FakeServer(version=(7,))

    async def dial() -> Any:
        connection: Any = _Connection(server=here, protocol=2)
        await connection.connect()
        return connection

    return Address(dial, PATIENCE)


class _Connection(FakeAsyncRedisConnection):
    _hearing: asyncio.Task[None] | None = None

    def hear(self, take: Callable[[Any], None], gone: Callable[[str], None]) -> None:
        self._hearing = begin(self._hear(take, gone), "answers")

    def write(self, commands: Iterable[tuple[Any, ...]]) -> None:
        if self._writer is not None:
            self._writer.writelines([packed(commands)])

    def hang_up(self) -> None:
        if self._hearing is not None:
            self._hearing.cancel()
        if self._writer is not None and self._sock is not None:
            self._writer.close()
            self._sock.close()  # the server knows each open one, and through it the loop of a world

    async def _hear(self, take: Callable[[Any], None], gone: Callable[[str], None]) -> None:
        try:
            while True:
                try:
                    answer = await self.read_response(disable_decoding=True)
                except ResponseError as error:
                    answer = error
                take(answer)
        except (RedisError, OSError) as error:
            gone(str(error))
