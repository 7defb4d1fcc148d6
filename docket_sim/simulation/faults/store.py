"""`FaultyStore`: a store whose every call passes the court. It decides nothing itself."""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import shifted
from docket_sim.execution import Record, Reschedule, Settlement, TaskCall
from docket_sim.simulation.faults.calls import StoreCall, Verb
from docket_sim.simulation.faults.court import Court
from docket_sim.simulation.faults.hosts import present_host, present_skew
from docket_sim.simulation.faults.troubles import Troubles
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


class FaultyStore:
    """A store whose calls may fail, be late, or be the last thing that their worker does.

    What is due is decided by the store's own clock, as on a server: the caller's `now` is not
    passed on. Instants in answers are put on the caller's clock, and those of what follows an
    attempt on the store's, as `RedisStore` does.
    """

    def __init__(self, store: Store, court: Court, clock: VirtualClock) -> None:
        """
        Args:
            store: where the calls go.
            court: what lets them pass.
            clock: the virtual time.
        """
        self._store = store
        self._court = court
        self._clock = clock

    def _call(self, verb: Verb, **about: Any) -> StoreCall:
        return StoreCall(verb, present_host(), self._clock.microseconds, **about)

    async def open(self) -> None:
        """As the store."""
        await self._store.open()

    async def close(self) -> None:
        """As the store."""
        await self._store.close()

    async def submit(self, call: TaskCall, *, now: datetime, replace: bool = False) -> Submitted:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("submit", calls=(call,), replace=replace),
            lambda now: self._store.submit(call, now=now, replace=replace),
        )

    async def submit_many(
        self, calls: Sequence[TaskCall], *, now: datetime, replace: bool = False
    ) -> Sequence[Submitted]:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("submit_many", calls=calls, replace=replace),
            lambda now: self._store.submit_many(calls, now=now, replace=replace),
        )

    async def claim(self, worker: str, *, limit: int, lease: timedelta, now: datetime) -> Claimed:
        """As the store, unless a fault happens."""
        self._court.troubles.note_lease(lease)
        claimed = await self._court.hear(
            self._call("claim", limit=limit, lease=lease),
            lambda now: self._store.claim(worker, limit=limit, lease=lease, now=now),
        )
        skew = present_skew()
        return _on_the_callers_clock(claimed, skew) if skew else claimed

    async def renew(self, claims: Sequence[Claim], *, lease: timedelta, now: datetime) -> Renewal:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("renew", claims=claims, lease=lease),
            lambda now: self._store.renew(claims, lease=lease, now=now),
        )

    async def settle(self, claim: Claim, settlement: Settlement, *, now: datetime) -> Settled:
        """As the store, unless a fault happens."""
        skew = present_skew()
        if skew and isinstance(settlement, Reschedule):
            settlement = replace(settlement, when=shifted(settlement.when, -skew))
        return await self._court.hear(
            self._call("settle", claims=(claim,), settlement=settlement),
            lambda now: self._store.settle(claim, settlement, now=now),
        )

    async def cancel(self, key: str, *, now: datetime) -> Record | None:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("cancel", key=key), lambda now: self._store.cancel(key, now=now)
        )

    async def get(self, key: str, *, now: datetime) -> Record | None:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("get", key=key), lambda now: self._store.get(key, now=now)
        )

    def watch(self, key: str, *, now: datetime) -> AsyncGenerator[Record | None, None]:
        """As the store."""
        return self._store.watch(key, now=now)

    async def snapshot(self, *, now: datetime) -> StoreSnapshot:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("snapshot"), lambda now: self._store.snapshot(now=now)
        )

    async def clear(self, *, now: datetime, limit: int = 1_000) -> Sequence[Record]:
        """As the store, unless a fault happens."""
        return await self._court.hear(
            self._call("clear"), lambda now: self._store.clear(now=now, limit=limit)
        )

    @contextmanager
    def listen(self, listener: Listener) -> Generator[None]:
        """As the store; who is cut off is told nothing."""
        line = _Line(listener, self._court.troubles)
        self._court.troubles.lines.append(line)
        try:
            with self._store.listen(line):
                yield
        finally:
            self._court.troubles.lines.remove(line)


def _on_the_callers_clock(claimed: Claimed, skew: timedelta) -> Claimed:
    return Claimed(
        [replace(claim, claimed_at=shifted(claim.claimed_at, skew)) for claim in claimed.claims],
        None if claimed.next_due is None else shifted(claimed.next_due, skew),
        None if claimed.next_expiry is None else shifted(claimed.next_expiry, skew),
        claimed.outstanding,
    )


class _Line:
    """Tells a listener what the store tells, while the line to it holds."""

    def __init__(self, listener: Listener, troubles: Troubles) -> None:
        self.worker = listener.worker
        self._listener = listener
        self._troubles = troubles

    def work_due(self, when: datetime) -> None:
        if self._troubles.reachable(self.worker):
            self._listener.work_due(shifted(when, self._troubles.skew_of(self.worker)))

    def cancel_requested(self, key: str) -> None:
        if self._troubles.reachable(self.worker):
            self._listener.cancel_requested(key)

    def drained(self) -> None:
        if self._troubles.reachable(self.worker):
            self._listener.drained()
