"""A master, a replica and one sentinel that puts the one in the other's place."""

from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from redis.exceptions import ResponseError

from .binaries import Binary
from .server import RedisServer
from .waiting import HOST, wait_until

_TUNABLE = (7, 0)  # SENTINEL DEBUG sets how often a sentinel looks at things
_PERIODS = ("info-period", "100", "ping-period", "200", "publish-period", "50")
# When the master is down, a sentinel promotes only a replica that it has heard of within the last
# five ping periods: shorter ones would have it wait for nothing better.
_TIMEOUTS = ("down-after-milliseconds", "500", "failover-timeout", "3000")
# After a transfer without the disk, a master streams nothing until the replica has spoken up, once
# a second: until then, a failover would lose what is written.
_CONFIG = ("repl-diskless-sync no",)
_FAILING_OVER = 45.0  # a sentinel that cannot be tuned takes 20 seconds to trust a new replica


class SentinelPair:
    """A master and a replica, watched by one sentinel that decides alone.

    Attributes:
        service: the name under which the sentinel knows the master.
        servers: the two; which of them is the master changes.
        sentinel: the sentinel's own process.
    """

    def __init__(self, binary: Binary | None = None, *, service: str = "main") -> None:
        """
        Args:
            binary: what to run; else the first that is found.
            service: the name under which the sentinel knows the master.
        """
        self.binary = binary
        self.service = service
        self.servers: list[RedisServer] = []
        self.sentinel = RedisServer(binary, sentinel=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start all three, and return when the sentinel could fail over. To be called once.

        Raises:
            ServerDidNotStart: one of them did not.
            TookTooLong: they have not found to each other.
        """
        self._add()
        self._add(f"replicaof {HOST} {self.servers[0].port}")
        self.sentinel.start()
        self._instruct()
        self.wait_until_ready()
        return self

    def close(self) -> None:
        """Close all three. May be called again."""
        for server in (self.sentinel, *self.servers):
            server.close()

    @property
    def url(self) -> str:
        """The URL by which the master is found, whichever it is."""
        return f"redis+sentinel://{HOST}:{self.sentinel.port}/{self.service}/0"

    @property
    def master(self) -> RedisServer:
        """The server that the sentinel says is the master."""
        port = self.master_port()
        return next(server for server in self.servers if server.port == port)

    @property
    def replica(self) -> RedisServer:
        """The other one."""
        port = self.master_port()
        return next(server for server in self.servers if server.port != port)

    def master_port(self) -> int:
        """The port of the master, as the sentinel tells it to whoever asks."""
        return int(self._ask("GET-MASTER-ADDR-BY-NAME")[1])

    def fail_over(self) -> int:
        """Have the sentinel swap the two, and return the new master's port when it is done.

        That takes a second. To do it again takes a second more; with Redis 6.2, whose sentinels
        cannot be told to look more often, it takes 20.

        Raises:
            TookTooLong: the two are not ready for it, or it does not happen.
        """
        self.wait_until_ready()
        before = self.master_port()

        def swapped() -> int:
            # A sentinel whose replica is slow to obey gives up for good, so it is asked again. It
            # is looked at first: what has been done since is then seen as done.
            idle = not self._is_failing_over()
            port = self._promoted(instead_of=before)
            if idle and not port:
                self._begin()
            return port

        return wait_until(swapped, "the replica is promoted", within=_FAILING_OVER)

    def kill_master(self) -> None:
        """Kill the master; the sentinel notices soon, and promotes the replica.

        Await that with `wait_for_new_master()`. When the killed one is started again, the sentinel
        makes it a replica.
        """
        self.master.kill()

    def wait_for_new_master(self, instead_of: int) -> int:
        """Return the new master's port when it is the master.

        Args:
            instead_of: the port of the former master.

        Raises:
            TookTooLong: the replica was not promoted.
        """

        def promoted() -> int:
            return self._promoted(instead_of)

        return wait_until(promoted, "the replica is promoted", within=_FAILING_OVER)

    def wait_until_ready(self) -> None:
        """Return when both run, one follows the other, and the sentinel knows that it does.

        The replica then has all that was written to the master before.

        Raises:
            TookTooLong: that has not come about.
        """
        wait_until(self._is_ready, "the sentinel knows of a healthy replica", within=_FAILING_OVER)

    def _add(self, *config: str) -> None:
        server = RedisServer(self.binary, config=[*_CONFIG, *config])
        self.servers.append(server)
        server.start()

    def _instruct(self) -> None:
        if self.sentinel.binary.release >= _TUNABLE:
            self.sentinel.ask("SENTINEL", "DEBUG", *_PERIODS)
        self.sentinel.ask("SENTINEL", "MONITOR", self.service, HOST, self.servers[0].port, 1)
        self.sentinel.ask("SENTINEL", "SET", self.service, *_TIMEOUTS)

    def _ask(self, verb: str) -> Any:
        return self.sentinel.ask("SENTINEL", verb, self.service)

    def _promoted(self, instead_of: int) -> int:
        port = self.master_port()
        return port if port != instead_of and _role(self.master)[0] == b"master" else 0

    def _begin(self) -> None:
        with suppress(ResponseError):  # no good replica yet, or the last time is not over
            self._ask("FAILOVER")

    def _is_failing_over(self) -> bool:
        return b"failover_in_progress" in self._flags()

    def _flags(self) -> list[bytes]:
        return _fields(self._ask("MASTER"))[b"flags"].split(b",")

    def _is_ready(self) -> bool:
        known = [_fields(replica) for replica in self._ask("REPLICAS")]
        return (
            self._flags() == [b"master"]
            and any(
                replica[b"flags"] == b"slave" and replica[b"master-link-status"] == b"ok"
                for replica in known
            )
            and _is_followed(self.master)
        )


def _fields(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _role(server: RedisServer) -> list[Any]:
    return server.ask("ROLE")


def _is_followed(master: RedisServer) -> bool:
    """Whether a replica has all that the master had."""
    with master.client() as client, client.pipeline(transaction=False) as pipeline:
        # WAIT is about what its own connection has sent on to the replicas, so it sends something.
        pipeline.execute_command("ROLE").publish("followed", "").execute_command("WAIT", 1, 100)
        role, _, replicas = pipeline.execute()
    return role[0] == b"master" and replicas == 1
