"""Stores that are broken in one place: what they give out, what they accept, what they forget."""

import asyncio
import dataclasses
from datetime import timedelta
from functools import partial
from unittest.mock import patch

from docket_sim import CurrentDocket, Docket, ExecutionState, Retry
from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.faults.store import FaultyStore
from docket_sim.store import Claimed, MemoryStore, Settled
from docket_sim.store.ledger import Ledger
from planted.bug import engine

SECOND = timedelta(seconds=1)
intact = {
    name: getattr(Ledger, name)
    for name in (
        "submit",
        "claim",
        "settle",
        "cancel",
        "_accept",
        "_held",
        "_take_claimable",
        "_keep",
    )
}


def breaking(name, broken):
    """A patch of one method of the ledger."""
    return partial(patch.object, Ledger, name, broken)


# What is run.

ran: list[str] = []


async def work(name: str = "work") -> None:
    ran.append(name)
    await asyncio.sleep(1)


async def flaky(retry: Retry = Retry(attempts=3, delay=2 * SECOND)) -> None:
    if retry.attempt < 3:
        raise ConnectionError


async def one(sim):
    """One execution."""
    ran.clear()
    await sim.docket.add(work, key="one")()
    await sim.run_until_idle()


async def a_longer_one(sim):
    """One that whoever takes it over still has in hand when the first comes back."""
    await sim.docket.add(minutes, key="one")()
    await sim.run_until_idle()


async def later(sim):
    """One that is due in a while."""
    await sim.docket.add(work, key="later", when=sim.clock.now() + 8 * SECOND)()
    await sim.docket.add(work, key="now")()
    await sim.run_until_idle()


async def soon(sim):
    """One that is due so soon that a clock which is ahead takes it for due."""
    await sim.docket.add(work, key="now")()
    await sim.docket.add(work, key="soon", when=sim.clock.now() + 4 * SECOND)()
    await sim.run_until_idle()


async def minutes() -> None:
    await asyncio.sleep(150)


async def parent(docket: Docket = CurrentDocket()) -> None:
    await docket.add(work, key="child")("child")


async def added_by_another(sim):
    """One that another adds; nobody dies, so each runs once."""
    ran.clear()
    await sim.docket.add(parent, key="parent")()
    await sim.run_until_idle()
    assert ran == ["child"], f"the child has run {len(ran)} times"


async def several(sim):
    """Some at once."""
    for number in range(3):
        await sim.docket.add(work, key=f"no-{number}")(f"no-{number}")
    await sim.run_until_idle()


async def retried(sim):
    """One that fails at first."""
    await sim.docket.add(flaky, key="flaky")()
    await sim.run_until_idle()


async def replaced_while_it_runs(sim):
    """One that is replaced while its first generation runs."""
    await sim.docket.add(work, key="one")("first")
    sim.at("+0.5s", lambda: sim.docket.replace(work, sim.clock.now() + SECOND, "one")("second"))
    await sim.run_until_idle()


async def replaced_while_it_waits(sim):
    """One that is replaced before it is due."""
    await sim.docket.add(work, key="one", when=sim.clock.now() + 5 * SECOND)()
    await sim.docket.replace(work, sim.clock.now() + 9 * SECOND, "one")()
    await sim.run_until_idle()


async def cancelled_after_it_was_replaced(sim):
    """One whose replacement is cancelled before the replaced attempt has ended."""
    ran.clear()
    await sim.docket.add(work, key="one")("first")
    sim.at("+0.3s", lambda: sim.docket.replace(work, sim.clock.now() + SECOND, "one")("second"))
    sim.at("+0.6s", lambda: sim.docket.cancel("one"))
    await sim.run_until_idle()
    assert "second" not in ran, "what was cancelled has run"


async def cancelled_while_it_waits(sim):
    """One that is cancelled before it is due."""
    await sim.docket.add(work, key="one", when=sim.clock.now() + 5 * SECOND)()
    await sim.docket.cancel("one")
    await sim.run_until_idle()


# What is broken.


def take_early(ledger, now):
    return intact["_take_claimable"](ledger, now + 10 * SECOND)


