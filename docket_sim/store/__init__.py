"""The store: where scheduled calls live, in verbs that are each atomic.

No room above this one knows what a store is made of. Every verb takes the caller's `now`, and gives
up the loop at least once, as a call over a network would.
"""

from docket_sim.store.base import (
    Claim,
    Claimed,
    Listener,
    Renewal,
    Settled,
    Store,
    StoreSnapshot,
    Submitted,
    is_the_stores_own,
)
from docket_sim.store.location import open_store
from docket_sim.store.memory import MemoryStore

__all__ = [
    "Claim",
    "Claimed",
    "Listener",
    "MemoryStore",
    "Renewal",
    "Settled",
    "Store",
    "StoreSnapshot",
    "Submitted",
    "is_the_stores_own",
    "open_store",
]
