"""A sorted set that a foreign hand has written over is made anew, from the executions.

The instants that these tests give decide what is due, so that an hour passes without waiting.
"""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from servers import shared_server

from docket_sim import StoreUnavailable
from docket_sim.execution import ExecutionState, Finish, TaskCall
from docket_sim.simulation.backend import hold_virtual_time
from docket_sim.store.base import Settled
from docket_sim.store.redis import RedisStore, address_of, mending, prefix_of
from docket_sim.store.redis.fake import fake_address
from docket_sim.store.redis.mending import log_what_was_set_aside

LEASE = timedelta(seconds=5)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DONE = Finish(ExecutionState.COMPLETED, result=b"7")
LOG = "was set aside, for a person to look at"

each_set = pytest.mark.parametrize("name", ["due", "leased", "void", "kept"])


class Scene:
    """A docket, and a foreign hand on its keys."""

    def __init__(self, store, prefix, client):
        self.store, self.prefix, self.client = store, prefix, client
        self.now = datetime.now(UTC)

    def place(self, name):
        return f"{self.prefix}{name}"

    def write_over(self, *names):
        """Put a list where a sorted set was."""
        for name in names:
            self.client.delete(self.place(name))
            self.client.rpush(self.place(name), "a", "list")

    def being_made(self):
        return self.client.keys(self.place("anew-*"))

    def entries(self, name):
        return self.client.zrange(self.place(name), 0, -1, withscores=True)

    async def submit(self, key, *, due=timedelta(0), replace=False):
        call = TaskCall(key, "charge", b"{}", self.now + due)
        await self.store.submit(call, now=self.now, replace=replace)

    async def claim(self, *, after=timedelta(0), limit=10):
        """Claim what is due some time from now."""
        now = self.now + after
        return (await self.store.claim("ann", limit=limit, lease=LEASE, now=now)).claims

    async def claimed(self, **options):
        return [claim.call.key for claim in await self.claim(**options)]

    async def settle(self, claim, *, after=timedelta(0)):
        return await self.store.settle(claim, DONE, now=self.now + after)

    async def state(self, key):
        record = await self.store.get(key, now=self.now)
        return record and record.state.value


@asynccontextmanager
async def scene(name=None):
    """A docket on the shared server, of which nothing is left afterwards."""
    name = name or f"mending-{uuid4()}"
    prefix = prefix_of(name)
    address = address_of(shared_server().url, prefix)
    store = RedisStore(address, name, execution_ttl=HOUR, servers_clock=False)
    with shared_server().client() as client:
        await store.open()
        try:
            yield Scene(store, prefix, client)
        finally:
            await store.close()
            for key in client.keys("*"):
                if key.startswith(prefix.encode()):
                    client.delete(key)


def run(main):
    """Run an async test on an event loop in real time."""
    asyncio.run(asyncio.wait_for(main(), 20))


# Each of the sets.


def test_what_waits_still_runs_once_and_in_its_turn():
    """`due` is made anew with the due times and tickets that the executions hold."""

    async def main():
        async with scene() as found:
            for key in ("first", "second"):
                await found.submit(key)
            await found.submit("later", due=LEASE / 2)
            before = found.entries("due")
            found.write_over("due")
            assert await found.claimed(limit=1) == ["first"]
            assert found.entries("due") == before[1:]
            assert await found.claimed() == ["second"]
            assert await found.claimed() == []
            assert await found.claimed(after=LEASE / 2) == ["later"]

    run(main)


def test_what_runs_is_delivered_again_only_when_a_worker_that_lives_would_have_renewed():
    """The end of a lease is nowhere else: a minute is given, and the worker may settle."""

    async def main():
        async with scene() as found:
            await found.submit("lives")
            await found.submit("died")
            claims = {claim.call.key: claim for claim in await found.claim()}
            found.write_over("leased")
            assert await found.claimed(after=MINUTE / 2) == []
            assert await found.settle(claims["lives"]) is Settled.APPLIED
            [again] = await found.claim(after=2 * MINUTE)
            assert (again.call.key, again.delivery) == ("died", 2)
            assert await found.settle(claims["died"]) is Settled.LOST
            assert await found.settle(again) is Settled.APPLIED

    run(main)


def test_leases_are_given_by_the_callers_clock():
    """In virtual time the server's own may be years away, in either direction."""

    async def main():
        for years in (-20, 20):
            async with scene() as found:
                found.now += 365 * years * timedelta(days=1)
                await found.submit("a")
                [claim] = await found.claim()
                found.write_over("leased")
                assert await found.claimed() == []
                assert await found.claimed(after=MINUTE - LEASE) == []
                assert await found.claimed(after=MINUTE) == ["a"]
                assert await found.settle(claim, after=MINUTE) is Settled.LOST

    run(main)


