"""The ledger of a memory store: what each verb does, as plain code without waiting or locking.

It checks every change of state against `TRANSITIONS`, and takes the time from its callers alone.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from docket_sim.execution import (
    TRANSITIONS,
    Disposition,
    ExecutionState,
    Finish,
    Reason,
    Record,
    Reschedule,
    Settlement,
    TaskCall,
)
from docket_sim.store.base import Claim, Claimed, Renewal, Settled, StoreSnapshot, Submitted
from docket_sim.store.books import FOREVER, Books
from docket_sim.store.resends import REMEMBERED, Resend
from docket_sim.store.timetable import Entry, Timetable, later


class Ledger(Books):
    """The books of one docket, and who writes in them; its verbs are those of `Store`."""

    def submit(self, call: TaskCall, now: datetime, *, replace: bool) -> Submitted:
        """Schedule `call`."""
        self._forget(now)
        entry = self._entries.get(call.key)
        if entry is not None and not entry.state.finished and not replace:
            return Submitted(Disposition.ALREADY_SCHEDULED, entry.record(now))
        entry = self._accept(entry, call, now)
        return Submitted(Disposition.SCHEDULED, entry.record(now))

    def claim(self, worker: str, limit: int, lease: timedelta, now: datetime) -> Claimed:
        """Claim up to `limit` calls that are due."""
        self._forget(now)
        claims: list[Claim] = []
        self._end_expired(now)
        while len(claims) < limit and (entry := self._take_claimable(now)) is not None:
            claims.append(self._lease(entry, worker, lease, now))
        if claims:
            # The others learn when to look whether this worker is still alive.
            self.watchers.work_due(later(now, lease), but_not=worker)
        return Claimed(claims, self._due.first(), self._next_expiry(), self._outstanding)

    def renew(self, claims: Sequence[Claim], lease: timedelta, now: datetime) -> Renewal:
        """Extend the leases of `claims`."""
        lost: list[int] = []
        cancelled: list[int] = []
        for claim in claims:
            entry = self._held(claim)
            if entry is None:
                lost.append(claim.fence)
                continue
            self._leases_of(claim.worker).put(later(now, lease), entry)
            if entry.cancel_requested:
                cancelled.append(claim.fence)
        return Renewal(lost, cancelled)

    def settle(self, claim: Claim, settlement: Settlement, now: datetime) -> Settled:
        """End the claim and apply `settlement`, if the claim is still in force."""
        entry = self._held(claim)
        this = Resend.of(claim, settlement)
        if entry is None:
            return self._settled_before(claim.call.key, this, now)
        answer = self._settle(entry, claim, settlement, now)
        entry.answered.add(this, answer)
        if entry.state.finished and self._ttl < REMEMBERED:
            self._gone.add(this, answer, now)
        return answer

    def cancel(self, key: str, now: datetime) -> Record | None:
        """Cancel the execution `key`, and return what it was before."""
        self._forget(now)
        entry = self._entries.get(key)
        if entry is None:
            return None
        before = entry.record(now)
        if entry.state.finished:
            return before
        if entry.lease is not None:
            entry.cancel_requested = True
            self.watchers.cancel_requested(key)
        if entry.state is not ExecutionState.RUNNING:
            self._finish(entry, Finish(ExecutionState.CANCELLED), now)
        return before

    def get(self, key: str, now: datetime) -> Record | None:
        """What is known of `key`."""
        self._forget(now)
        entry = self._entries.get(key)
        return entry.record(now) if entry is not None else None

    def snapshot(self, now: datetime) -> StoreSnapshot:
        """Everything that is kept."""
        self._forget(now)
        records = [entry.record(now) for entry in self._entries.values()]
        records.sort(key=lambda record: record.call.when)
        return StoreSnapshot(now, records)

    def clear(self, now: datetime, limit: int) -> list[Record]:
        """Cancel up to `limit` executions that wait, and return what they were."""
        all_waiting = (
            entry
            for entry in self._entries.values()
            if not entry.state.finished and entry.state is not ExecutionState.RUNNING
        )
        waiting = list(islice(all_waiting, limit))
        records = [entry.record(now) for entry in waiting]
        for entry in waiting:
            self._finish(entry, Finish(ExecutionState.CANCELLED), now)
        return records

    # How it is done.

    def _accept(self, entry: Entry | None, call: TaskCall, now: datetime) -> Entry:
        generation = 1 if entry is None else entry.call.generation + 1
        if call.generation != generation:
            call = dataclasses.replace(call, generation=generation)
        if entry is None:
            entry = self._entries[call.key] = Entry(call, _waiting(call, now))
            self._outstanding += 1
        else:
            self._outstanding += entry.state.finished
            blocked = entry.lease is not None
            entry.begin(call, ExecutionState.BLOCKED if blocked else _waiting(call, now))
        if entry.state is not ExecutionState.BLOCKED:
            self._make_due(entry)
        self._changed(entry, now)
        return entry

    def _lease(self, entry: Entry, worker: str, lease: timedelta, now: datetime) -> Claim:
        if entry.state is ExecutionState.SCHEDULED:
            _move(entry, ExecutionState.QUEUED)
        _move(entry, ExecutionState.RUNNING)
        entry.delivery += 1
        entry.worker = worker
        entry.started_at = now
        entry.cancel_requested = False
        fence = next(self._fences)
        claim = Claim(entry.call, worker, fence, entry.delivery, now, entry.released_since)
        entry.lease = claim
        self._leases_of(worker).put(later(now, lease), entry)
        self._changed(entry, now)
        return claim

    def _held(self, claim: Claim) -> Entry | None:
        """The entry that `claim` is in force on."""
        entry = self._entries.get(claim.call.key)
        if entry is None or entry.lease is None or entry.lease.fence != claim.fence:
            return None
        return entry

    def _settle(self, entry: Entry, claim: Claim, settlement: Settlement, now: datetime) -> Settled:
        if claim.call.generation != entry.call.generation or entry.state.finished:
            self._end_superseded(entry, now)
            return Settled.SUPERSEDED
        if isinstance(settlement, Finish):
            self._finish(entry, settlement, now)
        elif entry.cancel_requested:
            self._finish(entry, Finish(ExecutionState.CANCELLED), now)
            return Settled.CANCELLED
        else:
            self._reschedule(entry, claim, settlement, now)
        return Settled.APPLIED

    def _settled_before(self, key: str, settlement: Resend, now: datetime) -> Settled:
        self._forget(now)
        entry = self._entries.get(key)
        answer = entry.answered.get(settlement) if entry is not None else None
        return answer or self._gone.get(settlement) or Settled.LOST

    def _take_claimable(self, now: datetime) -> Entry | None:
        """The call that has been due longest, of those that wait and those of expired leases."""
        expired = min(self._expired(now), key=_longest_due, default=None)
        waiting = self._due.first()
        if expired is None or (waiting is not None and waiting < expired.call.when):
            return self._due.take(now)
        expired.lease = None  # only here, where it is taken over, does the old claim end
        _move(expired, ExecutionState.QUEUED)
        return expired

    def _expired(self, now: datetime) -> list[Entry]:
        """The entries whose leases have expired."""
        return [entry for leases in self._leases.values() for entry in leases.until(now)]

    def _end_expired(self, now: datetime) -> None:
        """End what nobody is to take over: expired leases on superseded or cancelled attempts."""
        for worker, leases in list(self._leases.items()):
            for entry in leases.until(now):
                if entry.state is not ExecutionState.RUNNING:
                    self._end_superseded(entry, now)
                elif entry.cancel_requested:
                    self._finish(entry, Finish(ExecutionState.CANCELLED), now)
            if leases.first() is None:
                del self._leases[worker]

    def _end_superseded(self, entry: Entry, now: datetime) -> None:
        """The attempt of an older generation is over: its replacement, if any, may run."""
        entry.lease = None
        entry.cancel_requested = False
        if entry.state is ExecutionState.BLOCKED:
            _move(entry, _waiting(entry.call, now))
            self._make_due(entry)
            self._changed(entry, now)
        else:
            self._keep(entry, now)

    def _reschedule(
        self, entry: Entry, claim: Claim, settlement: Reschedule, now: datetime
    ) -> None:
        arguments = settlement.arguments
        entry.call = dataclasses.replace(
            entry.call,
            when=settlement.when,
            attempt=settlement.attempt,
            arguments=entry.call.arguments if arguments is None else arguments,
        )
        if settlement.reason is Reason.RELEASE:  # it was never run
            entry.delivery = claim.delivery - 1
            entry.released_since = claim.released_since or claim.fence
        else:
            entry.delivery = 0
            entry.released_since = None
        entry.lease = None
        _move(entry, _waiting(entry.call, now))
        self._make_due(entry)
        self._changed(entry, now)

    def _finish(self, entry: Entry, settlement: Finish, now: datetime) -> None:
        superseded = entry.state is ExecutionState.BLOCKED
        _move(entry, settlement.state)
        entry.finished_at = now
        entry.result = settlement.result
        entry.error = settlement.error
        self._changed(entry, now)
        if not superseded:  # otherwise the attempt that it replaced still holds the lease
            entry.lease = None
            entry.cancel_requested = False
            self._keep(entry, now)
        self._outstanding -= 1
        if self._outstanding == 0:
            self.watchers.drained()

    def _keep(self, entry: Entry, now: datetime) -> None:
        """Keep an ended execution's record for a while."""
        entry.place = None
        if self._ttl <= timedelta(0):
            del self._entries[entry.call.key]
        elif self._ttl < FOREVER:
            self._kept.put(later(now, self._ttl), entry)

    def _forget(self, now: datetime) -> None:
        self._gone.forget(now)
        while (entry := self._kept.take(now)) is not None:
            del self._entries[entry.call.key]

    def _make_due(self, entry: Entry) -> None:
        self._due.put(entry.call.when, entry)
        self.watchers.work_due(entry.call.when)

    def _changed(self, entry: Entry, now: datetime) -> None:
        if self.watchers.watched(entry.call.key):
            self.watchers.changed(entry.record(now))

    def _leases_of(self, worker: str) -> Timetable:
        leases = self._leases.get(worker)
        if leases is None:
            leases = self._leases[worker] = Timetable()
        return leases

    def _next_expiry(self) -> datetime | None:
        expiries = (leases.first() for leases in self._leases.values())
        return min((expiry for expiry in expiries if expiry is not None), default=None)


def _longest_due(entry: Entry) -> tuple[datetime, int]:
    """Of two that have been due as long, the one that was claimed first is taken over first."""
    return entry.call.when, entry.lease.fence if entry.lease is not None else 0


def _waiting(call: TaskCall, now: datetime) -> ExecutionState:
    return ExecutionState.QUEUED if call.when <= now else ExecutionState.SCHEDULED


def _move(entry: Entry, state: ExecutionState) -> None:
    assert state in TRANSITIONS[entry.state], f"{entry.call.key}: {entry.state} → {state}"
    entry.state = state