async def claim_by_the_callers_clock(store, worker, *, limit, lease, now):
    return await store._court.hear(
        store._call("claim", limit=limit, lease=lease),
        lambda _: store._store.claim(worker, limit=limit, lease=lease, now=now),
    )


async def look_then_claim(store, worker, *, limit, lease, now):
    ledger = store._ledger
    seen = ledger._due.peek(now)
    await asyncio.sleep(0)  # another worker may look as well before this one has claimed
    if seen is None or limit == 0:
        return ledger.claim(worker, limit, lease, now)
    if seen.lease is not None:  # it was taken meanwhile, which nobody looks at
        seen.state = ExecutionState.QUEUED
    else:
        ledger._due.take(now)
    return Claimed([ledger._lease(seen, worker, lease, now)], None, None, 1)


def all_leased(ledger, now):
    return [
        entry for leases in ledger._leases.values() for entry in leases.until(now + 9**9 * SECOND)
    ]


def held_by_anyone(ledger, claim):
    entry = ledger._entries.get(claim.call.key)
    return None if entry is None or entry.lease is None else entry


def settle_any_generation(ledger, claim, settlement, now):
    entry = ledger._held(claim)
    if entry is not None and entry.call.generation != claim.call.generation:
        claim = dataclasses.replace(claim, call=entry.call)
        entry.state = ExecutionState.RUNNING
    return intact["settle"](ledger, claim, settlement, now)


def settle_without_letting_go(ledger, claim, settlement, now):
    entry = ledger._held(claim)
    if entry is not None and entry.state.finished:
        return Settled.SUPERSEDED
    return intact["settle"](ledger, claim, settlement, now)


def nothing_expired(ledger, now):
    return []


def drop_expired(ledger, now):
    for leases in ledger._leases.values():
        for entry in leases.until(now):
            entry.place = None
            del ledger._entries[entry.call.key]
            ledger._outstanding -= 1
            if ledger._outstanding == 0:
                ledger.watchers.drained()


def claim_one(ledger, worker, limit, lease, now):
    return intact["claim"](ledger, worker, min(limit, 1), lease, now)


def cancel_the_running_one(ledger, key, now):
    entry = ledger._entries.get(key)
    if entry is not None and entry.state is ExecutionState.BLOCKED:
        before = entry.record(now)
        entry.cancel_requested = True
        ledger.watchers.cancel_requested(key)
        return before
    return intact["cancel"](ledger, key, now)


def accept_and_count_twice(ledger, entry, call, now):
    ledger._outstanding += entry is not None and not entry.state.finished
    return intact["_accept"](ledger, entry, call, now)


def keep_where_it_was(ledger, entry, now):
    """`entry.place = None` was forgotten."""


def keep_the_cancelled(ledger, entry, now):
    if entry.state is ExecutionState.CANCELLED:
        entry.place = None
    else:
        intact["_keep"](ledger, entry, now)


def count_what_waits(ledger, worker, limit, lease, now):
    claimed = intact["claim"](ledger, worker, limit, lease, now)
    return dataclasses.replace(
        claimed, outstanding=sum(entry.place is ledger._due for entry in ledger._entries.values())
    )


def submit_without_a_look(ledger, call, now, *, replace):
    if call.key in ledger._entries and not replace:
        call = dataclasses.replace(call, key=f"{call.key}, another")
    return intact["submit"](ledger, call, now, replace=replace)


def held_though_released(ledger, claim):
    entry = ledger._entries.get(claim.call.key)
    released = entry is not None and entry.lease is None
    return entry if released else intact["_held"](ledger, claim)