async def test_so_they_are_in_a_simulation_on_fakeredis(sim):
    """A minute is given there, too."""
    store = RedisStore(fake_address(), "virtual", servers_clock=False, hold=hold_virtual_time)
    await store.open()
    try:
        noon = sim.clock.now()
        await store.submit(TaskCall("a", "charge", b"{}", noon), now=noon)
        await store.claim("ann", limit=1, lease=LEASE, now=noon)
        await store._line.ask("SET", prefix_of("virtual") + "leased", "foreign")
        claimed = await store.claim("bob", limit=1, lease=LEASE, now=noon)
        assert claimed.next_expiry == noon + MINUTE
    finally:
        await store.close()


def test_what_is_blocked_follows_when_the_lease_of_the_attempt_before_it_is_over():
    """The replacement of what runs stands in `leased`, too."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            await found.claim()
            await found.submit("a", replace=True)
            found.write_over("leased")
            assert await found.claimed(after=MINUTE / 2) == []
            [claim] = await found.claim(after=2 * MINUTE)
            assert (claim.call.generation, claim.delivery) == (2, 1)

    run(main)


@pytest.mark.parametrize("worker", ["lives", "died"])
def test_an_attempt_whose_replacement_was_cancelled_still_ends(worker):
    """`void` is made anew, so that the execution is kept for its time, and then forgotten."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            [claim] = await found.claim()
            await found.submit("a", replace=True)
            await found.store.cancel("a", now=found.now)
            found.write_over("void")
            assert await found.claimed(after=MINUTE / 2) == []
            assert found.entries("kept") == []
            if worker == "lives":
                assert await found.settle(claim) is Settled.SUPERSEDED
            assert await found.claimed(after=2 * MINUTE) == []
            assert found.entries("void") == []
            assert [key for key, _ in found.entries("kept")] == [b"a"]

    run(main)


def test_results_that_are_kept_can_be_read_and_are_forgotten_in_time():
    """`kept` is made anew with the instants that the executions hold."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            [claim] = await found.claim()
            await found.settle(claim)
            before = found.entries("kept")
            found.write_over("kept")
            assert await found.claimed() == []
            assert found.entries("kept") == before
            assert await found.state("a") == "completed"
            await found.claim(after=HOUR + LEASE)
            assert not found.client.exists(found.place("x:a"))
            assert not found.client.exists(found.place("kept"))

    run(main)


def test_an_ended_execution_that_does_not_say_until_when_is_kept():
    """Rather too long than too short: only its own entry might have said so."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            [claim] = await found.claim()
            await found.settle(claim)
            found.client.hset(found.place("x:a"), "o", "some day")
            found.write_over("kept")
            await found.claim()
            assert found.entries("kept") == [(b"a", float("inf"))]

    run(main)


@each_set
def test_a_set_that_was_empty_is_there_no_more_than_before(name):
    """A docket in which nothing is leaves nothing but what was set aside."""

    async def main():
        async with scene() as found:
            found.write_over(name)
            assert await found.claimed() == []
            assert not found.client.exists(found.place(name), found.place(f"anew-{name}"))

    run(main)


