"""The store on a Redis server, real or fake."""

from docket_sim.store.redis.dialling import Address, address_of, masked
from docket_sim.store.redis.store import RedisStore, prefix_of

__all__ = ["Address", "RedisStore", "address_of", "masked", "prefix_of"]
