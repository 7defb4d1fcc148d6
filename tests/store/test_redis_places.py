"""Every kind of place that a URL can name, on real servers; what is said where there is none."""

import asyncio
import re
import signal
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from servers import (
    Proxy,
    RedisCluster,
    RedisServer,
    SentinelPair,
    binary_with_tls,
    find_binaries,
    shared_server,
    wait_until,
)

from docket_sim import Docket, StoreUnavailable, Worker
from docket_sim.store import redis as redis_store
from docket_sim.store.redis import address_of, masked, notices, prefix_of

SECRET = "s3cr3t/@:#?"
QUOTED = "s3cr3t%2F%40%3A%23%3F"
WRONG = "wr0ng-s3cr3t"
PATIENCE = 10.0
SOON = timedelta(milliseconds=50)
SLOTS = range(16_384)


async def double(n: int) -> int:
    """The task of these tests."""
    return 2 * n


def run(main):
    """Run an async function on an event loop in real time; not for ever, even if the loop hangs."""

    def stood_still(number, frame):
        raise AssertionError("the event loop has not come round any more")

    before = signal.signal(signal.SIGALRM, stood_still)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE + 2)
    try:
        return asyncio.run(asyncio.wait_for(main, PATIENCE))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def fresh(prefix="places") -> str:
    """A docket's name that nobody has used."""
    return f"{prefix}-{uuid4()}"


async def one_task_to_its_end(url: str, name: str) -> int:
    """Have one docket add a task, a worker run it, and another docket get its result."""
    async with Docket(name, url) as here, Docket(name, url) as elsewhere:
        added = await here.add(double)(21)
        async with Worker(here) as worker:
            await worker.run_until_finished()
        elsewhere.register(double)
        execution = await elsewhere.get_execution(added.key)
        return await execution.get_result()


# Every kind of place.


@pytest.fixture(scope="module")
def places():
    """A cluster, a cluster that speaks TLS, and a sentinel's pair: formed at the same time."""
    cluster, pair = RedisCluster(), SentinelPair()
    tls_node = RedisServer(
        binary_with_tls(), tls=True, config=["cluster-enabled yes", "tls-cluster yes"]
    )
    with ExitStack() as stack, ThreadPoolExecutor(3) as together:
        for one in (cluster, pair, tls_node):
            stack.callback(one.close)
        starting = [together.submit(one.start) for one in (cluster, pair)]
        tls_node.start()
        tls_node.ask("CLUSTER", "ADDSLOTS", *SLOTS)
        wait_until(lambda: b"state:ok" in tls_node.ask("CLUSTER", "INFO"), "its cluster is whole")
        for one in starting:
            one.result()
        yield {"cluster": cluster, "sentinel": pair, "cluster with TLS": tls_node}


@pytest.mark.parametrize(
    ("options", "url_of"),
    [
        ({}, lambda server: server.url),
        ({}, lambda server: server.url_for(3)),
        ({"password": SECRET}, lambda server: server.url),
        ({"unixsocket": True}, lambda server: server.unix_url),
        ({"unixsocket": True, "password": SECRET}, lambda server: server.unix_url),
    ],
    ids=["a server", "a database", "a password", "a socket", "a socket with a password"],
)
def test_a_task_is_run_to_its_end_on(options, url_of):
    """One docket adds it, a worker runs it, another docket gets its result."""
    with RedisServer(**options) as server:
        assert run(one_task_to_its_end(url_of(server), fresh())) == 42


def test_a_task_is_run_to_its_end_over_tls():
    """The authority that has signed the server's certificate stands in the URL."""
    with RedisServer(binary_with_tls(), tls=True, password=SECRET) as server:
        assert "ssl_ca_certs=" in server.url
        assert run(one_task_to_its_end(server.url, fresh())) == 42
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            run(one_task_to_its_end(server.url.partition("?")[0], fresh()))


def test_dockets_are_spread_over_the_nodes_of_a_cluster(places):
    """All keys of a docket are in one slot, which its name decides."""
    cluster = places["cluster"]
    used = set()
    for number in range(20):
        name = fresh(f"{number}")
        assert run(one_task_to_its_end(cluster.url, name)) == 42
        owner = cluster.owner_of(cluster.slot_of(prefix_of(name)))
        assert owner.ask("EXISTS", f"{prefix_of(name)}meta")
        used.add(owner)
        if used == set(cluster.nodes):
            return
    raise AssertionError("twenty dockets were on less than three nodes")


