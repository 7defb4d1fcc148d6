"""The store in this process: the executable specification of what a store does.

Plain and deterministic, it keeps encoded bytes, as a server would. What the verbs do stands in
`ledger`; here each gives up the loop once, as a call over a network would, and is atomic.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from docket_sim.execution import Record, Settlement, TaskCall
from docket_sim.store.base import (
    Claim,
    Claimed,
    Listener,
    Renewal,
    Settled,
    StoreSnapshot,
    Submitted,
)
from docket_sim.store.ledger import Ledger


class MemoryStore:
    """The calls of one docket, in this process.

    May be used from several event loops and threads at once.

    Attributes:
        execution_ttl: how long the record of an ended execution is kept.
        yields: whether each verb gives up the loop once.
    """

    def __init__(
        self, *, execution_ttl: timedelta = timedelta(minutes=15), yields: bool = True
    ) -> None:
        """
        Args:
            execution_ttl: how long the record of an ended execution is kept; zero keeps none.
            yields: whether each verb gives up the loop once, as a call over a network would; a
                simulation does that itself, on the way to the store.
        """
        self.yields = yields
        self.execution_ttl = execution_ttl
        self._ledger = Ledger(execution_ttl)
        self._lock = threading.RLock()  # the collector may close a forgotten listener at any time

    def count(self) -> int:
        """How many keys are known."""
        return len(self._ledger)

    def peek(self, key: str) -> Record | None:
        """What is known of `key`, whatever the time."""
        with self._lock:
            return self._ledger.peek(key)

    def left_behind(self) -> list[str]:
        """The keys that run, or wait for an attempt to end."""
        with self._lock:
            return self._ledger.left_behind()

    def kept_for_ever(self) -> list[str]:
        """The keys whose records are never forgotten, though their time is limited."""
        with self._lock:
            return self._ledger.kept_for_ever()

    def leased(self) -> dict[int, str]:
        """The keys that somebody holds, by the fence of the claim."""
        with self._lock:
            return self._ledger.leased()

    def inconsistencies(self) -> list[str]:
        """Where the indexes do not agree with what is kept, in words; nothing ever should be."""
        with self._lock:
            return self._ledger.inconsistencies()

    def outstanding(self) -> dict[str, int]:
        """The generation of each key whose execution has not ended."""
        with self._lock:
            return self._ledger.outstanding()

    def checkpoint(self) -> tuple[Any, ...]:
        """All that is kept, as a value to be put back by `restore`, any number of times."""
        with self._lock:
            return self._ledger.checkpoint()

    def restore(self, checkpoint: tuple[Any, ...]) -> None:
        """Forget all that was done since `checkpoint`, as a server that had not written it down."""
        with self._lock:
            self._ledger.restore(checkpoint)

    async def open(self) -> None:
        """Nothing to reach."""

    async def close(self) -> None:
        """Nothing to let go of: the store lives as long as someone refers to it."""

    async def submit(self, call: TaskCall, *, now: datetime, replace: bool = False) -> Submitted:
        """Schedule `call`."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.submit(call, now, replace=replace)

    async def submit_many(
        self, calls: Sequence[TaskCall], *, now: datetime, replace: bool = False
    ) -> Sequence[Submitted]:
        """Schedule `calls`."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return [self._ledger.submit(call, now, replace=replace) for call in calls]

    async def claim(self, worker: str, *, limit: int, lease: timedelta, now: datetime) -> Claimed:
        """Claim up to `limit` calls that are due."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.claim(worker, limit, lease, now)

    async def renew(self, claims: Sequence[Claim], *, lease: timedelta, now: datetime) -> Renewal:
        """Extend the leases of `claims`."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.renew(claims, lease, now)

    async def settle(self, claim: Claim, settlement: Settlement, *, now: datetime) -> Settled:
        """End the claim and apply `settlement`, if the claim is still in force."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.settle(claim, settlement, now)

    async def cancel(self, key: str, *, now: datetime) -> Record | None:
        """Cancel the execution `key`, and return what it was before."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.cancel(key, now)

    async def get(self, key: str, *, now: datetime) -> Record | None:
        """What is known of `key`."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.get(key, now)

    async def watch(self, key: str, *, now: datetime) -> AsyncGenerator[Record | None, None]:
        """What is known of `key` now, and again at each change."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            changes = self._ledger.watchers.watch(key, self._ledger.get(key, now))
        try:
            while True:
                yield await changes.get()
        finally:
            with self._lock:
                self._ledger.watchers.unwatch(key, changes)

    @contextmanager
    def listen(self, listener: Listener) -> Generator[None]:
        """Tell `listener` what happens, until the context is left."""
        with self._lock:
            self._ledger.watchers.add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._ledger.watchers.remove(listener)

    async def snapshot(self, *, now: datetime) -> StoreSnapshot:
        """Everything in the docket at one moment."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.snapshot(now)

    async def clear(self, *, now: datetime, limit: int = 1_000) -> Sequence[Record]:
        """Cancel up to `limit` executions that wait, and return what they were."""
        if self.yields:
            await asyncio.sleep(0)
        with self._lock:
            return self._ledger.clear(now, limit)
