"""How a worker waits: until an instant, or until somebody rings."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime

from docket_sim.clock import housekeeping
from docket_sim.store.base import LOOK_AGAIN


class Wakeup:
    """A bell that a worker waits at; it listens to the store on the worker's behalf.

    Rings are remembered: one that comes while nobody waits ends the next wait at once.

    Attributes:
        worker: the worker's name.
        missed: whether the store was away, or has lost what it held, and nobody has looked yet.
    """

    def __init__(
        self, worker: str, now: Callable[[], datetime], cancel: Callable[[str], None]
    ) -> None:
        """
        Args:
            worker: the worker's name.
            now: tells the time.
            cancel: is told the key of a running execution that was cancelled.
        """
        self.worker = worker
        self._now = now
        self._cancel = cancel
        self.missed = False
        self._rung = False
        self._until: datetime | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._quietly = copy_context()
        self._quietly.run(lambda: housekeeping.set(True))

    def ring(self) -> None:
        """End the present or the next wait."""
        self._rung = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def wait(self, due: datetime | None, expiry: datetime | None) -> None:
        """Wait for a ring, for work that is `due`, or for a lease to expire."""
        if not self._rung:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            self._until = min((at for at in (due, expiry) if at is not None), default=None)
            timers = [
                loop.call_later((at - self._now()).total_seconds(), self.ring, context=context)
                for at, context in ((due, None), (expiry, self._quietly))
                if at is not None
            ]
            try:
                await self._waiter
            finally:
                self._waiter = None
                for timer in timers:
                    timer.cancel()
        self._rung = False

    # What the store tells.

    def work_due(self, when: datetime) -> None:
        """There may be work at `when`."""
        if when == LOOK_AGAIN:
            self.missed = True
        # While nobody waits, what the next wait will be for is not known yet.
        if self._waiter is None or self._until is None or when < self._until:
            self.ring()

    def cancel_requested(self, key: str) -> None:
        """A running execution was cancelled."""
        self._cancel(key)

    def drained(self) -> None:
        """Nothing is outstanding."""
        self.ring()
