"""What is particular to the store on a Redis server. These tests wait in real time, but briefly."""

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from conformance import STORES, Ear
from servers import RedisServer, find_binaries, shared_server

from docket_sim import Docket, Perpetual, Retry, StoreUnavailable, Worker
from docket_sim.execution import ExecutionState, Reason, Reschedule, TaskCall
from docket_sim.store import Settled
from docket_sim.store.redis import RedisStore, address_of, notices, prefix_of
from docket_sim.store.redis.clocks import Clocks
from docket_sim.store.redis.gathering import Gathering
from docket_sim.store.redis.scripts import ALL, Script

LEASE = timedelta(seconds=5)
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def a_call(key="a", *, due=timedelta(0)) -> TaskCall:
    return TaskCall(key=key, task="charge", arguments=b"{}", when=now() + due)


@asynccontextmanager
async def open_store(server=None, name=None, **options):
    """A store on the shared server, with keys of its own."""
    name = name or f"test-{uuid4()}"
    url = (server or shared_server()).url
    store = RedisStore(address_of(url, prefix_of(name)), name, **options)
    await store.open()
    try:
        yield store
    finally:
        with suppress(StoreUnavailable):
            await store.erase()
        await store.close()


def run(main):
    """Run an async test on an event loop in real time."""
    asyncio.run(asyncio.wait_for(main(), 20))


async def until(condition, patience=5.0):
    """Wait until something holds."""
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        await asyncio.sleep(0.01)


# Scripts.


def test_the_first_line_of_a_script_is_its_signature():
    """A script whose arguments were changed on one side alone is not even loaded."""
    assert {script.name for script in ALL} == {
        "submit",
        "claim",
        "renew",
        "settle",
        "cancel",
        "clear",
    }
    with pytest.raises(ValueError, match="expected its first line to be -- cancel"):
        Script("cancel", "now", "key")


def test_a_server_that_has_forgotten_the_scripts_is_sent_them_again():
    """SCRIPT FLUSH, or a restart: what did not run may be sent again."""

    async def main():
        async with open_store() as store:
            await store.submit(a_call("a"), now=now())
            shared_server().client().script_flush()
            claimed = await store.claim("ann", limit=5, lease=LEASE, now=now())
            assert [claim.call.key for claim in claimed.claims] == ["a"]

    run(main)


# Keys.


@pytest.mark.parametrize("name", ["shop", "a:b", "{a}", "}{", "%7B", "*", "naïve", "a b\n"])
def test_dockets_of_any_name_are_kept_apart(name):
    """What a docket is called decides nothing but what its keys begin with."""

    async def main():
        async with open_store(name=f"{name}{uuid4()}") as one, open_store(name="other") as other:
            await one.submit(a_call("x:due"), now=now())
            assert (await other.claim("ann", limit=5, lease=LEASE, now=now())).claims == []
            [claim] = (await one.claim("ann", limit=5, lease=LEASE, now=now())).claims
            assert claim.call.key == "x:due"

    run(main)


def test_no_two_names_have_one_prefix():
    """Escaping keeps names apart, and puts one hash tag around each."""
    names = ["a", "{a}", "%7Ba%7D", "a}", "a%7D", "{", "}"]
    prefixes = [prefix_of(name) for name in names]
    assert len(set(prefixes)) == len(names)
    assert all(prefix.count("{") == prefix.count("}") == 1 for prefix in prefixes)


async def quick(n: int) -> int:
    return n


async def failing(retry: Retry = Retry(attempts=2)) -> None:
    raise LookupError("no")


async def ticking(perpetual: Perpetual = Perpetual(every=timedelta(milliseconds=1))) -> None: ...


def test_every_key_that_is_left_after_a_mixed_load_has_a_reason():
    """What has ended has a TTL; all else is gone, but for one counter per docket."""
    name = f"mixed-{uuid4()}"
    client = shared_server().client()

    async def main():
        url = shared_server().url
        async with Docket(name, url, execution_ttl=timedelta(seconds=30)) as docket:
            await docket.add_many(docket.call(quick, key=f"q:{n}")(n) for n in range(300))
            for n in range(20):
                await docket.add(failing, key=f"f{n}")()
            await docket.add(quick, when=now() + timedelta(hours=1), key="cancelled")(1)
            await docket.cancel("cancelled")
            await docket.replace(quick, now(), "q:7")(8)
            await docket.add(ticking, key="ticking")()
            async with Worker(docket, concurrency=20) as worker:
                await worker.run_at_most({"ticking": 3})
            assert (await docket.snapshot()).running == []

    run(main)
    left = {key: client.ttl(key) for key in client.keys(f"docket-sim:{{{name}}}:*")}
    without = {key for key, ttl in left.items() if ttl < 0}
    assert without == {f"docket-sim:{{{name}}}:meta".encode()}
    assert len(left) > 300
    kept = left.pop(f"docket-sim:{{{name}}}:kept".encode())
    assert max(left.values()) <= 30 < kept <= 60, "settlements are remembered for a minute"
    client.delete(*left)


