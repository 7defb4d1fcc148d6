"""The health endpoint: truthful, and unmoved by whatever clients do."""

import asyncio
import json
from http import HTTPStatus

import pytest

from docket_sim import Docket, MemoryStore, StoreUnavailable, Worker
from docket_sim.cli import condition as condition_module
from docket_sim.cli import http as http_module
from docket_sim.cli.condition import Condition, Phase
from docket_sim.cli.http import Answer, HttpServer
from docket_sim.cli.masking import Secrets


class MoodyStore(MemoryStore):
    """A store that answers, refuses or hangs, as it is told."""

    mood = "well"
    asked = 0

    async def get(self, key, *, now):
        self.asked += 1
        if self.mood == "refusing":
            raise StoreUnavailable("AUTH hunter2 was refused")
        if self.mood == "hanging":
            await asyncio.sleep(3600)
        return await super().get(key, now=now)


async def with_condition(check, store=None):
    """Run `check` with the condition of a worker that works."""
    async with Docket(store=store or MemoryStore()) as docket, Worker(docket, "w1") as worker:
        condition = Condition(docket, Secrets("redis://:hunter2@localhost"))
        claiming = asyncio.create_task(worker.run_forever())
        condition.working(worker, claiming)
        try:
            return await check(condition, claiming)
        finally:
            claiming.cancel()


def test_a_worker_that_works_is_healthy():
    """And says which worker of which docket it is, and how busy."""

    async def check(condition, claiming):
        answer = await condition.answer("/health")
        assert answer.status is HTTPStatus.OK
        assert answer.body == {
            "status": "healthy", "phase": "working", "docket": "docket", "worker": "w1",
            "in_hand": 0, "concurrency": 10,
        }  # fmt: skip

    asyncio.run(with_condition(check))


def test_a_worker_that_has_ceased_to_claim_is_not_healthy():
    """Whatever ended the claim loop: the endpoint does not outlive it as a lie."""

    async def check(condition, claiming):
        claiming.cancel()
        await asyncio.wait({claiming})
        answer = await condition.answer("/health")
        assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.body["problem"] == "the worker has ceased to claim work"

    asyncio.run(with_condition(check))


def test_a_worker_that_starts_is_not_healthy_but_alive():
    """A probe may come before the store has been reached."""

    async def check():
        condition = Condition(Docket(store=MemoryStore()), Secrets("redis://"))
        answer = await condition.answer("/health")
        assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.body["problem"] == "the worker is starting, and claims no work"
        assert (await condition.answer("/live")).status is HTTPStatus.OK

    asyncio.run(check())


def test_a_worker_that_drains_is_not_asked_for_its_store():
    """It is on its way out, whatever the store says."""
    store = MoodyStore()

    async def check(condition, claiming):
        condition.phase = Phase.DRAINING
        answer = await condition.answer("/health")
        assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE
        assert store.asked == 0

    asyncio.run(with_condition(check, store))


def test_a_store_that_refuses_is_told_without_its_password():
    """The body says what is wrong to whoever can reach the port."""
    store = MoodyStore()
    store.mood = "refusing"

    async def check(condition, claiming):
        answer = await condition.answer("/health")
        assert answer.status is HTTPStatus.SERVICE_UNAVAILABLE
        assert answer.body["problem"] == "StoreUnavailable: AUTH *** was refused"
        store.mood = "well"
        assert (await condition.answer("/health")).status is HTTPStatus.OK

    asyncio.run(with_condition(check, store))


def test_a_store_that_hangs_is_asked_once_however_many_ask(monkeypatch):
    """Probes do not pile up, every one of them is answered, and a later one asks again."""
    monkeypatch.setattr(condition_module, "PATIENCE", condition_module.PATIENCE / 20)
    store = MoodyStore()
    store.mood = "hanging"

    async def ask(condition, delay):
        await asyncio.sleep(delay)
        return await condition.answer("/health")

    async def check(condition, claiming):
        answers = await asyncio.gather(*(ask(condition, n / 200) for n in range(5)))
        assert {answer.status for answer in answers} == {HTTPStatus.SERVICE_UNAVAILABLE}
        assert "has not answered within" in str(answers[-1].body["problem"])
        assert store.asked == 1
        store.mood = "well"
        assert (await condition.answer("/health")).status is HTTPStatus.OK

    asyncio.run(with_condition(check, store))


def test_another_path_is_not_found():
    """The message names those that there are."""

    async def check(condition, claiming):
        answer = await condition.answer("/metrics")
        assert answer.status is HTTPStatus.NOT_FOUND
        assert answer.body["error"] == "expected /health or /live, found /metrics"

    asyncio.run(with_condition(check))


# The server.


async def echo(path):
    """Answers with the path."""
    return Answer(HTTPStatus.OK, {"path": path})


async def exchange(server, request, *, answer_expected=True):
    """Send bytes, and give the status and the body of what comes back."""
    host, _, port = server.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    response = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    if not answer_expected:
        return response
    head, _, body = response.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def serving(check, answer=echo):
    """Run `check` with a server."""

    async def run():
        async with HttpServer("127.0.0.1", 0, answer) as server:
            await check(server)

    asyncio.run(run())


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /health HTTP/1.0\r\n\r\n",
        b"GET /health?verbose=1 HTTP/1.1\nHost: x\n\n",
    ],
)
def test_a_get_is_answered(request_):
    """As curl, a load balancer and a shell script write it."""

    async def check(server):
        status, body = await exchange(server, request_)
        assert (status, json.loads(body)) == (200, {"path": "/health"})

    serving(check)


def test_a_head_is_answered_without_a_body():
    """Some load balancers ask so."""

    async def check(server):
        assert await exchange(server, b"HEAD /health HTTP/1.1\r\n\r\n") == (200, b"")

    serving(check)


def test_another_method_is_refused():
    """Nothing can be changed through this endpoint."""

    async def check(server):
        status, body = await exchange(server, b"POST /health HTTP/1.1\r\n\r\n")
        assert (status, json.loads(body)["error"]) == (405, "expected GET or HEAD, found POST")

    serving(check)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n",
        b"GET\r\n\r\n",
        b"get /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/2.0\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
    ids=["empty", "tls", "short", "lower case", "http2", "long target", "many", "long header"],
)
def test_garbage_is_refused_and_the_next_request_is_answered(garbage):
    """With a 400 where the client still listens; a client cut off in mid-send may see a reset."""

    async def check(server):
        try:
            response = await exchange(server, garbage, answer_expected=False)
        except ConnectionError:
            response = b""
        assert response == b"" or response.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert (await exchange(server, b"GET / HTTP/1.1\r\n\r\n"))[0] == 200

    serving(check)


def test_a_client_that_says_nothing_is_hung_up_on(monkeypatch):
    """Its time is bounded, whether it sends nothing or byte by byte."""
    monkeypatch.setattr(http_module, "_PATIENCE", 0.05)

    async def check(server):
        assert await exchange(server, b"GET /hea", answer_expected=False) == b""

    serving(check)


def test_slow_clients_do_not_keep_others_out(monkeypatch):
    """Where there are too many, the one that has taken longest gives way."""
    monkeypatch.setattr(http_module, "_CLIENTS", 3)

    async def check(server):
        host, _, port = server.address.rpartition(":")
        slow = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
        assert (await exchange(server, b"GET / HTTP/1.1\r\n\r\n"))[0] == 200
        assert await asyncio.wait_for(slow[0][0].read(), 5) == b""
        for _, writer in slow:
            writer.close()

    serving(check)


def test_an_open_connection_does_not_hold_up_the_end(monkeypatch):
    """The server closes, whoever is still connected."""

    async def check():
        async with HttpServer("127.0.0.1", 0, echo) as server:
            host, _, port = server.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            await exchange(server, b"GET / HTTP/1.1\r\n\r\n")
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()

    asyncio.run(asyncio.wait_for(check(), 5))


def test_an_address_of_ipv6_is_written_in_brackets():
    """So that it can be used in a URL."""
    assert HttpServer("::1", 80, echo).address == "[::1]:80"
