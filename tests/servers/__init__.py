"""Private, real Redis servers for the tests: no Docker, nothing that is running already.

Every server listens on the loopback alone, on a port of its own, and dies with the process that
started it. A test that cannot have its server fails; it is never skipped.

Files here name each other relatively, so that the package can be imported as `servers`, from the
tests, and as `tests.servers`, from the project's root.
"""

from .binaries import Binary, find_binaries
from .certificates import Certificates, certificates
from .cluster import RedisCluster
from .errors import (
    NoRedisServer,
    PortTaken,
    ServerDidNotStart,
    ServerNotRunning,
    ServersError,
    TlsMissing,
    TookTooLong,
    ToolMissing,
)
from .proxy import Proxy
from .sentinel import SentinelPair
from .server import RedisServer
from .shared import shared_server
from .tls import binary_with_tls
from .waiting import wait_until

__all__ = [
    "Binary",
    "Certificates",
    "NoRedisServer",
    "PortTaken",
    "Proxy",
    "RedisCluster",
    "RedisServer",
    "SentinelPair",
    "ServerDidNotStart",
    "ServerNotRunning",
    "ServersError",
    "TlsMissing",
    "TookTooLong",
    "ToolMissing",
    "binary_with_tls",
    "certificates",
    "find_binaries",
    "shared_server",
    "wait_until",
]
