"""The clock of a server and that of whoever asks it: how far they are apart, as far as is known."""

import asyncio
from datetime import datetime, timedelta

from docket_sim.clock.durations import shifted


class Clocks:
    """How far the server is ahead of the caller; found out from its answers.

    An answer tells it as exactly as it was quick. What is taken for the difference changes only
    when an answer rules it out, and no further than that: clocks that may agree are taken to agree,
    and a slow answer does not look like a wrong clock.
    """

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
        most = server - now
        self._ahead = min(max(self._ahead, most - taken), most)

    def here(self, when: datetime) -> datetime:
        """An instant of the server on the clock of the caller."""
        return shifted(when, -self._ahead)

    def there(self, now: datetime) -> datetime:
        """An instant of the caller on the clock of the server."""
        return shifted(now, self._ahead)
