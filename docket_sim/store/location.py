"""From a URL to the store behind it."""

import importlib
import re
from datetime import timedelta
from typing import Any

from docket_sim.store.base import Store
from docket_sim.store.memory import MemoryStore

_REDIS = (
    "redis",
    "rediss",
    "unix",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
)
_SCHEMES = ("memory", "fakeredis", *_REDIS)
_shared: dict[tuple[str, str], MemoryStore] = {}
_fake_servers: dict[str, Any] = {}


def open_store(url: str, name: str, *, execution_ttl: timedelta, **for_redis: Any) -> Store:
    """The store of the docket called `name` at `url`.

    `memory://` lives as long as this process: the same URL and name give the same store, as two
    clients would share a server. Of stores that are shared so, the first one's `execution_ttl`
    holds. `fakeredis://` is a Redis server within this process; all with the same URL share one.

    Args:
        url: where; its scheme says of what kind the store is.
        name: the docket's name.
        execution_ttl: how long the record of an ended execution is kept.
        for_redis: further arguments of `RedisStore`, for a store that is one.

    Raises:
        ValueError: the URL's scheme is unknown; the message lists those that are known.
        ImportError: the store needs a library that is not installed; the message says which.
    """
    scheme = scheme_of(url)
    if scheme == "memory":
        return _shared.setdefault((url, name), MemoryStore(execution_ttl=execution_ttl))
    redis = _library("docket_sim.store.redis", "redis")
    if scheme == "fakeredis":
        fake = _library("docket_sim.store.redis.fake", "test")
        if url not in _fake_servers:
            _fake_servers[url] = fake.fake_address()
        address = _fake_servers[url]
        for_redis["servers_clock"] = False  # that clock is this machine's, or frozen
    else:
        address = redis.address_of(url, redis.prefix_of(name))
    store: Store = redis.RedisStore(address, name, execution_ttl=execution_ttl, **for_redis)
    return store


def scheme_of(url: str) -> str:
    """The scheme of a store's URL.

    Raises:
        ValueError: it is none that is known; the message lists those.
    """
    # Nothing but a scheme is ever shown of a URL: the rest may hold a password.
    named = re.match(r"([a-z][a-z0-9+.-]*)://", url)
    scheme = named[1] if named else "<none>"
    if scheme not in _SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise ValueError(f"expected a URL with one of {known}; found the scheme {scheme!r}")
    return scheme


def _library(module: str, extra: str) -> Any:
    """A module that needs libraries beyond the base dependencies, loaded only when it is used."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"this store needs the library {error.name!r}, which is not installed: "
            f"pip install 'docket-sim[{extra}]'"
        ) from error