def test_a_docket_without_a_ttl_keeps_no_record():
    """With `execution_ttl` zero nothing is left of what has ended but the counter.

    For a minute it is known that it was settled, to whoever sends a settlement again.
    """
    name = f"forgetful-{uuid4()}"

    async def main():
        async with Docket(name, shared_server().url, execution_ttl=timedelta(0)) as docket:
            await docket.add_many(docket.call(quick)(n) for n in range(50))
            async with Worker(docket) as worker:
                await worker.run_until_finished()

    run(main)
    client = shared_server().client()
    kept = f"docket-sim:{{{name}}}:kept"
    assert client.zcard(kept) == 50
    assert 0 < client.ttl(kept) <= 60
    client.delete(kept)
    assert client.keys(f"docket-sim:{{{name}}}:*") == [f"docket-sim:{{{name}}}:meta".encode()]


# The server's clock.


@pytest.mark.parametrize("skew", [-3 * HOUR, 3 * HOUR], ids=str)
def test_the_servers_clock_decides_what_is_due(skew):
    """A producer or worker whose clock is wrong neither delays work nor runs it early."""

    async def main():
        async with open_store() as store:
            wrong = now() + skew
            await store.submit(TaskCall("due", "charge", b"{}", wrong), now=wrong)
            await store.submit(TaskCall("later", "charge", b"{}", now() + 4 * HOUR), now=wrong)
            claimed = await store.claim("ann", limit=5, lease=LEASE, now=wrong)
            assert [claim.call.key for claim in claimed.claims] == ["due"]
            waits = claimed.next_due - wrong
            assert 3.9 * HOUR < waits < 4.1 * HOUR
            assert claimed.claims[0].claimed_at == wrong

    run(main)


@pytest.mark.parametrize("skew", [-3 * HOUR, timedelta(0), 3 * HOUR], ids=str)
def test_a_call_that_is_due_at_once_is_queued(skew):
    """Though the server has it due by its own clock, which is always a little later than ours."""

    async def main():
        async with open_store() as store:
            here = now() + skew
            call = TaskCall("due", "charge", b"{}", here)
            for replace in (False, True):  # and a key that is taken answers the same
                for _ in range(2):
                    record = (await store.submit(call, now=here, replace=replace)).record
                    assert record.state is ExecutionState.QUEUED
            [submitted] = await store.submit_many([call], now=here)
            assert submitted.record.state is ExecutionState.QUEUED
            for record in (
                await store.get("due", now=now() + skew),
                (await store.snapshot(now=now() + skew)).records[0],
                await store.cancel("due", now=now() + skew),
            ):
                assert record.state is ExecutionState.QUEUED

    run(main)


@pytest.mark.parametrize("skew", [-3 * HOUR, 3 * HOUR], ids=str)
def test_what_follows_an_attempt_is_due_by_the_servers_clock(skew):
    """A retry is as far off as the worker meant it to be, and a rhythm keeps its pace."""

    async def main():
        async with open_store() as store:
            await store.submit(a_call("due"), now=now())
            claimed = await store.claim("ann", limit=1, lease=LEASE, now=now() + skew)
            retry = Reschedule(now() + skew + HOUR, 2, Reason.RETRY)
            assert await store.settle(claimed.claims[0], retry, now=now()) is Settled.APPLIED
            due = (await store.get("due", now=now())).call.when
            assert 0.99 * HOUR < due - now() < 1.01 * HOUR

    run(main)


def test_a_slow_answer_does_not_look_like_a_wrong_clock():
    """Only what an answer rules out is no longer taken for the difference of the clocks."""

    async def main():
        clocks, sent, start = Clocks(), asyncio.get_running_loop().time(), now()
        clocks.compare(start, start, sent - 60)  # asked a minute ago: it may have been read then
        assert clocks.there(start) == start
        clocks.compare(start - HOUR, start, sent)
        ahead = clocks.there(start) - start
        assert abs(ahead + HOUR) < timedelta(seconds=1)
        clocks.compare(start - HOUR + timedelta(seconds=30), start, sent - 60)
        assert clocks.there(start) - start == ahead

    run(main)


