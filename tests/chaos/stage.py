"""Where a campaign takes place: servers, and what stands between them and the workers."""

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from redis import Redis
from redis.exceptions import RedisError
from servers import Proxy, RedisServer, SentinelPair

_PATIENCE = "socket_timeout=1&socket_connect_timeout=1"


@dataclass(frozen=True, slots=True)
class FailOver:
    """A time during which one server took the place of another; in seconds since 1970."""

    begun: float
    ended: float

    def may_have_undone(self, at: float) -> bool:
        """Whether something that happened at that time may have been lost in it."""
        return at < self.ended


class Stage(Protocol):
    """What a campaign needs of its servers.

    Attributes:
        fail_overs: those that there were; a server that takes another's place may lack what that
            one has confirmed.
    """

    fail_overs: list[FailOver]

    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def urls(self, workers: int) -> list[str]:
        """Where the docket is, for each worker and, last, for the producer."""
        ...

    def direct_url(self) -> str:
        """Where it is without anything in between."""
        ...

    def client(self) -> "Redis":
        """A client of the server that has the docket now."""
        ...

    def heal(self) -> None:
        """End whatever still troubles the servers and the way to them."""
        ...

    def cuts(self) -> int:
        """How many connections were ended on the way."""
        ...


class SingleStage:
    """One server that writes everything to its disk, and a proxy before it for each client."""

    def __init__(self, *, proxies: bool) -> None:
        """
        Args:
            proxies: whether there is something between the server and its clients.
        """
        self.server = RedisServer(appendonly=True)
        self.proxies: list[Proxy] = []
        self.fail_overs: list[FailOver] = []
        self._wanted = proxies
        self._closing = ExitStack()
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        self._closing.enter_context(self.server)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    def urls(self, workers: int) -> list[str]:
        if not self._wanted:
            return [self._patient(self.server.url)] * (workers + 1)
        self.proxies = [
            self._closing.enter_context(Proxy(self.server.port)) for _ in range(workers + 1)
        ]
        return [self._patient(proxy.url) for proxy in self.proxies]

    def direct_url(self) -> str:
        return self._patient(self.server.url)

    def client(self) -> "Redis":
        return self.server.client()

    def restart(self, pause: float, *, crash: bool) -> bool:
        """Take the server away for so many seconds."""
        with self._one_at_a_time:
            (self.server.kill if crash else self.server.stop)()
            time.sleep(pause)
            self.server.start()
        return True

    def heal(self) -> None:
        with self._one_at_a_time:
            self.server.start()
            self.server.ask("CONFIG", "SET", "maxmemory", 0)
        for proxy in self.proxies:
            proxy.heal()

    def cuts(self) -> int:
        return sum(proxy.cuts for proxy in self.proxies)

    @staticmethod
    def _patient(url: str) -> str:
        return f"{url}?{_PATIENCE}"


class SentinelStage:
    """A master and a replica under a sentinel; what is confirmed may not be on the replica yet."""

    def __init__(self) -> None:
        self.pair = SentinelPair()
        self.fail_overs: list[FailOver] = []
        self._closing = ExitStack()
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> Self:
        self._closing.enter_context(self.pair)
        for server in self.pair.servers:
            self._take_care(server)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.close()

    def urls(self, workers: int) -> list[str]:
        return [self.direct_url()] * (workers + 1)

    def direct_url(self) -> str:
        return f"{self.pair.url}?{_PATIENCE}"

    def client(self) -> "Redis":
        return self.pair.master.client()

    def fail_over(self, *, crash: bool) -> bool:
        """Have the replica take the master's place: by agreement, or because the master is dead."""
        with self._one_at_a_time:
            self.pair.wait_until_ready()
            begun, before = time.time(), self.pair.master
            if crash:
                before.kill()
                self.pair.wait_for_new_master(instead_of=before.port)
                before.start()
                self._take_care(before)
            else:
                self.pair.fail_over()
            self.pair.wait_until_ready()  # from now on, the former master obeys
            self.fail_overs.append(FailOver(begun, time.time()))
        return True

    @staticmethod
    def _take_care(server: RedisServer) -> None:
        """Have a server refuse writes once its replica has gone, for one: to be promoted."""
        server.ask("CONFIG", "SET", "min-replicas-to-write", 1)

    def survivors(self, places: list[str]) -> set[str] | None:
        """Which of these keys are on both servers, or None when that cannot be said.

        A write to the master comes after all that was there before: when the replica has confirmed
        that one, it has everything that came before it.
        """
        try:
            with self.client() as master:
                pipeline: Any = master.pipeline(transaction=False)
                for place in places:
                    pipeline.exists(place)
                pipeline.set("chaos-probe", "1", ex=60)
                pipeline.execute_command("WAIT", 1, 500)
                *found, _, replicas = pipeline.execute()
        except (RedisError, OSError):
            return None
        if replicas < 1:
            return None
        return {place for place, there in zip(places, found, strict=True) if there}

    def heal(self) -> None:
        with self._one_at_a_time:
            self.pair.wait_until_ready()

    def cuts(self) -> int:
        return 0
