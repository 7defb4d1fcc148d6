"""Tokens: the choices of a failing run as a short text that replays it.

A token holds the choices that are not 0, each by a hash of its label, how manieth of that label it
is, and its value; and a digest of the world in which they were made, so that a token which no
longer fits is refused instead of passing for a run that does not fail.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from zlib import crc32

from docket_sim.simulation.choices import Odds, Site

_VERSION = "ds1"
_LABEL_BYTES = 3
_MORE = 0x80


class Outdated(ValueError):
    """A token that has been one, and no longer fits: the world or the code is another by now."""


class Recorded:
    """Decides as a token says; it knows labels by their hashes alone.

    Attributes:
        unused: how many of its choices have not been asked for.
    """

    def __init__(self, values: Mapping[tuple[bytes, int], int]) -> None:
        """
        Args:
            values: the choices that are not 0, by the hash of their label and their number.
        """
        self._values = dict(values)
        self._left = set(values)

    @property
    def unused(self) -> int:
        """How many of the recorded choices have not been asked for."""
        return len(self._left)

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """What was decided before."""
        site = (_hash(label), number)
        value = self._values.get(site, 0)
        if value >= options:
            return 0
        self._left.discard(site)
        return value


def token_of(deviations: Mapping[Site, int], world: str) -> str:
    """The token of a run.

    Args:
        deviations: its choices that are not 0.
        world: a text that is the same for every run of the same world.
    """
    body = bytearray(_digest(world))
    for (label, number), value in deviations.items():
        body += _hash(label)
        body += bytes(_varint(number))
        body += bytes(_varint(value))
    text = base64.urlsafe_b64encode(bytes([crc32(body) & 0xFF]) + body).decode().rstrip("=")
    return f"{_VERSION}-{text}"


def read_token(token: str, world: str) -> Recorded:
    """The choices of a token.

    Raises:
        Outdated: it was made in another world.
        ValueError: it is no token, or of another version.
    """
    version, _, text = token.strip().partition("-")
    if version != _VERSION or not text:
        raise ValueError(f"expected a token such as {_VERSION}-x7Qk, found {token!r}")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise ValueError(f"{token!r} is no token: it holds other characters") from None
    body = raw[1:]
    if len(raw) < 1 + len(_digest("")) or raw[0] != crc32(body) & 0xFF:
        raise ValueError(f"{token!r} is damaged: its checksum does not fit")
    if body[:2] != _digest(world):
        raise Outdated(
            f"{token!r} was made with other faults, another number of workers, or another "
            f"concurrency, execution_ttl, inline or run_twice; replay it with those, or search anew"
        )
    try:
        return Recorded(dict(_entries(body[2:])))
    except IndexError:
        raise ValueError(f"{token!r} is damaged: it ends too early") from None


def _entries(body: bytes) -> Iterator[tuple[tuple[bytes, int], int]]:
    place = 0
    while place < len(body):
        label = body[place : place + _LABEL_BYTES]
        number, place = _read_varint(body, place + _LABEL_BYTES)
        value, place = _read_varint(body, place)
        yield (label, number), value


def _hash(label: str) -> bytes:
    return crc32(label.encode()).to_bytes(4, "big")[:_LABEL_BYTES]


def _digest(world: str) -> bytes:
    return crc32(world.encode()).to_bytes(4, "big")[:2]


def _varint(number: int) -> Iterable[int]:
    while number >= _MORE:
        yield number & 0x7F | _MORE
        number >>= 7
    yield number


def _read_varint(body: bytes, place: int) -> tuple[int, int]:
    number, shift = 0, 0
    while True:
        byte = body[place]
        place += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if not byte & _MORE:
            return number, place
