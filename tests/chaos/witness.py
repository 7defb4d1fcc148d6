"""Somebody who watches every execution at the server itself, whatever its workers believe."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from docket_sim.store.redis import prefix_of
from docket_sim.store.redis.wire import unpacked

_STEP = 0.2  # seconds
_ENDED = {b"c", b"f", b"x"}


class Witness:
    """Collects the ends of executions as the server announces them.

    While its own connection is away it sees nothing: what it says twice has happened twice, and
    what it does not say may have happened.

    Attributes:
        changes: how many changes it has seen.
    """

    def __init__(self, client: Callable[[], "Redis"], docket: str) -> None:
        """
        Args:
            client: makes a client of the server.
            docket: the docket's name.
        """
        self._client = client
        self._prefix = prefix_of(docket).encode()
        self._ends: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="witness", daemon=True)
        self.changes = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    @property
    def ends(self) -> Mapping[tuple[str, int], set[int]]:
        """When each generation of each key has ended, in microseconds since 1970."""
        return self._ends

    def _watch(self) -> None:
        while not self._over.is_set():
            with suppress(RedisError, OSError), self._client() as client:
                self._listen(client)
            self._over.wait(_STEP)

    def _listen(self, client: "Redis") -> None:
        with client.pubsub() as subscription:
            # Changes are announced while somebody says that somebody watches.
            subscription.subscribe(self._prefix + b"watchers")
            subscription.psubscribe(self._prefix + b"w:*")
            while not self._over.is_set():
                message = subscription.get_message(ignore_subscribe_messages=True, timeout=_STEP)
                if message is not None and message["type"] == "pmessage":
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        self.changes += 1
        parts = iter(unpacked(message["data"]))
        fields = dict(zip(parts, parts, strict=True))
        if fields.get(b"s") in _ENDED:
            key = message["channel"].removeprefix(self._prefix + b"w:").decode()
            self._ends[key, int(fields[b"g"])].add(int(fields[b"z"]))