def test_a_task_is_run_to_its_end_on_a_cluster_over_tls(places):
    """The scheme is `rediss+cluster://` then."""
    node = places["cluster with TLS"]
    url = node.url.replace("rediss://", "rediss+cluster://")
    assert run(one_task_to_its_end(url, fresh())) == 42


def test_a_task_is_run_to_its_end_at_a_sentinels_master(places):
    """Whichever of the two servers that is."""
    assert run(one_task_to_its_end(places["sentinel"].url, fresh())) == 42


@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
def test_of_several_hosts_one_is_enough(places, kind):
    """Those that are away are passed over."""
    scheme, _, rest = places[kind].url.partition("://")
    assert run(one_task_to_its_end(f"{scheme}://127.0.0.1:1,{rest}", fresh())) == 42


# Places that move.


async def _works_again(docket: Docket) -> int:
    """Add tasks until one is accepted and its result is here; return how many were refused."""
    refused = 0
    while True:
        try:
            execution = await docket.add(double)(refused)
        except StoreUnavailable:
            refused += 1
            await asyncio.sleep(0.05)
            continue
        assert await execution.get_result() == 2 * refused
        return refused


def test_a_docket_whose_slot_is_moved_is_followed_after_one_error(places):
    """What was on its way is answered MOVED, and so was not done; the next finds the new owner."""
    cluster = places["cluster"]
    name = fresh()
    slot = cluster.slot_of(prefix_of(name))
    owner = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not owner)

    async def main():
        async with Docket(name, cluster.url) as docket, Docket(name, cluster.url) as busy:
            busy.register(double)
            async with Worker(busy, reconnection_delay=SOON) as worker:
                running = asyncio.create_task(worker.run_forever())
                assert await _works_again(docket) == 0
                waits = await docket.add(double, when=docket.now() + timedelta(seconds=1))(4)
                await asyncio.to_thread(cluster.move_slot, slot, target)
                assert await _works_again(docket) <= 1
                assert await _works_again(docket) == 0
                assert await waits.get_result() == 8
                running.cancel()
                await asyncio.wait([running])

    run(main())
    assert target.ask("EXISTS", f"{prefix_of(name)}meta")


def test_whoever_only_waits_for_a_result_finds_it_though_the_slot_is_moved(places, monkeypatch):
    """Where its connection leads, nothing is told any more; nothing else would show it the move."""
    monkeypatch.setattr(notices, "_PING", 0.3)
    cluster = places["cluster"]
    name = fresh()
    slot = cluster.slot_of(prefix_of(name))
    owner = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not owner)

    async def main():
        async with Docket(name, cluster.url) as docket:
            waits = await docket.add(double)(4)
            waiting = asyncio.create_task(waits.get_result())
            await asyncio.sleep(0.1)
            await asyncio.to_thread(cluster.move_slot, slot, target)
            async with Docket(name, cluster.url) as busy:
                busy.register(double)
                async with Worker(busy, reconnection_delay=SOON) as worker:
                    await worker.run_until_finished()
            assert await waiting == 8

    run(main())


def test_who_asks_where_the_slot_was_is_told_what_has_happened(places):
    """In words, and that nothing was done."""
    cluster = places["cluster"]
    name = fresh()
    slot = cluster.slot_of(prefix_of(name))
    owner = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not owner)

    async def main():
        async with Docket(name, cluster.url) as docket:
            await docket.add(double)(1)
            await asyncio.to_thread(cluster.move_slot, slot, target)
            with pytest.raises(StoreUnavailable, match=r"at another node.* was not done"):
                await docket.add(double)(2)
            assert (await docket.snapshot()).total_tasks == 1

    run(main())


@pytest.mark.parametrize("how", ["on demand", "because the master died"])
def test_a_worker_goes_on_after_a_fail_over(how):
    """It asks the sentinel anew, and finds there what had been replicated."""
    name = fresh()

    def fail_over(pair):
        if how == "on demand":
            return pair.fail_over()
        before = pair.master_port()
        pair.kill_master()
        return pair.wait_for_new_master(before)

    async def main(pair):
        async with Docket(name, pair.url) as docket, Docket(name, pair.url) as busy:
            busy.register(double)
            async with Worker(busy, reconnection_delay=SOON) as worker:
                running = asyncio.create_task(worker.run_forever())
                assert await _works_again(docket) == 0
                await asyncio.to_thread(fail_over, pair)
                await _works_again(docket)
                assert await _works_again(docket) == 0
                running.cancel()
                await asyncio.wait([running])

    with SentinelPair() as pair:
        before = pair.master_port()
        run(main(pair))
        assert pair.master_port() != before
        assert pair.master.ask("EXISTS", f"{prefix_of(name)}meta")


