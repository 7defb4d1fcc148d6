"""What can go wrong with the servers of the tests, in one tree.

Each message says what was expected, what was found and what to do about it.

    ServersError
    ├── NoRedisServer       there is no binary to start
    ├── ToolMissing         another program that is needed is not installed
    ├── ServerDidNotStart   it exited, or did not answer in time; the message ends with its log
    │   ├── PortTaken       another process has its port
    │   └── TlsMissing      the binary was built without TLS
    ├── ServerNotRunning    it is asked for what only a running server has
    └── TookTooLong         something was waited for in vain
"""


class ServersError(Exception):
    """The base of every error that is raised here."""


class NoRedisServer(ServersError):
    """There is no binary to start: a test fails with this, so that it is not missed."""


class ToolMissing(ServersError):
    """Another program that is needed is not installed."""


class ServerDidNotStart(ServersError):
    """A server exited, or did not answer in time; the message ends with the tail of its log."""


class PortTaken(ServerDidNotStart):
    """Another process has the server's port."""


class TlsMissing(ServerDidNotStart):
    """The binary was built without TLS."""


class ServerNotRunning(ServersError):
    """A server is asked for what only a running one has."""


class TookTooLong(ServersError):
    """Something was waited for in vain."""