def test_a_call_of_the_future_is_scheduled_by_the_servers_clock():
    """It was not there yet when the call came."""

    async def main():
        async with open_store() as store:
            call = TaskCall("later", "charge", b"{}", now() + HOUR)
            submitted = await store.submit(call, now=now())
            assert submitted.record.state is ExecutionState.SCHEDULED
            assert (await store.get("later", now=now())).state is ExecutionState.SCHEDULED

    run(main)


# Notices.


def test_an_idle_worker_is_woken_by_new_work():
    """It does not poll: between the last claim and the wake-up it sends nothing."""

    async def main():
        async with open_store() as store, open_store() as unrelated:
            ear = Ear("ann")
            with store.listen(ear):
                await store.claim("ann", limit=1, lease=LEASE, now=now())
                await unrelated.submit(a_call("b"), now=now())
                await asyncio.sleep(0.05)
                assert ear.due == []
                await store.submit(a_call("a"), now=now())
                await until(lambda: ear.due)

    run(main)


def test_who_was_told_of_work_is_not_told_of_what_comes_after_it():
    """A busy docket does not ring for each call: whoever was woken looks at everything there is."""

    async def main():
        async with open_store() as store:
            ear = Ear("ann")
            with store.listen(ear):
                await store.claim("ann", limit=1, lease=LEASE, now=now())
                for key in "abcdef":
                    await store.submit(a_call(key), now=now())
                await until(lambda: ear.due)
                await store.claim("ann", limit=10, lease=LEASE, now=now())
                assert len(ear.due) == 1

    run(main)


def test_listeners_look_again_after_their_connection_was_lost():
    """What was told meanwhile is lost; that one has to look is told on coming back."""

    async def main():
        async with open_store() as store, open_store(name=None) as _:
            ear = Ear("ann")
            with store.listen(ear):
                await store.claim("ann", limit=1, lease=LEASE, now=now())
                shared_server().client().client_kill_filter(_type="pubsub")
                await until(lambda: ear.due)
                ear.due.clear()
                await store.claim("ann", limit=1, lease=LEASE, now=now())
                await store.submit(a_call("a"), now=now())
                await until(lambda: ear.due)

    run(main)


def test_watching_goes_on_after_the_connection_was_lost():
    """A change that was missed is found by reading the key once more."""

    async def main():
        async with open_store() as store:
            await store.submit(a_call("a", due=LEASE), now=now())
            watching = store.watch("a", now=now())
            assert (await anext(watching)).state is ExecutionState.SCHEDULED
            shared_server().client().client_kill_filter(_type="pubsub")
            await store.cancel("a", now=now())
            async for record in watching:
                if record.state is ExecutionState.CANCELLED:
                    break
            await watching.aclose()

    run(main)


# Connections.


def test_what_was_claimed_for_a_worker_that_stops_is_handed_back():
    """A worker that is cancelled while it claims does not take the work with it for a lease."""

    async def main():
        async with open_store() as store:
            await store.submit(a_call("a"), now=now())
            claiming = asyncio.ensure_future(
                store.claim("ann", limit=5, lease=timedelta(hours=1), now=now())
            )
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            claiming.cancel()
            with pytest.raises(asyncio.CancelledError):
                await claiming
            await until(lambda: not store._handing_back or store._handing_back[0].done())
            [claim] = (await store.claim("bob", limit=5, lease=LEASE, now=now())).claims
            assert claim.call.key == "a"

    run(main)


def test_a_server_that_stands_still_is_not_waited_for_for_ever():
    """After `socket_timeout` seconds the verb fails; when the server goes on, so does the store."""

    async def main(server):
        name = "still"
        url = f"{server.url}?socket_timeout=0.2"
        store = RedisStore(address_of(url, prefix_of(name)), name)
        await store.open()
        server.pause()
        with pytest.raises(StoreUnavailable, match=r"not answered for 0\.2 s"):
            await store.submit(a_call("a"), now=now())
        server.resume()
        await store.submit(a_call("b"), now=now())
        assert (await store.get("b", now=now())) is not None
        await store.close()

    with RedisServer() as server:
        run(lambda: main(server))


def test_a_server_that_comes_back_is_used_again():
    """Each verb fails while it is away, and nothing has to be opened anew."""

    async def main(server):
        async with open_store(server) as store:
            await store.submit(a_call("a"), now=now())
            server.kill()
            with pytest.raises(StoreUnavailable):
                await store.submit(a_call("b"), now=now())
            server.start()
            await store.submit(a_call("c"), now=now())

    with RedisServer() as server:
        run(lambda: main(server))


