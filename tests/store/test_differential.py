"""Two stores, given the same to do at random: every answer and the final state are compared.

`test_model` holds each store against a model of the protocol; here they are held against each other
to the letter, the order of what is due at one instant included.
"""

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

import pytest
from conformance import LEASE, STORES, TTL, Desk
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from docket_sim.execution import Cause, ExecutionState, Finish, Reason
from docket_sim.store import Claim, Claimed, Settled, StoreSnapshot

KEYS = st.sampled_from(["a", "b", "c", "d"])
WORKERS = st.sampled_from(["ann", "bob"])
PLACES = st.integers(0, 5)
CAUSES = st.sampled_from([None, Cause("a", 1), Cause("é:{}", 3)])
ENDS = st.sampled_from(
    [
        Finish(ExecutionState.COMPLETED, result=b"\x00\xff1"),
        Finish(ExecutionState.FAILED, error=b"boom"),
        Finish(ExecutionState.CANCELLED),
    ]
)


class TwoStores(RuleBasedStateMachine):
    """Does everything at two desks."""

    other = "fakeredis"
    execution_ttl = TTL

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.desks = [Desk(STORES[name](self.execution_ttl)) for name in ("memory", self.other)]
        self.claims: list[list[Claim]] = []
        for desk in self.desks:
            self.run(desk.store.open())

    def teardown(self) -> None:
        for desk in self.desks:
            self.run(desk.store.close())
        self.runner.close()

    def run(self, awaitable):
        async def awaited():
            return await awaitable

        return self.runner.run(awaited())

    def both(self, verb: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Do the same at each desk, and return the answers."""
        return [self.run(getattr(desk, verb)(*args, **kwargs)) for desk in self.desks]

    def same(self, verb: str, *args: Any, **kwargs: Any) -> None:
        here, there = self.both(verb, *args, **kwargs)
        assert here == there

    @rule(key=KEYS, after=st.sampled_from([-5, 0, 0, 5, 20]), replace=st.booleans(), cause=CAUSES)
    def submit(self, key, after, replace, cause):
        self.same("submit", key, after=after, replace=replace, cause=cause, arguments=key.encode())

    @rule(worker=WORKERS, limit=st.integers(0, 4))
    def claim(self, worker, limit):
        here, there = self.both("claim", worker, limit=limit)
        assert _without_fences(here) == _without_fences(there)
        self.claims.extend(map(list, zip(here.claims, there.claims, strict=True)))

    @precondition(lambda self: self.claims)
    @rule(place=PLACES, settlement=ENDS)
    def finish(self, place, settlement):
        self.settle(place, lambda desk, claim: settlement)

    @precondition(lambda self: self.claims)
    @rule(place=PLACES, reason=st.sampled_from(Reason), after=st.sampled_from([0, 5]))
    def reschedule(self, place, reason, after):
        self.settle(place, lambda desk, claim: desk.again(claim, reason, after=after))

    def settle(self, place, settlement):
        pair = self.claims[-1 - place % len(self.claims)]
        answers: list[Settled] = [
            self.run(desk.settle(claim, settlement(desk, claim)))
            for desk, claim in zip(self.desks, pair, strict=True)
        ]
        assert answers[0] is answers[1]

    @precondition(lambda self: self.claims)
    @rule(place=PLACES)
    def renew(self, place):
        pair = self.claims[-1 - place % len(self.claims)]
        answers = [
            self.run(desk.store.renew([claim], lease=LEASE, now=desk.now))
            for desk, claim in zip(self.desks, pair, strict=True)
        ]
        here, there = [(len(one.lost), len(one.cancelled)) for one in answers]
        assert here == there

    @rule(key=KEYS)
    def cancel(self, key):
        self.same("cancel", key)

    @rule(key=KEYS)
    def get(self, key):
        self.same("get", key)

    @rule()
    def clear(self):
        here, there = [self.run(desk.store.clear(now=desk.now, limit=100)) for desk in self.desks]
        assert {one.call.key: one for one in here} == {one.call.key: one for one in there}

    @rule(count=st.sampled_from([0.000001, 1, 4, 10, 1_000]))
    def pass_time(self, count):
        for desk in self.desks:
            desk.pass_time(count)

    @invariant()
    def the_whole_state_is_the_same(self):
        here, there = [self.run(desk.store.snapshot(now=desk.now)) for desk in self.desks]
        assert _by_key(here) == _by_key(there)


def _without_fences(claimed: Claimed) -> tuple[Any, ...]:
    """Fences are numbers that no other claim has; which, is up to the store."""
    claims = [
        dataclasses.replace(claim, fence=0, released_since=claim.released_since and 0)
        for claim in claimed.claims
    ]
    return claims, claimed.next_due, claimed.next_expiry, claimed.outstanding


def _by_key(snapshot: StoreSnapshot) -> dict[str, Any]:
    return {record.call.key: record for record in snapshot.records}


@pytest.mark.parametrize("execution_ttl", [TTL, timedelta(seconds=8), timedelta(0)], ids=str)
@pytest.mark.parametrize("other", [name for name in STORES if name != "memory"])
def test_a_store_answers_as_the_memory_store_does(other, execution_ttl):
    """Whatever is done in whatever order, all answers and all records are the same."""
    machine = type("Machine", (TwoStores,), {"other": other, "execution_ttl": execution_ttl})
    examples = 25 if execution_ttl == TTL else 10
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )
