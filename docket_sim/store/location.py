"""From a URL to the store behind it."""

import re
from datetime import timedelta

from docket_sim.store.base import Store
from docket_sim.store.memory import MemoryStore

_SCHEMES = ("memory",)
_shared: dict[tuple[str, str], MemoryStore] = {}


def open_store(url: str, name: str, *, execution_ttl: timedelta) -> Store:
    """The store of the docket called `name` at `url`.

    `memory://` lives as long as this process: the same URL and name give the same store, as two
    clients would share a server. Of stores that are shared so, the first one's `execution_ttl`
    holds.

    Raises:
        ValueError: the URL's scheme is unknown; the message lists those that are known.
    """
    # Nothing but a scheme is ever shown of a URL: the rest may hold a password.
    named = re.match(r"([a-z][a-z0-9+.-]*)://", url)
    scheme = named[1] if named else "<none>"
    if scheme not in _SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in _SCHEMES)
        raise ValueError(f"expected a URL with one of {known}; found the scheme {scheme!r}")
    return _shared.setdefault((url, name), MemoryStore(execution_ttl=execution_ttl))
