"""Every store, driven at random beside a naive model that was written from the protocol alone."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

import pytest
from conformance import LEASE, STORES, TTL, Desk, seconds
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from docket_sim.execution import TRANSITIONS, Disposition, ExecutionState, Finish, Reason
from docket_sim.store import Claim, Settled

KEYS = st.sampled_from(["a", "b", "c"])
WORKERS = st.sampled_from(["ann", "bob"])
PLACES = st.integers(0, 4)  # the last few claims are the interesting ones
S = ExecutionState
ENDS = (S.COMPLETED, S.FAILED, S.CANCELLED)


@dataclass
class Holding:
    """Who runs a key, or ran it when it was replaced."""

    fence: int
    generation: int
    expiry: datetime


@dataclass
class Expected:
    """What the model thinks of one key; `ended` says how it ended, if it did."""

    when: datetime
    payload: bytes
    generation: int
    attempt: int = 1
    deliveries: int = 0
    released_since: int | None = None
    ended: ExecutionState | None = None
    forgotten_at: datetime | None = None
    cancelling: bool = False
    holding: Holding | None = None

    @property
    def superseded(self) -> bool:
        return self.holding is not None and self.holding.generation != self.generation

    def state(self, now: datetime) -> ExecutionState:
        if self.ended:
            return self.ended
        if self.holding:
            return S.BLOCKED if self.superseded else S.RUNNING
        return S.QUEUED if self.when <= now else S.SCHEDULED


def has_claims(machine: "StoreMachine") -> bool:
    """Whether there is a claim to do something with."""
    return bool(machine.claims)


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to the model, and compares every answer."""

    store_name = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.desk = Desk(STORES[self.store_name](TTL))
        self.run(self.desk.store.open())
        self.model: dict[str, Expected] = {}
        self.claims: list[Claim] = []
        self.settled: dict[str, list[tuple[int, ExecutionState | None, Settled]]] = {}
        self.seen: dict[tuple[str, int], ExecutionState] = {}
        self.payloads = 0

    def run(self, awaitable):
        async def awaited():
            return await awaitable

        return self.runner.run(awaited())

    def teardown(self) -> None:
        self.run(self.desk.store.close())
        self.runner.close()

    def known(self, key: str) -> Expected | None:
        """The model's entry, unless its time is up."""
        entry = self.model.get(key)
        if entry and entry.forgotten_at and entry.forgotten_at <= self.desk.now:
            # Fences stay unique, so whoever holds a claim on it is lost; generations begin anew.
            del self.model[key]
            self.settled.pop(key, None)
            self.seen = {seen: state for seen, state in self.seen.items() if seen[0] != key}
            return None
        return entry

    def end(self, entry: Expected, state: ExecutionState) -> None:
        entry.ended = state
        if not entry.superseded:
            self.let_go(entry)

    def let_go(self, entry: Expected) -> None:
        """Nobody runs the key any more; an ended one is kept for a while from here."""
        entry.holding = None
        entry.cancelling = False
        if entry.ended:
            entry.forgotten_at = self.desk.now + TTL

    def expired(self) -> list[Expected]:
        held = [entry for entry in self.model.values() if entry.holding]
        return [entry for entry in held if entry.holding.expiry <= self.desk.now]

    @initialize()
    def begin_with_running_work(self):
        for key in ("a", "b"):
            self.submit(key, 0, replace=False)
        self.claim("ann", 2)

    @rule(key=KEYS, after=st.sampled_from([-5, 0, 5, 20]), replace=st.booleans())
    def submit(self, key, after, replace):
        entry = self.known(key)
        self.payloads += 1
        payload = b"%d" % self.payloads
        answer = self.run(self.desk.submit(key, after=after, replace=replace, arguments=payload))
        if entry and not entry.ended and not replace:
            assert answer.disposition is Disposition.ALREADY_SCHEDULED
            assert answer.record.call.arguments == entry.payload
            return
        assert answer.disposition is Disposition.SCHEDULED
        generation = entry.generation + 1 if entry else 1
        assert answer.record.call.generation == generation
        when = self.desk.now + seconds(after)
        self.model[key] = Expected(when, payload, generation)
        if entry:
            self.model[key].holding = entry.holding
            self.model[key].cancelling = entry.cancelling
        assert answer.record.state is self.model[key].state(self.desk.now)

    @rule(key=KEYS)
    def cancel(self, key):
        entry = self.known(key)
        before = self.run(self.desk.cancel(key))
        if entry is None:
            assert before is None
            return
        assert before.state is entry.state(self.desk.now)
        if entry.ended:
            return
        entry.cancelling = entry.holding is not None
        if before.state is not S.RUNNING:
            self.end(entry, S.CANCELLED)

    @rule(worker=WORKERS, limit=st.integers(1, 3))
    def claim(self, worker, limit):
        # Which expired leases a claim without room for them ends is left open by the protocol.
        limit = len(self.model) + 1 if self.expired() else limit
        for entry in self.expired():
            cancelled = entry.cancelling and not entry.superseded
            self.let_go(entry)
            if cancelled:
                self.end(entry, S.CANCELLED)
        due = {k: e for k, e in self.model.items() if e.state(self.desk.now) is S.QUEUED}
        claimed = self.run(self.desk.claim(worker, limit=limit))
        keys = [claim.call.key for claim in claimed.claims]
        assert len(set(keys)) == len(keys) == min(limit, len(due))
        assert set(keys) <= set(due)
        instants = [due[key].when for key in keys]
        assert instants == sorted(instants)
        assert all(due[key].when >= instants[-1] for key in due if key not in keys)
        for claim in claimed.claims:
            self.take(claim)
        self.compare_outlook(claimed)

    def take(self, claim: Claim) -> None:
        entry = self.model[claim.call.key]
        entry.deliveries += 1
        call = claim.call
        assert claim.delivery == entry.deliveries
        assert claim.released_since == entry.released_since
        assert (call.arguments, call.when) == (entry.payload, entry.when)
        assert (call.generation, call.attempt) == (entry.generation, entry.attempt)
        assert claim.fence not in {old.fence for old in self.claims}
        assert entry.holding is None, "a second live claim on one key"
        entry.holding = Holding(claim.fence, entry.generation, self.desk.now + LEASE)
        entry.cancelling = False
        self.claims.append(claim)

    def compare_outlook(self, claimed) -> None:
        waiting = (S.QUEUED, S.SCHEDULED)
        now = self.desk.now
        dues = [e.when for e in self.model.values() if e.state(now) in waiting]
        assert claimed.next_due == min(dues, default=None)
        expiries = [entry.holding.expiry for entry in self.model.values() if entry.holding]
        assert claimed.next_expiry == min(expiries, default=None)
        assert claimed.outstanding == sum(not entry.ended for entry in self.model.values())

    def some_claim(self, place: int) -> tuple[Claim, Expected | None]:
        """One of the last claims, and the entry on which it is in force, if it is."""
        claim = self.claims[-1 - place % len(self.claims)]
        entry = self.known(claim.call.key)
        in_force = entry and entry.holding and entry.holding.fence == claim.fence
        return claim, entry if in_force else None

    @precondition(has_claims)
    @rule(place=PLACES, end=st.sampled_from(ENDS))
    def finish(self, place, end):
        claim, entry = self.some_claim(place)
        settled = self.run(self.desk.settle(claim, Finish(end, result=b"1")))
        if self.refused(entry, settled, claim, end):
            return
        assert settled is Settled.APPLIED
        self.end(entry, end)

    @precondition(has_claims)
    @rule(place=PLACES, reason=st.sampled_from(Reason), after=st.sampled_from([0, 5]))
    def reschedule(self, place, reason, after):
        claim, entry = self.some_claim(place)
        settlement = self.desk.again(claim, reason, after=after)
        settled = self.run(self.desk.settle(claim, settlement))
        if self.refused(entry, settled, claim, None):
            return
        if entry.cancelling:
            assert settled is Settled.CANCELLED
            self.end(entry, S.CANCELLED)
            return
        assert settled is Settled.APPLIED
        self.let_go(entry)
        entry.when, entry.attempt = settlement.when, settlement.attempt
        if reason is Reason.RELEASE:
            entry.deliveries -= 1
            entry.released_since = entry.released_since or claim.fence
        else:
            entry.deliveries = 0
            entry.released_since = None

    def refused(self, entry, settled, claim, end) -> bool:
        """Whether the settlement of `claim`, with this `end` if any, is to change nothing else."""
        answers = self.settled.setdefault(claim.call.key, [])
        if entry is None:
            before = {(fence, asked): answer for fence, asked, answer in answers[-4:]}
            assert settled is before.get((claim.fence, end), Settled.LOST)
            return True
        answers.append((claim.fence, end, settled))
        if entry.superseded:
            assert settled is Settled.SUPERSEDED
            self.let_go(entry)
            return True
        return False

    @precondition(has_claims)
    @rule(place=PLACES)
    def renew(self, place):
        claim, entry = self.some_claim(place)
        renewal = self.run(self.desk.store.renew([claim], lease=LEASE, now=self.desk.now))
        assert list(renewal.lost) == ([] if entry else [claim.fence])
        assert list(renewal.cancelled) == ([claim.fence] if entry and entry.cancelling else [])
        if entry:
            entry.holding.expiry = self.desk.now + LEASE

    @rule()
    def clear(self):
        waiting = [
            e for e in self.model.values() if not e.ended and (not e.holding or e.superseded)
        ]
        assert len(self.run(self.desk.store.clear(now=self.desk.now))) == len(waiting)
        for entry in waiting:
            self.end(entry, S.CANCELLED)

    @rule(count=st.sampled_from([1, 4, 6, 10, 1_000]))
    def pass_time(self, count):
        self.desk.pass_time(count)

    @invariant()
    def records_are_as_expected(self):
        snapshot = self.run(self.desk.store.snapshot(now=self.desk.now))
        records = {record.call.key: record for record in snapshot.records}
        assert set(records) == {key for key in list(self.model) if self.known(key)}
        for key, entry in self.model.items():
            record = records[key]
            assert record == self.run(self.desk.get(key))
            assert record.state is entry.state(self.desk.now)
            assert record.delivery == entry.deliveries
            if record.state is not S.BLOCKED and not record.state.finished:
                assert record.cancel_requested == entry.cancelling
            assert (record.call.when, record.call.attempt) == (entry.when, entry.attempt)
            assert (record.call.generation, record.call.arguments) == (
                entry.generation,
                entry.payload,
            )

    @invariant()
    def states_follow_each_other_as_the_table_says(self):
        for key in list(self.model):
            if (entry := self.known(key)) is None:
                continue
            record = self.run(self.desk.get(key))
            seen = (key, entry.generation)
            before = self.seen.get(seen, record.state)
            assert record.state in _within_two_steps(before), f"{key}: {before} → {record.state}"
            self.seen[seen] = record.state


def _within_two_steps(state: ExecutionState) -> set[ExecutionState]:
    """What may be seen next: a call that comes due and is claimed in one verb is two steps on."""
    following = {state, *TRANSITIONS[state]}
    return following.union(*(TRANSITIONS[step] for step in following))


@pytest.mark.parametrize("store_name", STORES)
def test_a_store_does_what_the_model_does(store_name):
    """Whatever is done in whatever order, store and model give the same answers."""
    machine = type("Machine", (StoreMachine,), {"store_name": store_name})
    examples = 100 if store_name == "memory" else 20  # `test_differential` holds them to that one
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )
