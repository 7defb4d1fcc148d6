"""From a URL to connections: to one server, to whoever is master, or to the node with the slot."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from redis.asyncio import RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from docket_sim.store.redis.line import Dial

PATIENCE = 10.0
CONNECT_TIMEOUT = 5.0
_SENTINEL_PORT = 26379
_PORT = 6379


@dataclass(frozen=True, slots=True)
class Address:
    """A place to dial.

    Attributes:
        dial: opens a connection to where the docket lives now.
        patience: how many seconds an answer may take.
    """

    dial: Dial
    patience: float


def address_of(url: str, routing_key: str) -> Address:
    """The place that `url` stands for.

    Args:
        url: `redis://`, `rediss://`, `unix://`, `redis+cluster://` or `redis+sentinel://`; the last
            two may name several hosts, and have a variant with `rediss`.
        routing_key: a key of the docket; in a cluster, its slot says which node to dial.

    Raises:
        ValueError: a part of the URL cannot be understood; nothing secret is shown.
    """
    scheme = url.partition("://")[0]
    transport, _, kind = scheme.partition("+")
    if kind == "cluster":
        return _cluster(url, transport, routing_key)
    if kind == "sentinel":
        return _sentinel(url, transport)
    options = _options(url)
    patience = _patience(options)
    make = options.pop("connection_class", Connection)
    return Address(_dialling(lambda: _ready({}), make, options), patience)


async def _ready(found: dict[str, Any]) -> dict[str, Any]:
    return found


def _dialling(
    locate: Callable[[], Awaitable[dict[str, Any]]], make: Callable[..., Any], options: Any
) -> Dial:
    async def dial() -> Any:
        connection = make(**{**options, **await locate()})
        try:
            await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection

    return dial


def _sentinel(url: str, transport: str) -> Address:
    hosts, rest = _hosts(url, _SENTINEL_PORT)
    parts = [unquote(part) for part in rest.path.split("/") if part]
    if not parts:
        raise ValueError(
            "expected a URL such as redis+sentinel://host:26379/SERVICE/0, "
            "found none that names the service"
        )
    query = {name: values[0] for name, values in parse_qs(rest.query).items()}
    sentinel_options = {
        name.removeprefix("sentinel_"): query.pop(name)
        for name in list(query)
        if name.startswith("sentinel_")
    }
    database = parts[1] if len(parts) > 1 else "0"
    options = _options(_plain_url(transport, rest, "localhost", f"/{database}", query))
    patience = _patience(options)
    make = options.pop("connection_class", Connection)

    async def locate() -> dict[str, Any]:
        asked = {"socket_timeout": CONNECT_TIMEOUT, "protocol": 2, **sentinel_options}
        sentinel: Any = Sentinel(hosts, sentinel_kwargs=asked)
        try:
            host, port = await sentinel.discover_master(parts[0])
        finally:
            for client in sentinel.sentinels:
                await client.aclose()
        return {"host": host, "port": port}

    return Address(_dialling(locate, make, options), patience)


def _cluster(url: str, transport: str, routing_key: str) -> Address:
    hosts, rest = _hosts(url, _PORT)
    query = {name: values[0] for name, values in parse_qs(rest.query).items()}
    options = _options(_plain_url(transport, rest, "localhost", "/0", query))
    patience = _patience(options)
    make = options.pop("connection_class", Connection)
    for_cluster = {
        name: value
        for name, value in options.items()
        if name in ("username", "password") or name.startswith("ssl_")
    }

    async def locate() -> dict[str, Any]:
        nodes = [ClusterNode(host, port) for host, port in hosts]
        cluster: Any = RedisCluster(
            startup_nodes=nodes, ssl=make is SSLConnection, protocol=2, **for_cluster
        )
        try:
            await cluster.initialize()
            node = cluster.get_node_from_key(routing_key)
        finally:
            await cluster.aclose()
        if node is None:
            raise RedisError("no node of the cluster has the docket's slot")
        return {"host": node.host, "port": node.port}

    return Address(_dialling(locate, make, options), patience)


def _options(url: str) -> dict[str, Any]:
    try:
        options = cast("dict[str, Any]", dict(parse_url(url)))
    except ValueError as error:
        raise ValueError(f"the store's URL cannot be understood: {error}") from None
    return {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        "socket_keepalive": True,
        **options,
        "protocol": 2,
        "decode_responses": False,
        # Nothing is to be sent twice, and dialling again is the caller's decision.
        "retry": Retry(NoBackoff(), 0),
    }


def _patience(options: dict[str, Any]) -> float:
    """`socket_timeout` bounds how long an answer may take, not how long a connection may idle."""
    given = options.get("socket_timeout")
    options["socket_timeout"] = None
    if options.get("path"):
        options.pop("socket_keepalive")
    return PATIENCE if given is None else float(given)


def _hosts(url: str, port: int) -> tuple[list[tuple[str, int]], Any]:
    rest = urlsplit(url)
    netloc = rest.netloc.rpartition("@")[2]
    found: list[tuple[str, int]] = []
    for part in netloc.split(","):
        match = re.fullmatch(r"(\[[^]]+\]|[^:\[\]]+)(?::(\d+))?", part)
        if match is None:
            raise ValueError(f"expected hosts as host:port,host:port in the URL, found {part!r}")
        found.append((match[1].strip("[]"), int(match[2] or port)))
    return found, rest


def _plain_url(transport: str, rest: Any, host: str, path: str, query: dict[str, str]) -> str:
    user, at, _ = rest.netloc.rpartition("@")
    tail = f"?{urlencode(query)}" if query else ""
    return f"{transport}://{user}{at}{host}{path}{tail}"


def masked(url: str) -> str:
    """The URL as it may be shown: without its password, and without what its query says."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name = user.partition(":")[0]
    shown = f"{name}:***@" if at else ""
    return f"{scheme}{separator}{shown}{place.partition('?')[0]}"
