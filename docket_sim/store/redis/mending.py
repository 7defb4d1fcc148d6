"""What is done about what a foreign hand has left among the keys of a docket.

An execution that cannot be read is set aside by the script that comes upon it. Where a sorted set
was written over, the scripts do nothing until it is made anew, from the executions.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from docket_sim.store.redis import wire
from docket_sim.store.redis.line import Line

MEND_FIRST = [b"mend"]
"""What a script answers when it has done nothing, since a sorted set was written over."""

_logger = logging.getLogger(__name__)
SETS = (b"due", b"leased", b"void", b"kept")
"""The sorted sets; in the last, members have no ticket."""

_FIELDS = ("s", "f", "q", "w", "o")
_PAGE = 500  # executions that are looked at together
_ANEW_SECONDS = 3600
_ASIDE_SECONDS = 7 * 24 * 3600
_LEASE = 60_000_000  # microseconds: by then, a worker that lives has renewed what it has
_NO_TICKET = b"0" * wire.TICKET  # by which the scripts find what has none, and set it aside
_ENDED = (b"c", b"f", b"x")
_PUT_IN_PLACE = """
local anew = redis.call('EXISTS', KEYS[2]) == 1
if type(redis.pcall('ZCARD', KEYS[1])) ~= 'table' then
    redis.call('DEL', KEYS[2])
    return 0
end
redis.call('RENAME', KEYS[1], KEYS[3])
redis.call('EXPIRE', KEYS[3], ARGV[1])
if anew then
    redis.call('RENAME', KEYS[2], KEYS[1])
    redis.call('PERSIST', KEYS[1])
end
return 1
"""


def log_what_was_set_aside(aside: Sequence[bytes | None]) -> None:
    """Tell a person: of keys, or `None` for what is the docket's own, and reasons in turn."""
    pairs = iter(aside)
    for key, reason in zip(pairs, pairs, strict=True):
        what = "the docket's key 'meta'" if key is None else f"the execution {wire.decoded(key)!r}"
        why = wire.decoded(reason or b"")
        _logger.error("%s was set aside, for a person to look at: %s", what, why)


async def mend(line: Line, prefix: bytes, now: int | None) -> None:
    """Set aside what has the name of a sorted set and is none, and make those sets anew.

    What belongs in them is found by looking at every key on the server, a page at a time. Nothing
    else is done with the docket meanwhile. Clients that do this at once do not disturb one another,
    and when one of them breaks off, the next begins again.

    Args:
        line: the connection.
        prefix: what the docket's keys begin with.
        now: in microseconds; `None` for what the server's clock says. From then on, leases last a
            minute.

    Raises:
        StoreUnavailable: as `Line.ask`.
    """
    kinds = await line.ask_all([("TYPE", prefix + name) for name in SETS])
    lost = [name for name, kind in zip(SETS, kinds, strict=True) if kind not in (b"zset", b"none")]
    await _make_room(line, [prefix + b"anew-" + name for name in lost])
    await _fill(line, prefix, lost, now)
    for name in lost:
        places = (prefix + name, prefix + b"anew-" + name, prefix + b"aside-" + name)
        if await line.ask("EVAL", _PUT_IN_PLACE, 3, *places, _ASIDE_SECONDS):
            _logger.error(
                "the docket's key %r was set aside, for a person to look at: it was no sorted set. "
                "It was made anew from the executions",
                wire.decoded(name),
            )


async def _make_room(line: Line, places: Sequence[bytes]) -> None:
    """Remove what has no business where sets are made anew, but not what others are making."""
    kinds = await line.ask_all([("TYPE", place) for place in places]) if places else []
    for place, kind in zip(places, kinds, strict=True):
        if kind not in (b"zset", b"none"):
            await line.ask("DEL", place)


async def _fill(line: Line, prefix: bytes, lost: Sequence[bytes], now: int | None) -> None:
    if now is None:
        seconds, microseconds = await line.ask("TIME")
        now = int(seconds) * 1_000_000 + int(microseconds)
    lease = now + _LEASE
    pattern = re.sub(rb"([\[\]*?\\])", rb"\\\1", prefix) + b"x:*"
    cursor: Any = b"0"
    while True:
        scan = ("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE, "TYPE", "hash")
        cursor, places = await line.ask(*scan)
        asking = [("HMGET", place, *_FIELDS) for place in places]
        found = await line.ask_all(asking) if asking else []
        adding = [
            ("ZADD", prefix + b"anew-" + name, score, member)
            for place, fields in zip(places, found, strict=True)
            for name, score, member in _entries(place[len(prefix) + 2 :], fields, lease)
            if name in lost
        ]
        if adding:
            expiring = [("EXPIRE", prefix + b"anew-" + name, _ANEW_SECONDS) for name in lost]
            await line.ask_all([*adding, *expiring])
        if cursor == b"0":
            return


def _entries(
    key: bytes, fields: Sequence[bytes | None], lease: int
) -> Iterator[tuple[bytes, bytes | int, bytes]]:
    """In which set an execution belongs, with which score and member.

    One that cannot be read is given an entry all the same: the script that comes upon it sets it
    aside. Without one it would never end, and hold its key for ever.
    """
    state, fence, ticket, when, forget_at = fields
    member = (ticket if ticket and len(ticket) == wire.TICKET else _NO_TICKET) + key
    if state in (wire.RUNNING, wire.BLOCKED):
        yield b"leased", lease, member
    elif state not in _ENDED:
        yield b"due", _number(when, b"0"), member
    elif fence:
        yield b"void", lease, member
    else:
        yield b"kept", _number(forget_at, b"+inf"), key


def _number(written: bytes | None, otherwise: bytes) -> bytes:
    return written if written and re.fullmatch(rb"-?\d+", written) else otherwise