def test_what_a_sentinel_names_must_be_a_master(places):
    """It may be behind; a replica would refuse every change, and tell nothing."""
    pair = places["sentinel"]
    pair.sentinel.ask("SENTINEL", "MONITOR", "stale", "127.0.0.1", pair.replica.port, 1)
    try:
        with pytest.raises(StoreUnavailable, match="no master"):
            run(one_task_to_its_end(pair.url.replace("/main/", "/stale/"), fresh()))
    finally:
        pair.sentinel.ask("SENTINEL", "REMOVE", "stale")


# Users with few rights.

COMMANDS = (
    "del eval evalsha exists expire hdel hget hgetall hincrby hmget hset persist pexpire ping "
    "publish pubsub|numsub rename scan subscribe time type unsubscribe zadd zcard zrange "
    "zrangebyscore zrem zscore"
)
RULES = f"~docket-sim:* &docket-sim:* {' '.join(f'+{name}' for name in COMMANDS.split())}"
"""All that a docket needs, whoever asks: the keys, the channels and the commands of a user."""
MORE = {"cluster": "+cluster|slots", "sentinel": "+role"}
"""What is needed besides to find out where it lives."""
FOR_SIMULATIONS = "+unlink"
"""What is needed besides to remove a docket, as simulations do."""
USER = f"resetkeys resetchannels -@all {RULES}"


def test_the_rules_name_every_command_that_is_used_and_no_other():
    """What is compared is the source, so that the rules cannot grow old."""
    room = Path(redis_store.__file__).parent
    sources = [room / f"{name}.py" for name in ("line", "mending", "notices", "store")]
    text = "".join(path.read_text() for path in [*sources, *room.glob("lua/*.lua")])
    words = set(re.findall(r"""["']([A-Z]{3,})["']""", text))
    options = {"COUNT", "LIMIT", "MATCH", "NUMSUB", "WITHSCORES"}
    allowed = {name.partition("|")[0].upper() for name in COMMANDS.split()}
    assert words - options - {"UNLINK"} == allowed


@pytest.mark.parametrize("binary", find_binaries(), ids=str)
def test_a_user_with_those_rules_can_do_everything_that_a_docket_does(binary):
    """Nothing is denied but that the client names itself, which is no loss; and all is needed."""
    users = {"shop": f"on >{WRONG} {USER}"}
    with RedisServer(binary, users=users) as server:
        run(_everything(server.url_for(0, user="shop", password=WRONG), server))
        denied = [entry[entry.index(b"object") + 1] for entry in server.ask("ACL", "LOG")]
        assert {name.partition(b"|")[0] for name in denied} <= {b"client"}
        used = {name.removeprefix("cmdstat_") for name in server.ask("INFO", "commandstats")}
        assert {name.partition("|")[0] for name in COMMANDS.split()} <= {
            name.partition("|")[0] for name in used
        }


@pytest.mark.parametrize("kind", ["cluster", "sentinel"])
def test_finding_out_where_a_docket_lives_takes_one_right_more(places, kind):
    """Of the nodes of a cluster; or of the servers, not of the sentinel."""
    place = places[kind]
    servers = place.nodes if kind == "cluster" else place.servers
    url = place.url.replace("://", f"://shop:{WRONG}@")
    for server in servers:
        server.ask("ACL", "SETUSER", "shop", "reset", "on", f">{WRONG}", *USER.split())
    with pytest.raises(StoreUnavailable, match="no permissions"):
        run(one_task_to_its_end(url, fresh()))
    for server in servers:
        server.ask("ACL", "SETUSER", "shop", MORE[kind])
    assert run(one_task_to_its_end(url, fresh())) == 42


async def _everything(url, server):
    """What dockets, workers and those who watch do, also where a foreign hand was."""
    name, day, release = fresh(), timedelta(days=1), asyncio.Event()

    async def blocks(n: int) -> None:
        await release.wait()

    async with Docket(name, url) as docket, Docket(name, url, execution_ttl=day) as other:
        other.register(double)
        other.register(blocks)
        async with Worker(other) as worker:
            running = asyncio.create_task(worker.run_forever())
            for n in range(2):  # the second takes the place of what has ended
                again = await docket.add(double, key="again")(n)
                assert await again.get_result() == 2 * n
            tomorrow = docket.now() + day
            blocked = await docket.add(blocks, key="blocked")(1)
            async for record in blocked.subscribe():
                if record.worker is not None:
                    break
            for n in range(2):  # cancelled, and replaced, while an attempt still runs
                await docket.replace(blocks, tomorrow, key="blocked")(n)
                await docket.cancel("blocked")
            release.set()
            await docket.add_many([docket.call(double, tomorrow, key=f"{n}")(n) for n in range(3)])
            assert (await docket.snapshot()).total_tasks == 3
            server.ask("SET", f"{prefix_of(name)}x:0", "foreign")
            server.ask("SET", f"{prefix_of(name)}due", "foreign")
            assert await docket.clear() == 2
            assert await _works_again(docket) == 0
            running.cancel()
            await asyncio.wait([running])
    async with Docket(name, url, execution_ttl=timedelta(0)) as forgetful:
        await forgetful.add(double, key="forgotten")(1)
        await forgetful.cancel("forgotten")


