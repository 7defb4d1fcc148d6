"""What a docket has left on its server when all is over, and whether it is in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from docket_sim.store.redis import prefix_of

_PAGE = 500
_ENDED = {b"c", b"f", b"x"}


@dataclass(frozen=True, slots=True)
class Kept:
    """An execution as the server keeps it: its fields, and the seconds until it is forgotten."""

    fields: dict[bytes, bytes]
    ttl: int


class Keys:
    """The keys of a docket, read once.

    Attributes:
        executions: the executions, by key.
    """

    def __init__(self, client: "Redis", docket: str) -> None:
        """
        Args:
            client: a client of the server.
            docket: the docket's name.
        """
        self._prefix = prefix_of(docket).encode()
        place_of_executions = self._prefix + b"x:"
        self.executions: dict[str, Kept] = {}
        self._others: dict[bytes, int] = {}
        for page in _pages(list(client.scan_iter(self._prefix + b"*", count=_PAGE))):
            pipeline: Any = client.pipeline(transaction=False)
            for place in page:
                pipeline.ttl(place)
                if place.startswith(place_of_executions):
                    pipeline.hgetall(place)
            answers = iter(pipeline.execute())
            for place in page:
                ttl = next(answers)
                if place.startswith(place_of_executions):
                    key = place.removeprefix(place_of_executions).decode()
                    self.executions[key] = Kept(next(answers), ttl)
                else:
                    self._others[place.removeprefix(self._prefix)] = ttl
        self._kept = {key.decode() for key in client.zrange(self._prefix + b"kept", 0, -1)}

    def disorder(self) -> Iterator[str]:
        """What should not be so, now that every execution has ended."""
        for name, ttl in self._others.items():
            if name == b"meta":
                continue
            if name != b"kept":
                yield f"the key {name.decode()!r} is left over"
            elif ttl < 0:
                yield "the key 'kept' has no TTL"
        for key, kept in self.executions.items():
            if kept.fields.get(b"s") not in _ENDED:
                yield f"{key} has not ended: {kept.fields}"
            if kept.fields.get(b"f"):
                yield f"{key} has ended and still has a fence: {kept.fields}"
            if kept.ttl < 0:
                yield f"{key} has ended and has no TTL"
        for key in self._kept ^ set(self.executions):
            yield f"{key} is an execution or in 'kept', and not both"


def outstanding(client: "Redis", docket: str) -> int:
    """How many entries there are of what has not ended."""
    prefix = prefix_of(docket)
    return sum(client.zcard(f"{prefix}{name}") for name in ("due", "leased", "void"))


def _pages(places: list[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(places), _PAGE):
        yield places[start : start + _PAGE]