@each_set
def test_what_stood_there_is_set_aside_and_may_go_after_a_week(name, caplog):
    """Whoever looks finds it whole; the log names it, once."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            found.write_over(name)
            assert await found.claimed() == ["a"]
            aside = found.place(f"aside-{name}")
            assert found.client.lrange(aside, 0, -1) == [b"a", b"list"]
            assert 0 < found.client.ttl(aside) <= 7 * 24 * 3600
            assert found.being_made() == [], "least of all a set that was whole"

    run(main)
    [record] = caplog.records
    assert record.getMessage().startswith(f"the docket's key {name!r} {LOG}: it was no sorted set")
    assert record.levelname == "ERROR"


def test_a_set_that_was_made_anew_stays():
    """In the making it would go by itself after an hour, in case nobody goes on with it."""

    async def main():
        async with scene() as found:
            await found.submit("a", due=HOUR)
            found.write_over("due")
            await found.claim()
            assert found.client.ttl(found.place("due")) == -1

    run(main)


# Many at once.


def test_all_sets_are_made_anew_together_and_page_by_page():
    """More executions than are looked at at once, in all states; each is where it was."""

    async def main():
        async with scene() as found:
            waits = [TaskCall(f"w{n}", "charge", b"{}", found.now + HOUR) for n in range(1_100)]
            await found.store.submit_many(waits, now=found.now)
            for key in ("runs", "ends", "is void"):
                await found.submit(key)
            claims = {claim.call.key: claim for claim in await found.claim()}
            await found.settle(claims["ends"])
            await found.submit("is void", replace=True)
            await found.store.cancel("is void", now=found.now)
            before = {name: found.entries(name) for name in ("due", "leased", "void", "kept")}
            found.write_over(*before)
            assert await found.claimed() == []
            for name, entries in before.items():
                members = [member for member, _ in entries]
                assert [member for member, _ in found.entries(name)] == members
            assert found.entries("due") == before["due"]
            assert len(before["due"]) == 1_100

    run(main)


def test_clients_that_make_a_set_anew_at_once_do_not_disturb_one_another(caplog):
    """All is claimed once, and what stood there is set aside once."""

    async def main():
        name = f"mending-{uuid4()}"
        async with scene(name) as one, scene(name) as other, scene(name) as third:
            calls = [TaskCall(f"w{n}", "charge", b"{}", one.now) for n in range(30)]
            await one.store.submit_many(calls, now=one.now)
            one.write_over("due")
            desks = (one, other, third) * 2
            claimed = await asyncio.gather(*(desk.claimed(limit=5) for desk in desks))
            keys = [key for keys in claimed for key in keys]
            assert sorted(keys) == sorted(call.key for call in calls)
            assert one.being_made() == []

    run(main)
    assert len(caplog.records) == 1


def test_whoever_finds_that_another_was_faster_leaves_all_as_it_is(monkeypatch, caplog):
    """What that one made may have changed since: it is not made anew once more."""
    fill = mending._fill

    async def main():
        async with scene() as found:
            await found.submit("a")
            found.write_over("due")

            async def fill_slowly(*arguments):
                await fill(*arguments)
                found.client.delete(found.place("due"))
                found.client.zadd(found.place("due"), {"0000000000001a": 2, "0000000000001b": 1})

            monkeypatch.setattr(mending, "_fill", fill_slowly)
            assert await found.claimed() == ["a"]
            assert found.being_made() == []
            assert not found.client.exists(found.place("aside-due"))

    run(main)
    assert caplog.messages == [f"the execution 'b' {LOG}: it has an entry, and nothing else"]


def test_a_client_that_breaks_off_leaves_nothing_for_ever(monkeypatch):
    """What it was making goes after an hour, and the next begins again."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            found.write_over("due")
            with monkeypatch.context() as patch:
                patch.setattr(mending, "_PUT_IN_PLACE", "return redis.error_reply('ERR broke off')")
                with pytest.raises(StoreUnavailable, match="broke off"):
                    await found.claim()
            assert 0 < found.client.ttl(found.place("anew-due")) <= 3600
            assert await found.claimed() == ["a"]

    run(main)


def test_what_a_client_left_that_broke_off_is_gone_on_with(caplog):
    """It may still be at it. Entries that were overtaken meanwhile lead to nothing."""

    async def main():
        async with scene() as found:
            await found.submit("done")
            [claim] = await found.claim()
            await found.settle(claim)
            await found.submit("waits")
            stale = {"0000000000001done": 1, "0000000000001waits": 1}
            stale["0000000000001nothing"] = 1
            found.client.zadd(found.place("anew-due"), stale)
            found.write_over("due")
            assert await found.claimed() == ["waits"]
            assert await found.claimed() == []
            assert await found.state("done") == "completed"

    run(main)
    assert f"the execution 'nothing' {LOG}: it has an entry, and nothing else" in caplog.messages


@each_set
def test_a_foreign_hand_may_have_written_where_sets_are_made_anew(name):
    """What is no sorted set there is nobody's: it goes, and the docket goes on."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            found.write_over(name, f"anew-{name}")
            assert await found.claimed() == ["a"]
            assert not found.client.exists(found.place(f"anew-{name}"))

    run(main)


@pytest.mark.parametrize("sign", ["*", "?", "[a-z]", "[^-]", "\\a", "]", "^"])
def test_other_dockets_are_left_alone(sign, caplog):
    """Their executions are found on the same server, whatever a docket's name looks like."""
    unique = str(uuid4())

    async def main():
        async with scene(f"{sign}{unique}") as found, scene(f"{'a' * len(sign)}{unique}") as other:
            await found.submit("mine")
            await other.submit("theirs")
            other.write_over("kept")
            before = {key: other.client.dump(key) for key in other.client.keys("*{a*}*")}
            found.write_over("due")
            assert await found.claimed() == ["mine"]
            assert {key: other.client.dump(key) for key in before} == before

    run(main)
    assert [record.getMessage() for record in caplog.records if "theirs" in record.message] == []
    assert len(caplog.records) == 1, "the set, and nothing else, was set aside"