# Places that are not there.


SECRETS = (SECRET, QUOTED, WRONG, "s3c", "r3t", "wr0ng")


def says_nothing_secret(*shown: object) -> None:
    """Fail if anything, as it is shown or as an error with those behind it, has a secret in it."""
    for one in shown:
        told = [str(one), repr(one)]
        if isinstance(one, BaseException):
            told += traceback.TracebackException.from_exception(one).format_exception_only()
            told += [repr(one.args)]
            says_nothing_secret(*filter(None, (one.__cause__, one.__context__)))
        assert not [text for text in told if any(secret in text for secret in SECRETS)]


def refused_at(url: str, within: float = 2.0) -> str:
    """What is said when a docket cannot be opened; nothing secret, and soon."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as raised:
        run(_opened(url))
    assert time.monotonic() - began < within
    says_nothing_secret(raised.value)
    return str(raised.value)


async def _opened(url):
    async with Docket(fresh(), url):
        pass


@pytest.mark.parametrize(
    "place",
    [
        f"redis://:{QUOTED}@127.0.0.1:1/0",
        f"rediss://:{QUOTED}@127.0.0.1:1/0",
        f"unix://:{QUOTED}@/nowhere/redis.sock",
        f"redis+cluster://:{QUOTED}@127.0.0.1:1,127.0.0.1:2",
        f"redis+sentinel://:{QUOTED}@127.0.0.1:1,127.0.0.1:2/main/0?sentinel_password={QUOTED}",
    ],
)
def test_a_place_where_nobody_is_cannot_be_opened(place):
    """The message says where that was, and at once."""
    said = refused_at(place)
    assert "/nowhere/redis.sock" in said or "127.0.0.1:1" in said
    assert "+" not in place.partition("://")[0] or "127.0.0.1:2" in said


def test_a_sentinel_that_knows_no_such_service_says_so(places):
    """The name is in the message: it may have been mistyped."""
    said = refused_at(places["sentinel"].url.replace("/main/", "/mane/"))
    assert "no sentinel knows the master of 'mane'" in said


@pytest.mark.parametrize(
    ("options", "url_of", "said"),
    [
        ({}, lambda server: server.url_for(0, password=WRONG), "invalid username-password pair"),
        (
            {"unixsocket": True},
            lambda server: server.unix_url.replace(QUOTED, WRONG),
            "invalid username-password pair",
        ),
        ({}, lambda server: server.url_for(0, password=""), "Authentication required"),
        ({}, lambda server: f"redis://127.0.0.1:{server.port}/0", "Authentication required"),
        (
            {"users": {"ann": f"on >{WRONG} ~* &* +get"}},
            lambda server: server.url_for(0, user="ann", password=WRONG),
            "no permissions",
        ),
    ],
    ids=["a wrong password", "at a socket", "an empty password", "no password", "a poor user"],
)
def test_who_may_not_come_in_is_told_when_opening(options, url_of, said):
    """Not only by the first task that is added: a service is to fail when it is started."""
    with RedisServer(password=SECRET, **options) as server:
        assert said in refused_at(url_of(server))


def test_a_wrong_password_is_refused_by_a_cluster_and_by_a_sentinels_master(places):
    """Whoever is asked first."""
    for kind in ("cluster", "sentinel"):
        scheme, _, rest = places[kind].url.partition("://")
        said = refused_at(f"{scheme}://:{WRONG}@{rest}")
        assert "AUTH" in said or "invalid username-password pair" in said


def test_a_server_that_does_not_answer_does_not_hold_up_the_opening_for_ever():
    """The system accepts connections in the name of a process that stands still."""
    with Proxy(shared_server().port) as proxy:
        proxy.stall()
        assert "has not answered for 0.2 s" in refused_at(
            f"{proxy.url}?socket_timeout=0.2&socket_connect_timeout=0.2"
        )
        proxy.flow()
        assert run(one_task_to_its_end(proxy.url, fresh())) == 42


# URLs that cannot be understood.


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"redis://:{QUOTED}@host:door/0", "expected the store's URL as"),
        (f"redis://:{QUOTED}@host:99999/0", "expected the store's URL as"),
        (f"redis://:{QUOTED}@[::1/0", "expected the store's URL as"),
        ("redis://:s3c#r3t@host", "write # / ? @ and the like as %23"),
        ("redis://ann:s3c/r3t@host", "write # / ? @ and the like as %23"),
        ("redis://ann:12/r3t@host", "write # / ? @ and the like as %23"),
        ("redis://ann:12?r3t=s3c@host", "write # / ? @ and the like as %23"),
        ("unix://:s3c?r3t@/run/redis.sock", "write # / ? @ and the like as %23"),
        ("unix://:s3c/r3t@/run/redis.sock", "write # / ? @ and the like as %23"),
        (f"unix://:{QUOTED}@", "expected the store's URL as"),
        (f"redis://:{QUOTED}@host/first", "expected the number of a database"),
        (f"redis://:{QUOTED}@host/0?db=first", "Invalid value for 'db'"),
        (f"redis://:{QUOTED}@host/0?socket_timeout={WRONG}", "Invalid value for 'socket_timeout'"),
        (f"redis://:{QUOTED}@host/0?color=blue", "the option 'color' is unknown"),
        (f"rediss://:{QUOTED}@host/0?ssl_cert_reqs=maybe", "Invalid SSL Certificate"),
        ("redis+cluster://", "written as host:port,host:port"),
        (f"redis+cluster://:{QUOTED}@host:door", "written as host:port,host:port"),
        ("redis+cluster://ann:s3c/r3t@host:1", "write # / ? @ and the like as %23"),
        (f"redis+cluster://:{QUOTED}", "written as host:port,host:port"),
        (f"redis+cluster://:{QUOTED}@host/3", "expected no database but 0"),
        (f"redis+sentinel://:{QUOTED}@host:1", "found none that names the service"),
        (f"redis+sentinel://:{QUOTED}@host:1/main/first", "expected the number of a database"),
        (f"redis+sentinel://host/main?sentinel_color={WRONG}", "the option 'color' is unknown"),
        (f"redis+mirror://:{QUOTED}@host", "found the scheme 'redis+mirror'"),
        (f":{QUOTED}@host", "found the scheme '<none>'"),
    ],
)
def test_a_url_that_cannot_be_understood_is_refused_when_a_docket_is_made(url, said):
    """What is wrong is said without showing what may be a secret."""
    with pytest.raises(ValueError) as raised:
        Docket("places", url)
    assert said in str(raised.value)
    says_nothing_secret(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "redis://host/",
        "redis://[::1]:6379/3",
        f"rediss://ann:{QUOTED}@host:6380/0?ssl_cert_reqs=none&socket_timeout=3",
        "unix:///run/redis.sock",
        f"unix://ann:{QUOTED}@/run/redis.sock?db=3",
        "redis+cluster://one,two:7001,[::1]:7002/0",
        f"rediss+cluster://ann:{QUOTED}@one?ssl_ca_certs=/ca.crt",
        "redis+sentinel://one,two:26380/main",
        f"rediss+sentinel://ann:{QUOTED}@one/main/3?sentinel_username=bob&sentinel_password={QUOTED}",
    ],
)
def test_nothing_that_is_made_from_a_url_shows_a_secret(url):
    """Neither docket, store, connection nor address, nor the URL as it may be shown."""
    docket = Docket("places", url)
    address = address_of(url, prefix_of("places"))
    store = docket._store
    says_nothing_secret(docket, store, store._line, store.notices, address, address.dial)
    says_nothing_secret(address.dial.__self__, address.dial.__self__._line, masked(url))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host:1/0", "redis://host:1/0"),
        ("redis://:s3cr3t@host/0", "redis://:***@host/0"),
        ("redis://ann:s3cr3t@host/0", "redis://ann:***@host/0"),
        ("redis://s3cr3t@host/0", "redis://***@host/0"),
        ("redis://:s3/c@r3t@host/0", "redis://:***@host/0"),
        ("redis+sentinel://host/main?sentinel_password=s3cr3t", "redis+sentinel://host/main"),
    ],
)
def test_a_url_is_shown_without_what_may_be_a_secret(url, shown):
    """A name that stands alone may be a password that lacks its colon."""
    assert masked(url) == shown
