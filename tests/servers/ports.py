"""Ports that nobody has."""

import random
import socket

from .errors import PortTaken
from .waiting import HOST

# Below what systems give to outgoing connections. Otherwise such a connection could take the port
# of a server that is down for a moment; or, since both are on the loopback, a client that knocks
# at it could get that very port as its own and be connected to itself.
_FIRST, _LAST = 12_000, 21_999
BUS = 10_000
"""What is added to a cluster node's port for its bus."""
_TRIES = 1_000
_DRAW = random.SystemRandom()


def free_port() -> int:
    """A port on which nobody listens now, and nobody on that of the cluster bus that belongs to it.

    Another process may take it before it is used.

    Raises:
        PortTaken: many were tried.
    """
    for _ in range(_TRIES):
        port = _DRAW.randint(_FIRST, _LAST)
        if _is_free(port) and _is_free(port + BUS):
            return port
    raise PortTaken(
        f"expected a free port between {_FIRST} and {_LAST} on {HOST}, found none in {_TRIES} "
        f"tries. End what listens there."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
