"""One server of each kind for a whole test run: started when the first test needs it."""

from functools import cache

from .binaries import Binary, find_binaries
from .server import RedisServer


@cache
def shared_server(binary: Binary | None = None) -> RedisServer:
    """A server that lasts as long as this process; tests on it keep apart by their keys.

    Raises:
        NoRedisServer: there is nothing to run.
    """
    if binary is None:
        return shared_server(find_binaries()[0])
    return RedisServer(binary).start()
