"""The clock of a server and that of whoever asks it: how far they are apart, as far as is known."""

import asyncio
from datetime import datetime, timedelta


class Clocks:
    """How far the server is ahead of the caller; found out from its answers."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def compare(self, server: datetime, now: datetime, sent: float) -> None:
        """Learn from an answer that has just come.

        Args:
            server: what the server's clock showed.
            now: what the caller's clock showed when it asked.
            sent: what the loop's clock showed then.
        """
        taken = timedelta(seconds=asyncio.get_running_loop().time() - sent)
        self._ahead = server - (now + taken)

    def here(self, when: datetime) -> datetime:
        """An instant of the server on the clock of the caller."""
        return _moved(when, -self._ahead)

    def there(self, now: datetime) -> datetime:
        """An instant of the caller on the clock of the server."""
        return _moved(now, self._ahead)


def _moved(when: datetime, by: timedelta) -> datetime:
    if not by:
        return when
    try:
        return when + by
    except OverflowError:
        return when