@pytest.mark.parametrize("loss", ["restarted without its data", "emptied"])
def test_automatic_tasks_outlive_the_data_of_the_server(loss, monkeypatch):
    """Workers stay up, and nobody but them knows that there was something to do."""
    monkeypatch.setattr(notices, "_PING", 0.2)
    ran = []

    async def tick(perpetual: Perpetual = Perpetual(timedelta(hours=1), automatic=True)):
        ran.append(perpetual)

    async def main(server):
        async with Docket("d", server.url) as docket:
            docket.register(tick)
            async with Worker(docket) as worker:
                working = asyncio.ensure_future(worker.run_forever())
                await until(lambda: len(ran) == 1)
                await asyncio.sleep(0.5)  # the idle worker asks the server nothing by itself
                if loss == "emptied":
                    server.ask("FLUSHALL")
                else:
                    server.kill()
                    server.start()
                await until(lambda: len(ran) == 2)
                working.cancel()
                await asyncio.gather(working, return_exceptions=True)
            record = (await docket.get_execution("tick")).state
            assert record is ExecutionState.SCHEDULED

    with RedisServer() as server:
        run(lambda: main(server))


def test_who_waits_for_a_result_is_told_that_the_server_was_emptied(monkeypatch):
    """Else it would wait for ever for what nobody knows of any more."""
    monkeypatch.setattr(notices, "_PING", 0.2)

    async def main(server):
        async with open_store(server) as store:
            await store.submit(a_call("a", due=HOUR), now=now())
            watching = store.watch("a", now=now())
            assert (await anext(watching)).state is ExecutionState.SCHEDULED
            await asyncio.sleep(0.5)
            server.ask("FLUSHALL")
            assert await anext(watching) is None
            await watching.aclose()

    with RedisServer() as server:
        run(lambda: main(server))


def test_a_docket_that_is_still_there_is_not_taken_for_lost(monkeypatch):
    """An idle worker is left in peace, whatever signs of life are asked for."""
    monkeypatch.setattr(notices, "_PING", 0.05)

    async def main():
        async with open_store() as store:
            ear = Ear("ann")
            with store.listen(ear):
                await store.submit(a_call("a", due=HOUR), now=now())
                await store.claim("ann", limit=1, lease=LEASE, now=now())
                ear.due.clear()
                await asyncio.sleep(0.5)
                assert ear.due == []

    run(main)


def test_a_cancelled_verb_leaves_the_connection_to_the_others():
    """Who stops waiting takes nothing from those who asked at the same time."""

    async def main():
        async with open_store() as store:
            verbs = [
                asyncio.ensure_future(store.submit(a_call(f"k{n}"), now=now())) for n in range(30)
            ]
            await asyncio.sleep(0)
            for verb in verbs[::2]:
                verb.cancel()
            answers = await asyncio.gather(*verbs, return_exceptions=True)
            assert all(isinstance(one, asyncio.CancelledError) for one in answers[::2])
            assert [one.record.call.key for one in answers[1::2]] == [
                f"k{n}" for n in range(1, 30, 2)
            ]

    run(main)


# Travelling together.


def test_requests_that_come_together_travel_together():
    """The first leaves at once; the rest of the crowd makes up groups."""

    async def main():
        groups = []

        async def send(requests):
            groups.append(len(requests))
            await asyncio.sleep(0.001)
            return [request * 2 for request in requests]

        gathering = Gathering(send, most=50)
        for _ in range(3):
            answers = await asyncio.gather(*[gathering.ask(n) for n in range(100)])
            assert answers == [n * 2 for n in range(100)]
        assert groups[:3] == [1, 50, 49]
        assert groups[3:] == [50, 50, 50, 50]

    run(main)


def test_an_error_reaches_all_who_travelled_together_and_nobody_else():
    """The next group is sent as if nothing had been."""

    async def main():
        async def send(requests):
            await asyncio.sleep(0)
            if 3 in requests:
                raise StoreUnavailable("gone")
            return requests

        gathering = Gathering(send, most=4)
        asked = [gathering.ask(n) for n in range(9)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        failed = [n for n, one in enumerate(answers) if isinstance(one, StoreUnavailable)]
        assert 3 in failed
        assert len(failed) == 4
        assert await gathering.ask(10) == 10

    run(main)


def test_the_conformance_suite_runs_on_every_server_that_was_found():
    """Beside memory and fakeredis; where no server is found, collecting the tests fails."""
    assert set(STORES) == {"memory", "fakeredis", *map(str, find_binaries())}
