"""Connections to fakeredis: a server within this process, which runs the same scripts."""

from typing import Any

from fakeredis import FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection

from docket_sim.store.redis.dialling import PATIENCE, Address


def fake_address(server: FakeServer | None = None) -> Address:
    """A place on `server`, or on a fresh one."""
    here = server or FakeServer(version=(7,))

    async def dial() -> Any:
        connection: Any = FakeAsyncRedisConnection(server=here, protocol=2)
        await connection.connect()
        return connection

    return Address(dial, PATIENCE)
