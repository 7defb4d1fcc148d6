"""A store with a turnstile: a simulation's own workers claim only when they are let through."""

import dataclasses
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from docket_sim.execution import Record, Settlement, TaskCall
from docket_sim.store import (
    Claim,
    Claimed,
    Listener,
    Renewal,
    Settled,
    Store,
    StoreSnapshot,
    Submitted,
)


class Turnstile:
    """A store that lets some workers claim only while it is open; all else passes.

    Attributes:
        gated: the names of those workers.
    """

    def __init__(self, store: Store) -> None:
        self.gated: set[str] = set()
        self._store = store
        self._tickets: int | None = 0
        self._opening = 0
        self._open = False
        self._gates: list[_Gate] = []

    def let_through(self, now: datetime, tickets: int | None = None) -> None:
        """Let the gated workers claim: `tickets` calls, or any number."""
        self._opening += 1
        self._open = True
        self._tickets = tickets
        for gate in self._gates:
            gate.work_due(now)

    def give_back(self, tickets: int, now: datetime) -> None:
        """Let as many more be claimed: what was claimed for these will have to be claimed again."""
        if self._open and self._tickets is not None and tickets:
            self._tickets += tickets
            for gate in self._gates:
                gate.work_due(now)

    def shut(self) -> None:
        """Let them claim nothing more."""
        self._opening += 1
        self._open = False
        self._tickets = 0

    @property
    def closed(self) -> bool:
        """Whether nothing can be claimed now."""
        return self._tickets == 0

    async def open(self) -> None:
        """As the store."""
        await self._store.open()

    async def close(self) -> None:
        """As the store."""
        await self._store.close()

    async def claim(self, worker: str, *, limit: int, lease: timedelta, now: datetime) -> Claimed:
        """Claim what the turnstile lets through."""
        if worker not in self.gated or self._tickets is None:
            return await self._store.claim(worker, limit=limit, lease=lease, now=now)
        opening, allowed = self._opening, min(limit, self._tickets)
        self._tickets -= allowed  # while the store is asked, they are spoken for
        claimed = await self._store.claim(worker, limit=allowed, lease=lease, now=now)
        opened_meanwhile = self._opening != opening  # then it was told to look again
        if not opened_meanwhile:
            self._tickets += allowed - len(claimed.claims)
        if self.closed or opened_meanwhile:
            return dataclasses.replace(claimed, next_due=None, next_expiry=None)
        return claimed

    async def outstanding(self, now: datetime) -> Claimed:
        """How much is outstanding, without claiming any of it."""
        return await self._store.claim("", limit=0, lease=timedelta(0), now=now)

    async def submit(self, call: TaskCall, *, now: datetime, replace: bool = False) -> Submitted:
        """As the store."""
        return await self._store.submit(call, now=now, replace=replace)

    async def submit_many(
        self, calls: Sequence[TaskCall], *, now: datetime, replace: bool = False
    ) -> Sequence[Submitted]:
        """As the store."""
        return await self._store.submit_many(calls, now=now, replace=replace)

    async def renew(self, claims: Sequence[Claim], *, lease: timedelta, now: datetime) -> Renewal:
        """As the store."""
        return await self._store.renew(claims, lease=lease, now=now)

    async def settle(self, claim: Claim, settlement: Settlement, *, now: datetime) -> Settled:
        """As the store."""
        return await self._store.settle(claim, settlement, now=now)

    async def cancel(self, key: str, *, now: datetime) -> Record | None:
        """As the store."""
        return await self._store.cancel(key, now=now)

    async def get(self, key: str, *, now: datetime) -> Record | None:
        """As the store."""
        return await self._store.get(key, now=now)

    def watch(self, key: str, *, now: datetime) -> AsyncGenerator[Record | None, None]:
        """As the store."""
        return self._store.watch(key, now=now)

    async def snapshot(self, *, now: datetime) -> StoreSnapshot:
        """As the store."""
        return await self._store.snapshot(now=now)

    async def clear(self, *, now: datetime, limit: int = 1_000) -> Sequence[Record]:
        """As the store."""
        return await self._store.clear(now=now, limit=limit)

    @contextmanager
    def listen(self, listener: Listener) -> Generator[None]:
        """As the store; a gated worker is not told of work that it could not claim."""
        if listener.worker not in self.gated:
            with self._store.listen(listener):
                yield
            return
        gate = _Gate(listener, lambda: self.closed)
        self._gates.append(gate)
        try:
            with self._store.listen(gate):
                yield
        finally:
            self._gates.remove(gate)


class _Gate:
    """A listener that does not hear of work while the turnstile is closed."""

    def __init__(self, listener: Listener, closed: Callable[[], bool]) -> None:
        self.worker = listener.worker
        self._listener = listener
        self._closed = closed

    def work_due(self, when: datetime) -> None:
        if not self._closed():
            self._listener.work_due(when)

    def cancel_requested(self, key: str) -> None:
        self._listener.cancel_requested(key)

    def drained(self) -> None:
        self._listener.drained()
