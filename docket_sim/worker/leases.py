"""The attempts that a worker has in hand, and the renewal of their leases."""

import asyncio
import logging
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import dataclass
from datetime import datetime, timedelta

from docket_sim.clock import housekeeping
from docket_sim.errors import StoreUnavailable
from docket_sim.perform import Attempt, Interruption
from docket_sim.store import Store

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _InHand:
    attempt: Attempt
    task: asyncio.Task[None]


class Leases:
    """The attempts that a worker has in hand, by fence.

    Their leases are renewed each third of the lease's length, all of them in one call; with nothing
    in hand, nothing ticks.
    """

    def __init__(self, store: Store, lease: timedelta, now: Callable[[], datetime]) -> None:
        """
        Args:
            store: where the claims are.
            lease: how long a claim lasts unless renewed.
            now: tells the time.
        """
        self._store = store
        self._lease = lease
        self._now = now
        self._in_hand: dict[int, _InHand] = {}
        self._good_until: datetime | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._renewing: asyncio.Task[bool] | None = None
        self._quietly = copy_context()
        self._quietly.run(lambda: housekeeping.set(True))

    def __len__(self) -> int:
        return len(self._in_hand)

    def add(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        """Take an attempt, run by `task`, in hand."""
        if not self._in_hand:
            self._good_until = self._end_of_lease(attempt.claim.claimed_at)
        self._in_hand[attempt.claim.fence] = _InHand(attempt, task)
        if self._timer is None:
            self._tick()

    def remove(self, attempt: Attempt) -> None:
        """Let go of an attempt that is over."""
        self._in_hand.pop(attempt.claim.fence, None)
        if not self._in_hand and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def overdue(self) -> bool:
        """Whether a lease in hand may have expired: the store was away, or this process was."""
        return bool(
            self._in_hand and self._good_until is not None and self._now() >= self._good_until
        )

    def cancel(self, key: str) -> None:
        """Cancel the attempts at `key`, because the execution was cancelled."""
        for in_hand in list(self._in_hand.values()):
            if in_hand.attempt.claim.call.key == key:
                in_hand.attempt.interrupt(Interruption.CANCELLED)

    async def drain(self) -> None:
        """Wait until every attempt in hand is over."""
        while pending := [one.task for one in self._in_hand.values() if not one.task.done()]:
            await asyncio.wait(pending)

    async def abandon(self) -> None:
        """Cut every attempt in hand short; nothing of them is settled.

        One that does not end is waited for no longer than its lease lasts.
        """
        tasks = [in_hand.task for in_hand in self._in_hand.values()]
        for in_hand in list(self._in_hand.values()):
            in_hand.attempt.interrupt(Interruption.STOPPED)
            in_hand.task.cancel()
        if self._renewing is not None:
            self._renewing.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self._lease.total_seconds())
        for in_hand in list(self._in_hand.values()):
            if in_hand.task.done():  # one that had not begun could not let go of itself
                self.remove(in_hand.attempt)

    async def catch_up(self) -> None:
        """Renew what may have expired, before anything is claimed that might be in hand.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        if self.overdue and not await self.renew():
            raise StoreUnavailable("the leases in hand could not be renewed")

    async def renew(self) -> bool:
        """Renew every lease in hand; attempts whose claim was lost or cancelled are interrupted.

        Returns whether the store has answered.
        """
        claims = [in_hand.attempt.claim for in_hand in self._in_hand.values()]
        now = self._now()
        try:
            renewal = await self._store.renew(claims, lease=self._lease, now=now)
        except StoreUnavailable as error:
            _logger.warning("the leases could not be renewed, to be tried again: %s", error)
            return False
        self._good_until = self._end_of_lease(now)
        for fences, why in (
            (renewal.lost, Interruption.LOST),
            (renewal.cancelled, Interruption.CANCELLED),
        ):
            for fence in fences:
                if fence in self._in_hand:
                    self._in_hand[fence].attempt.interrupt(why)
        return True

    def _end_of_lease(self, begun: datetime) -> datetime | None:
        try:
            return begun + self._lease
        except OverflowError:
            return None  # never

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(
            self._lease.total_seconds() / 3, self._begin_renewal, context=self._quietly
        )

    def _begin_renewal(self) -> None:
        self._tick()
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.get_running_loop().create_task(
                self.renew(), name="docket lease renewal", context=self._quietly
            )
