"""Durations as people read them."""

from datetime import timedelta


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
