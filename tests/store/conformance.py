"""What the conformance suite is run against, and the desk that its tests sit at.

A store joins the suite by adding its factory to `STORES`. The tests see the `Store` protocol only.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from servers import Binary, find_binaries, shared_server

from docket_sim.execution import (
    ExecutionState,
    Finish,
    Reason,
    Record,
    Reschedule,
    Settlement,
    TaskCall,
)
from docket_sim.simulation.backend import hold_virtual_time
from docket_sim.store import Claim, Claimed, MemoryStore, Settled, Store, Submitted
from docket_sim.store.redis import Address, RedisStore, address_of
from docket_sim.store.redis.fake import fake_address

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=10)
TTL = timedelta(minutes=15)

COMPLETED = Finish(ExecutionState.COMPLETED, result=b"1")
FAILED = Finish(ExecutionState.FAILED, error=b"boom")

StoreFactory = Callable[[timedelta], Store]
"""Makes an empty store, given its `execution_ttl`."""


def _on(address: Address, execution_ttl: timedelta) -> Store:
    """A store on a server; each has keys of its own, which go when it is closed."""
    return RedisStore(
        address,
        f"desk-{uuid.uuid4()}",
        execution_ttl=execution_ttl,
        servers_clock=False,
        hold=hold_virtual_time,
        scratch=True,
    )


def _on_server(binary: Binary) -> StoreFactory:
    return lambda execution_ttl: _on(address_of(shared_server(binary).url, "a key"), execution_ttl)


STORES: dict[str, StoreFactory] = {
    "memory": lambda execution_ttl: MemoryStore(execution_ttl=execution_ttl),
    "fakeredis": lambda execution_ttl: _on(fake_address(), execution_ttl),
    **{str(binary): _on_server(binary) for binary in find_binaries()},
}


def seconds(count: float) -> timedelta:
    """A duration."""
    return timedelta(seconds=count)


class Desk:
    """A store and the hands of a watch: the verbs in short, each at the time that the watch shows.

    Attributes:
        store: the store under test.
        now: the time, moved by `pass_time` alone.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = NOON

    def pass_time(self, count: float) -> None:
        """Let so many seconds pass."""
        self.now += seconds(count)

    def call(self, key: str = "a", *, after: float = 0, **fields: object) -> TaskCall:
        """A call that is due `after` so many seconds."""
        given: dict[str, object] = {"task": "charge", "arguments": b"{}", **fields}
        return TaskCall(key=key, when=self.now + seconds(after), **given)

    async def submit(
        self, key: str = "a", *, after: float = 0, replace: bool = False, **fields: object
    ) -> Submitted:
        """Schedule a call."""
        call = self.call(key, after=after, **fields)
        return await self.store.submit(call, now=self.now, replace=replace)

    async def claim(
        self, worker: str = "ann", *, limit: int = 100, lease: timedelta = LEASE
    ) -> Claimed:
        """Claim what is due."""
        return await self.store.claim(worker, limit=limit, lease=lease, now=self.now)

    async def claim_one(self, worker: str = "ann") -> Claim:
        """Claim the one call that is due."""
        [claim] = (await self.claim(worker)).claims
        return claim

    async def keys_claimed(self, worker: str = "ann", *, limit: int = 100) -> list[str]:
        """Claim, and tell the keys in order."""
        return [claim.call.key for claim in (await self.claim(worker, limit=limit)).claims]

    async def settle(self, claim: Claim, settlement: Settlement = COMPLETED) -> Settled:
        """Settle a claim."""
        return await self.store.settle(claim, settlement, now=self.now)

    async def retry(self, claim: Claim, *, after: float = 0) -> Settled:
        """Settle a claim so that its next attempt is due `after` so many seconds."""
        return await self.settle(claim, self.again(claim, Reason.RETRY, after=after))

    def again(self, claim: Claim, reason: Reason, *, after: float = 0) -> Reschedule:
        """A settlement after which the execution goes on."""
        step = 1 if reason is Reason.RETRY else 0
        return Reschedule(self.now + seconds(after), claim.call.attempt + step, reason)

    async def cancel(self, key: str = "a") -> Record | None:
        """Cancel a key."""
        return await self.store.cancel(key, now=self.now)

    async def get(self, key: str = "a") -> Record | None:
        """What is known of a key."""
        return await self.store.get(key, now=self.now)

    async def state(self, key: str = "a") -> ExecutionState | None:
        """Where a key stands; `None` when nothing is known of it."""
        record = await self.get(key)
        return None if record is None else record.state

    async def outstanding(self) -> int:
        """How many executions have not ended, found out without claiming any."""
        return (await self.claim("nobody", limit=0)).outstanding


@dataclass
class Ear:
    """A listener that remembers what it was told."""

    worker: str = ""
    due: list[datetime] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    drains: int = 0

    def work_due(self, when: datetime) -> None:
        self.due.append(when)

    def cancel_requested(self, key: str) -> None:
        self.cancelled.append(key)

    def drained(self) -> None:
        self.drains += 1
