"""From a URL to connections: to one server, to whoever is master, or to the node with the slot."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlencode, urlsplit
from weakref import WeakSet

from redis.asyncio.connection import Connection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import RedisError

from docket_sim.store.redis.line import Dial
from docket_sim.store.redis.unhindered import unhindered

PATIENCE = 10.0
CONNECT_TIMEOUT = 5.0
_SENTINEL_PORT = 26379
_PORT = 6379
_NO_DETAILS = (
    "expected the store's URL as SCHEME://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE, found "
    "another form; not shown, since it may hold a password. In a password, write # / ? @ and the "
    "like as %23 %2F %3F %40"
)

Place = tuple[str, int]
"""Host and port."""


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
            two may name several hosts, and have a variant with `rediss`. A sentinel is sent no
            password but `sentinel_password`; what begins with `ssl_` holds for it as well.
        routing_key: a key of the docket; in a cluster, its slot says which node to dial.

    Raises:
        ValueError: a part of the URL cannot be understood; nothing secret is shown.
    """
    transport, _, kind = url.partition("://")[0].partition("+")
    parts = _split(url)
    if kind == "cluster":
        return _cluster(parts, transport, routing_key)
    if kind == "sentinel":
        return _sentinel(parts, transport)
    if transport != "unix":
        _check_database(parts.path)
    line, patience = _dialled_by(url)
    return Address(_Dialler(line).dial, patience)


# Connections.


@dataclass(frozen=True, slots=True, repr=False)
class _Line:
    """How a connection is opened; not shown, since it may hold a password.

    Attributes:
        make: makes a connection.
        options: what is given to `make`.
        patience: how many seconds opening one may take, besides the network's part of it.
    """

    make: Callable[..., Any]
    options: dict[str, Any]
    patience: float

    async def open(self, place: Place | None, *greeting: str) -> tuple[Any, Any]:
        """A connection, and what is answered there to a first command.

        Without that command, a server that demands a password would pass for one that is there.
        """
        there = {} if place is None else {"host": place[0], "port": place[1]}
        connection = self.make(**{**self.options, **there})
        try:
            async with asyncio.timeout(connection.socket_connect_timeout + self.patience):
                await connection.connect()
                await connection.send_command(*greeting)
                answer = await connection.read_response(disable_decoding=True)
        except TimeoutError:
            await connection.disconnect(nowait=True)
            raise RedisError(f"it has not answered for {self.patience:g} s") from None
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return connection, answer

    async def ask(self, place: Place, *command: str) -> Any:
        """What one place answers to one command."""
        connection, answer = await self.open(place, *command)
        await connection.disconnect(nowait=True)
        return answer

    async def ask_first(self, places: list[Place], *command: str) -> tuple[Place, Any]:
        """The first of the places that answers something, and what it answers.

        Raises:
            RedisError: none does; the reasons are in the message.
        """
        reasons: list[str] = []
        for place in places:
            try:
                answer = await self.ask(place, *command)
            except (RedisError, OSError) as error:
                reasons.append(str(error))
                continue
            if answer:
                return place, answer
            reasons.append(f"{place[0]}:{place[1]} does not know")
        raise RedisError("; ".join(reasons))


class _Dialler:
    """Opens connections to where the docket lives now, and ends those to where it has lived."""

    def __init__(
        self,
        line: _Line,
        locate: Callable[[], Awaitable[Place]] | None = None,
        *,
        master: bool = False,
    ) -> None:
        """
        Args:
            line: how a connection is opened.
            locate: finds out where; if not given, that is in the options.
            master: whether that may be a server which is no master, and so must be asked.
        """
        self._line = line
        self._locate = locate
        self._master = master
        self._place: Place | None = None
        self._opened: WeakSet[Any] = WeakSet()

    async def dial(self) -> Any:
        place = None if self._locate is None else await self._locate()
        connection, answer = await self._line.open(place, "ROLE" if self._master else "PING")
        if self._master and bytes(answer[0]) != b"master":
            await connection.disconnect(nowait=True)
            raise RedisError("the server that the sentinel names is no master")
        if place != self._place:
            # A subscription there would go on, and hear nothing of what happens here.
            for elsewhere in list(self._opened):
                await elsewhere.disconnect(nowait=True)
            self._opened.clear()
            self._place = place
        self._opened.add(connection)
        return connection


# Places that have to be found.


def _sentinel(parts: SplitResult, transport: str) -> Address:
    hosts = _hosts(parts, _SENTINEL_PORT)
    names = [unquote(part) for part in parts.path.split("/") if part]
    if not names:
        raise ValueError(
            "expected a URL such as redis+sentinel://host:26379/SERVICE/0, "
            "found none that names the service"
        )
    service, database = names[0], "/".join(names[1:]) or "0"
    _check_database(database)
    query = _query(parts)
    shared = {name: value for name, value in query.items() if name.startswith("ssl_")}
    own = {
        name.removeprefix("sentinel_"): query.pop(name)
        for name in list(query)
        if name.startswith("sentinel_")
    }
    for_sentinel = {"socket_timeout": f"{CONNECT_TIMEOUT}", **shared, **own}
    line, patience = _dialled_by(_plain_url(transport, parts, f"/{database}", query))
    sentinels, _ = _dialled_by(_plain_url(transport, None, "/0", for_sentinel))

    async def locate() -> Place:
        try:
            _, (host, port) = await sentinels.ask_first(
                hosts, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", service
            )
        except RedisError as error:
            raise RedisError(f"no sentinel knows the master of {service!r}: {error}") from error
        return bytes(host).decode(), int(port)

    return Address(_Dialler(line, locate, master=True).dial, patience)


def _cluster(parts: SplitResult, transport: str, routing_key: str) -> Address:
    hosts = _hosts(parts, _PORT)
    _check_database(parts.path, only_first=True)
    line, patience = _dialled_by(_plain_url(transport, parts, "/0", _query(parts)))
    slot = key_slot(routing_key.encode())
    known: list[Place] = []  # so that the hosts of the URL may go, one after another

    async def locate() -> Place:
        asked = list(dict.fromkeys([*hosts, *known]))
        (host, _), ranges = await line.ask_first(asked, "CLUSTER", "SLOTS")
        owners = [
            (first, last, (bytes(owner[0] or b"").decode() or host, int(owner[1])))
            for first, last, owner, *_ in ranges
        ]
        known[:] = [place for *_, place in owners]
        for first, last, place in owners:
            if first <= slot <= last:
                return place
        raise RedisError("no node of the cluster has the docket's slot")

    return Address(_Dialler(line, locate).dial, patience)


# What stands in a URL.


def _dialled_by(url: str) -> tuple[_Line, float]:
    """How what `url` says is dialled, and how many seconds an answer may take."""
    options = _parsed(url)
    make = unhindered(options.pop("connection_class", Connection))
    # `socket_timeout` bounds how long an answer may take, not how long a connection may idle.
    patience = options.pop("socket_timeout", None)
    if not options.get("path"):
        options.setdefault("socket_keepalive", True)
    options = {
        "socket_connect_timeout": CONNECT_TIMEOUT,
        **options,
        "socket_timeout": None,
        "protocol": 2,
        "decode_responses": False,
        # Nothing is to be sent twice, and dialling again is the caller's decision.
        "retry": Retry(NoBackoff(), 0),
    }
    if wrong := _what_is_wrong(make, options):
        raise ValueError(f"the store's URL: {wrong}")
    patience = PATIENCE if patience is None else float(patience)
    return _Line(make, options, patience), patience


# Errors are raised anew, outside of their handlers: what they come from may show a password.


def _parsed(url: str) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", dict(parse_url(url)))
    except ValueError as error:
        # Only this one of its messages is known to show nothing of what was given.
        known = re.fullmatch(r"Invalid value for '\w+' in connection URL\.", str(error))
    raise ValueError(f"the store's URL: {known[0]}" if known else _NO_DETAILS)


def _what_is_wrong(make: Callable[..., Any], options: dict[str, Any]) -> str | None:
    try:
        make(**options)
    except TypeError as error:
        name = re.search(r"unexpected keyword argument '(\w+)'", str(error))
        return f"the option {name[1]!r} is unknown" if name else "an option is unknown"
    except RedisError as error:
        return str(error)
    return None


def _split(url: str) -> SplitResult:
    parts = None
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
    if parts is None or (parts.scheme == "unix" and not parts.path):
        raise ValueError(_NO_DETAILS)
    if "@" in parts.path + parts.query or parts.fragment:  # it begins in the midst of a password
        raise ValueError(_NO_DETAILS)
    return parts


def _check_database(path: str, *, only_first: bool = False) -> None:
    found = path.strip("/")
    if found and not (found.isascii() and found.isdigit()):
        raise ValueError(f"expected the number of a database in the store's URL, found {found!r}")
    if only_first and found and int(found):
        raise ValueError(f"expected no database but 0, the only one of a cluster, found {found}")


def _query(parts: SplitResult) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(parts.query).items()}


def _hosts(parts: SplitResult, port: int) -> list[Place]:
    found: list[Place] = []
    for part in parts.netloc.rpartition("@")[2].split(","):
        match = re.fullmatch(r"(\[[^]]+\]|[^:\[\]]+)(?::(\d+))?", part)
        if match is None:
            raise ValueError(f"{_NO_DETAILS}. Several hosts are written as host:port,host:port")
        found.append((match[1].strip("[]"), int(match[2] or port)))
    return found


def _plain_url(transport: str, parts: SplitResult | None, path: str, query: dict[str, str]) -> str:
    user, at, _ = parts.netloc.rpartition("@") if parts is not None else ("", "", "")
    tail = f"?{urlencode(query)}" if query else ""
    return f"{transport}://{user}{at}localhost{path}{tail}"


def masked(url: str) -> str:
    """The URL as it may be shown: without its password, and without what its query says."""
    scheme, separator, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    shown = f"{name}:***@" if colon else "***@" if at else ""
    return f"{scheme}{separator}{shown}{place.partition('?')[0]}"