# Verbs that are no scripts.


async def in_every_state(found):
    """Executions that wait, run, have ended, and whose replacement was cancelled."""
    for key in ("runs", "ends", "is void"):
        await found.submit(key)
    claims = {claim.call.key: claim for claim in await found.claim()}
    await found.settle(claims["ends"])
    await found.submit("is void", replace=True)
    await found.store.cancel("is void", now=found.now)
    await found.submit("waits")


@each_set
def test_a_snapshot_shows_all_that_is_there(name):
    """Whoever looks first, before any other verb, has the set made anew."""

    async def main():
        async with scene() as found:
            await in_every_state(found)
            found.write_over(name)
            snapshot = await found.store.snapshot(now=found.now)
            keys = sorted(record.call.key for record in snapshot.records)
            assert keys == ["ends", "is void", "runs", "waits"]
            assert found.client.exists(found.place(f"aside-{name}"))

    run(main)


@each_set
def test_what_is_erased_is_gone(name):
    """No execution stays behind, but what a foreign hand has written is set aside."""

    async def main():
        async with scene() as found:
            await in_every_state(found)
            found.write_over(name)
            await found.store.erase()
            aside = found.place(f"aside-{name}").encode()
            assert found.client.keys(f"{found.prefix}*") == [aside]

    run(main)


@each_set
def test_what_waits_is_cleared(name):
    """And what runs goes on."""

    async def main():
        async with scene() as found:
            await in_every_state(found)
            found.write_over(name)
            cleared = await found.store.clear(now=found.now)
            assert [record.call.key for record in cleared] == ["waits"]
            assert await found.state("runs") == "running"

    run(main)


def test_what_is_no_execution_hides_no_other():
    """Neither in a snapshot, nor from who asks for another key at the same time."""

    async def main():
        async with scene() as found:
            for key in ("a", "bad", "c"):
                await found.submit(key)
            found.client.set(found.place("x:bad"), "a string")
            snapshot = await found.store.snapshot(now=found.now)
            assert [record.call.key for record in snapshot.records] == ["a", "c"]
            asking = [found.state(key) for key in ("a", "bad", "c")]
            assert await asyncio.gather(*asking) == ["queued", None, "queued"]

    run(main)


# Tickets, by which entries are found.

TICKETS = {"none": None, "empty": "", "too short": "12", "too long": "1" * 14, "another": "9" * 13}


@pytest.fixture(params=TICKETS.values(), ids=TICKETS.keys())
def break_ticket(request):
    """Damages the ticket of an execution."""

    def damage(found, key="a"):
        if request.param is None:
            found.client.hdel(found.place(f"x:{key}"), "q")
        else:
            found.client.hset(found.place(f"x:{key}"), "q", request.param)

    return damage


async def cancelled_while_blocked(found):
    """An execution that has ended, while the attempt that it replaced still runs."""
    await found.submit("a")
    [claim] = await found.claim()
    await found.submit("a", replace=True)
    await found.store.cancel("a", now=found.now)
    return claim


async def is_kept_and_forgotten(found, *, after):
    """Expect that the execution is no longer void, but kept for its time."""
    assert await found.claimed(after=after) == []
    assert found.entries("void") == []
    assert [key for key, _ in found.entries("kept")] == [b"a"]
    assert await found.state("a") == "cancelled"
    assert await found.claimed(after=after + 2 * HOUR) == []
    assert not found.client.exists(found.place("x:a"))


@pytest.mark.parametrize("worker", ["settles", "died", "renews and died"])
def test_what_is_void_is_kept_for_its_time_though_its_ticket_is_broken(break_ticket, worker):
    """It would stay for ever without an entry."""

    async def main():
        async with scene() as found:
            claim = await cancelled_while_blocked(found)
            break_ticket(found)
            if worker == "settles":
                assert await found.settle(claim) is Settled.SUPERSEDED
            elif worker == "renews and died":
                renewal = await found.store.renew([claim], lease=MINUTE, now=found.now)
                assert renewal.lost == []
            await is_kept_and_forgotten(found, after=2 * MINUTE)

    run(main)


