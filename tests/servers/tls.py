"""Which of the binaries can speak TLS: whoever packs Redis may have left it out."""

from functools import cache

from .binaries import Binary, find_binaries
from .errors import TlsMissing
from .server import RedisServer


@cache
def binary_with_tls() -> Binary:
    """The first binary that was built with TLS; found out by starting them.

    Raises:
        TlsMissing: none was.
    """
    for binary in find_binaries():
        try:
            with RedisServer(binary, tls=True):
                return binary
        except TlsMissing:
            continue
    found = ", ".join(map(str, find_binaries()))
    raise TlsMissing(
        f"expected a redis-server that was built with TLS, found none among {found}. Install the "
        f"Redis of a Linux distribution."
    )
