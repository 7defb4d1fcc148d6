"""How long to wait before a server that is away is asked again: little at first, after a blip."""

from collections.abc import Iterator
from datetime import timedelta

_FIRST = timedelta(milliseconds=50)


def pauses(longest: timedelta) -> Iterator[timedelta]:
    """The waits, one after another: 50 ms, then each time twice as long, up to `longest`."""
    pause = min(_FIRST, longest)
    while True:
        yield pause
        pause = min(2 * pause, longest)
