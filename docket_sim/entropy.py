"""Everything that is not decided by the program: jitter, and the ids of new executions.

The one file that reads randomness; a lint rule bans it everywhere else.
"""

import random
import re
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_COUNTED = 0xFFF  # what twelve bits hold


_GENERATED = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def short_key(key: str) -> str:
    """A key as reports show it: a generated one is cut to its last digits, any other is whole."""
    return f"…{key[-8:]}" if _GENERATED.fullmatch(key) else key


class Entropy(Protocol):
    """Where a docket takes its chances from."""

    def random(self) -> float:
        """A number in [0, 1)."""
        ...

    def new_id(self, now: datetime) -> str:
        """A fresh UUIDv7 whose time is `now`."""
        ...


def _generator(seed: int | None) -> random.Random:
    """A generator of numbers; `random` itself would take -1 for 1."""
    return random.Random(str(seed) if seed is not None and seed < 0 else seed)


class SeededEntropy:
    """The same chances for the same seed, in every process."""

    def __init__(self, seed: int | None = None) -> None:
        """
        Args:
            seed: any integer; `None` takes the seed from the operating system.
        """
        self._random = _generator(seed)
        self._millisecond = -1
        self._count = 0

    def random(self) -> float:
        """A number in [0, 1)."""
        return self._random.random()

    def new_id(self, now: datetime) -> str:
        """A fresh UUIDv7 (RFC 9562, section 5.7) whose time is `now`.

        The twelve bits after the version count the ids of one millisecond (section 6.2, method 1),
        so ids of one process sort in the order in which they were made.
        """
        millisecond = (now - _EPOCH) // _MILLISECOND
        self._count += 1
        if millisecond > self._millisecond:
            self._millisecond, self._count = millisecond, 0
        elif self._count > _COUNTED:  # borrowed from the time to come, as the section allows
            self._millisecond, self._count = self._millisecond + 1, 0
        head = f"{self._millisecond & 0xFFFF_FFFF_FFFF:012x}"
        count = f"{0x7000 | self._count:04x}"
        tail = f"{0x8000_0000_0000_0000 | self._random.getrandbits(62):016x}"
        return f"{head[:8]}-{head[8:]}-{count}-{tail[:4]}-{tail[4:]}"


class SystemEntropy(SeededEntropy):
    """Chances from the operating system: different in every process."""

    def __init__(self) -> None:
        super().__init__(None)


class Dice:
    """A generator of numbers by chance, the same for the same seed in every process."""

    def __init__(self, seed: int) -> None:
        """
        Args:
            seed: any integer.
        """
        self._random = _generator(seed)
        self.random = self._random.random

    def between(self, first: int, last: int) -> int:
        """A whole number from `first` to `last`, both included."""
        return first + int(self.random() * (last - first + 1))


def is_anybodys(generator: object) -> bool:
    """Whether it is the generator behind the module's own functions, such as `random.random()`."""
    return generator is getattr(random.random, "__self__", None)


@contextmanager
def dice_of_others(seed: int) -> Generator[None]:
    """Let what user code draws from the module `random` follow from `seed` in this context."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
