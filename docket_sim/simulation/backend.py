"""The store of a simulation: in memory, on fakeredis, or on a real server in virtual time."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from docket_sim.clock import SystemClock
from docket_sim.entropy import SystemEntropy
from docket_sim.simulation.accounting import AccountingLoop
from docket_sim.store import MemoryStore, Store, open_store


def backend(store: str | Store, *, execution_ttl: timedelta) -> Store:
    """The store that `store` stands for.

    On a server, each simulation has a docket of its own, which is removed when it is left. The name
    of that docket is the one thing in a simulation that differs from run to run.

    Args:
        store: `memory`, `fakeredis`, or a URL as for `Docket`; or a store.
        execution_ttl: how long the record of an ended execution is kept.

    Raises:
        ValueError: an unknown name, or a URL whose scheme is unknown.
        ImportError: the store needs a library that is not installed.
    """
    if not isinstance(store, str):
        return store
    url = store if "://" in store else f"{store}://"
    if url == "memory://":
        return MemoryStore(execution_ttl=execution_ttl, yields=False)
    name = f"simulation-{SystemEntropy().new_id(SystemClock().now())}"
    return open_store(
        url,
        name,
        execution_ttl=execution_ttl,
        servers_clock=False,
        hold=hold_virtual_time,
        scratch=True,
    )


def hold_virtual_time(what: str) -> Callable[[], None]:
    """Let virtual time stand still until what is returned is called; other time passes by itself.

    Args:
        what: what is under way, for the message if it takes too long.
    """
    loop = asyncio.get_running_loop()
    return loop.outside.begin(what) if isinstance(loop, AccountingLoop) else _nothing


def _nothing() -> None: ...