def test_what_becomes_void_with_a_broken_ticket_is_kept_for_its_time(break_ticket):
    """It is given an entry by which it is found."""

    async def main():
        async with scene() as found:
            await found.submit("a")
            await found.claim()
            await found.submit("a", replace=True)
            break_ticket(found)
            await found.store.cancel("a", now=found.now)
            assert await found.claimed() == []
            await is_kept_and_forgotten(found, after=2 * MINUTE)

    run(main)


def test_the_void_is_made_anew_with_a_broken_ticket(break_ticket):
    """Two hands at once."""

    async def main():
        async with scene() as found:
            await cancelled_while_blocked(found)
            break_ticket(found)
            found.write_over("void")
            assert await found.claimed() == []
            await is_kept_and_forgotten(found, after=2 * MINUTE)

    run(main)


def test_what_takes_the_place_of_the_void_runs_in_its_turn(break_ticket):
    """When the attempt before it is over, which may be a minute later."""

    async def main():
        async with scene() as found:
            claim = await cancelled_while_blocked(found)
            break_ticket(found)
            await found.submit("a")
            assert await found.claimed() == []
            assert await found.state("a") == "blocked"
            assert await found.settle(claim) is Settled.SUPERSEDED
            assert await found.claimed() == ["a"]

    run(main)


# What cannot be understood.

DAMAGED = {
    "no ticket": {"q": None},
    "a ticket that is too short": {"q": "12"},
    "a ticket that is too long": {"q": "00000000000001"},
    "no state": {"s": None},
    "no such state": {"s": "?"},
    "a due time that is no number": {"w": "soon"},
    "no due time": {"w": None},
    "no task": {"t": None},
}


@pytest.mark.parametrize("fields", DAMAGED.values(), ids=DAMAGED.keys())
def test_an_execution_that_cannot_be_understood_is_found_and_set_aside(fields, caplog):
    """It must not stay behind without an entry: it would never end, and hold its key for ever."""

    async def main():
        async with scene() as found:
            await found.submit("bad")
            await found.submit("good")
            for field, value in fields.items():
                if value is None:
                    found.client.hdel(found.place("x:bad"), field)
                else:
                    found.client.hset(found.place("x:bad"), field, value)
            found.write_over("due")
            assert await found.claimed() == ["good"]
            assert not found.client.exists(found.place("x:bad"))
            assert found.client.hget(found.place("aside:bad"), "a") == b"{}"
            await found.submit("bad")
            assert await found.claimed() == ["bad"]

    run(main)
    told = [message for message in caplog.messages if f"the execution 'bad' {LOG}: " in message]
    assert len(told) == 1


def test_what_runs_without_a_ticket_is_set_aside_when_its_lease_is_over(caplog):
    """As any other that has no entry of its own."""

    async def main():
        async with scene() as found:
            await found.submit("bad")
            await found.claim()
            found.client.hdel(found.place("x:bad"), "q")
            found.write_over("leased")
            assert await found.claimed() == []
            assert await found.claimed(after=2 * MINUTE) == []
            assert found.client.exists(found.place("aside:bad"))

    run(main)
    assert "it has no entry where one of its state has it" in caplog.text


def test_a_key_that_holds_no_execution_is_left_to_who_comes_upon_it():
    """It is in no state, so there is no set in which it belongs; whoever needs its key finds it."""

    async def main():
        async with scene() as found:
            found.client.set(found.place("x:bad"), "a string")
            found.write_over("due")
            assert await found.claimed() == []
            assert found.client.get(found.place("x:bad")) == b"a string"
            await found.submit("bad")
            assert found.client.get(found.place("aside:bad")) == b"a string"
            assert await found.claimed() == ["bad"]

    run(main)


# The log.


def test_the_log_names_what_was_set_aside_and_why(caplog):
    """Keys and reasons come in turn; what is no text is shown, too."""
    log_what_was_set_aside([b"order-7", b"no task", None, b"of another type", b"\xff", None])
    assert caplog.messages == [
        f"the execution 'order-7' {LOG}: no task",
        f"the docket's key 'meta' {LOG}: of another type",
        f"the execution '\\\\xff' {LOG}: ",
    ]
    assert {record.levelname for record in caplog.records} == {"ERROR"}


def test_nothing_is_logged_when_nothing_was_set_aside(caplog):
    """As after almost every script."""
    log_what_was_set_aside([])
    assert caplog.records == []