BUGS = (
    engine(
        "early pop",
        "What is due in ten seconds is claimed as well.",
        later,
        breaking("_take_claimable", take_early),
        says="invariant not-early",
        faults="none",
        runs=3,
    ),
    engine(
        "the callers' clock",
        "What is due is decided by the clock of whoever claims.",
        soon,
        partial(patch.object, FaultyStore, "claim", claim_by_the_callers_clock),
        says="invariant not-early",
        shows="clock set",
        faults="hostile",
        runs=120,
    ),
    engine(
        "look, then claim",
        "A claim looks for what is due, and takes it in a second step.",
        one,
        partial(patch.object, MemoryStore, "claim", look_then_claim),
        says="invariant one-at-a-time",
        faults="none",
        runs=3,
    ),
    engine(
        "leases unread",
        "A claim takes over what is leased, without a look at how long the lease lasts.",
        several,
        breaking("_expired", all_leased),
        says="invariant one-at-a-time",
        faults="none",
        runs=3,
    ),
    engine(
        "no fence",
        "A settlement counts for whoever holds the lease by now.",
        a_longer_one,
        breaking("_held", held_by_anyone),
        says="invariant fenced",
        shows="stands still",
        faults=Faults.pause(beyond="lease", before="settle", times=None, odds=0.05),
        runs=10,
    ),
    engine(
        "older generations",
        "The settlement of an attempt whose key was replaced ends the replacement.",
        replaced_while_it_runs,
        breaking("settle", settle_any_generation),
        says="invariant fenced",
        faults="none",
        runs=3,
    ),
    engine(
        "lease not let go",
        "An attempt whose replacement was cancelled keeps its lease when it has ended.",
        cancelled_after_it_was_replaced,
        breaking("settle", settle_without_letting_go),
        says="invariant clean-end",
        faults="none",
        runs=3,
    ),
    engine(
        "kept for ever",
        "The record of what was cancelled has no TTL.",
        cancelled_while_it_waits,
        breaking("_keep", keep_the_cancelled),
        says="invariant clean-end",
        faults="none",
        world={"execution_ttl": timedelta(minutes=1)},
        runs=3,
    ),
    engine(
        "no takeover",
        "Expired leases are not taken over, and nobody looks when the next one expires.",
        one,
        breaking("_expired", nothing_expired),
        breaking("_next_expiry", lambda ledger: None),
        says="Deadlock",
        shows="power cut",
        runs=10,
    ),
    engine(
        "no takeover, but a bell",
        "Expired leases are not taken over, though everybody wakes up for them.",
        one,
        breaking("_expired", nothing_expired),
        says="invariant no-busy-loop",
        shows="power cut",
        runs=10,
    ),
    engine(
        "dropped with its worker",
        "What a dead worker had in hand is thrown away.",
        one,
        breaking("_end_expired", drop_expired),
        says="invariant nothing-lost",
        shows="power cut",
        runs=10,
    ),
    engine(
        "one at most",
        "A claim gives out one call, however many are due and asked for.",
        several,
        breaking("claim", claim_one),
        says="invariant liveness",
        faults="none",
        runs=3,
    ),
    engine(
        "cancel lost after replace",
        "To cancel a key that was replaced while it ran ends the running attempt alone.",
        cancelled_after_it_was_replaced,
        breaking("cancel", cancel_the_running_one),
        says="what was cancelled has run",
        faults="none",
        runs=3,
    ),
    engine(
        "counted twice",
        "A key that is replaced while it waits is counted once more as outstanding.",
        replaced_while_it_waits,
        breaking("_accept", accept_and_count_twice),
        says="invariant indexes",
        faults="none",
        runs=3,
    ),
    engine(
        "still due",
        "What was cancelled still stands among what is due.",
        cancelled_while_it_waits,
        breaking("_keep", keep_where_it_was),
        says="invariant indexes",
        faults="none",
        runs=3,
    ),
    engine(
        "only what waits",
        "What runs does not count as outstanding.",
        one,
        breaking("claim", count_what_waits),
        says="invariant nothing-lost",
        shows="power cut",
        runs=12,
    ),
    engine(
        "added twice",
        "An addition that is sent twice is scheduled twice.",
        added_by_another,
        breaking("submit", submit_without_a_look),
        says="the child has run 2 times",
        shows="sent twice",
        faults=Faults.resend(times=None, odds=0.05),
        runs=10,
    ),
    engine(
        "settled twice",
        "A settlement that is sent twice is applied to a claim that was released.",
        retried,
        breaking("_held", held_though_released),
        says="AssertionError: flaky",
        shows="sent twice",
        faults=Faults.resend("settle", times=None, odds=0.05),
        runs=6,
    ),
)
