"""Durations and instants as people read and write them."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from docket_sim.clock.utc import as_utc

_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds", "ms": "milliseconds"}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)")
_WHOLE = re.compile(rf"\+?(?:{_PART.pattern} ?)+")


def short(duration: timedelta) -> str:
    """A duration as one reads it: `0s`, `1.5s`, `1d 2h`, `3m 4s`."""
    if duration < timedelta(0):
        return f"-{short(-duration)}"
    seconds, microseconds = divmod(duration // timedelta(microseconds=1), 1_000_000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    fraction = f"{microseconds / 1_000_000:.6f}".rstrip("0").rstrip(".")[1:]
    parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n]
    if seconds or fraction or not parts:
        parts.append(f"{seconds}{fraction}s")
    return " ".join(parts)


def duration_of(written: timedelta | str) -> timedelta:
    """A duration, given as such or written: `2h`, `1d 2h`, `+1.5s`, `250ms`; `short` reads back.

    Raises:
        ValueError: the text is no duration.
        TypeError: neither a timedelta nor a text.
    """
    if isinstance(written, timedelta):
        return written
    if not isinstance(written, str):
        raise TypeError(f"expected a timedelta or a text such as '2h', found {written!r}")
    return _read(written)


@lru_cache
def _read(written: str) -> timedelta:
    """A written duration; a search reads the same few for each store call of each run."""
    text = written.strip()
    if not _WHOLE.fullmatch(text):
        raise ValueError(
            f"expected a duration such as '90s', '2h' or '1d 2h 30m', found {written!r}; "
            f"the units are {', '.join(_UNITS)}"
        )
    parts = [timedelta(**{_UNITS[unit]: float(n)}) for n, unit in _PART.findall(text)]
    return sum(parts, timedelta())


def instant_of(written: datetime | timedelta | str, start: datetime) -> datetime:
    """An instant, given as such, or as the time since `start`: a timedelta, or a text like `+2h`.

    Raises:
        ValueError: a naive datetime, or a text that is no duration.
        TypeError: none of these.
    """
    if isinstance(written, datetime):
        return as_utc(written)
    return start + duration_of(written)


def shifted(when: datetime, by: timedelta) -> datetime:
    """An instant on another clock, which is so far ahead; one past all instants stays there."""
    if not by:
        return when
    try:
        return when + by
    except OverflowError:
        return when


def shown(when: datetime) -> str:
    """An instant in UTC as one reads it: `2030-01-01 00:00:03Z`; a fraction where there is one."""
    text = when.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ")
    return f"{text.rstrip('0') if '.' in text else text}Z"
