"""A server whose memory is full refuses, and nothing of the docket is taken for damaged."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from servers import RedisServer

from docket_sim import StoreUnavailable
from docket_sim.execution import TaskCall
from docket_sim.store.redis import RedisStore, address_of, prefix_of

LEASE = timedelta(seconds=5)


def test_fences_go_on_after_the_server_was_full():
    """A refusal for want of memory is no damage: the counter stays, and no fence is used twice."""

    async def main(server):
        store = RedisStore(address_of(server.url, prefix_of("full")), "full")
        client = server.client()
        await store.open()
        now = datetime.now(UTC)
        await store.submit(TaskCall("a", "charge", b"{}", now), now=now)
        [claim] = (await store.claim("ann", limit=5, lease=LEASE, now=now)).claims
        before = client.hgetall("docket-sim:{full}:meta")
        client.config_set("maxmemory", 1)
        with pytest.raises(StoreUnavailable, match=r"OOM|maxmemory"):
            await store.submit(TaskCall("b", "charge", b"{}", now), now=now)
        client.config_set("maxmemory", 0)
        assert client.hgetall("docket-sim:{full}:meta") == before
        await store.submit(TaskCall("c", "charge", b"{}", now), now=now)
        [later] = (await store.claim("bob", limit=5, lease=LEASE, now=now)).claims
        assert later.fence > claim.fence
        assert client.keys("*aside*") == []
        await store.close()

    with RedisServer() as server:
        asyncio.run(asyncio.wait_for(main(server), 20))
