"""One call of a driving verb: what it waits for, what stops it, and what it brought about."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from docket_sim.clock.durations import short
from docket_sim.errors import EndlessRun
from docket_sim.events import AttemptEvent, CancelledWaiting, Event, Started
from docket_sim.execution import TaskCall
from docket_sim.simulation.timeline import Timeline


class Drive:
    """Watches what happens while one verb drives the simulation.

    Attributes:
        first_end: done when an attempt that began in this drive has ended.
    """

    def __init__(
        self,
        verb: str,
        timeline: Timeline,
        create_future: Callable[[], asyncio.Future[None]],
        *,
        first_event: int,
        limit: int,
        per_instant: bool,
    ) -> None:
        """
        Args:
            verb: the verb's name, for messages.
            timeline: where the run is noted.
            create_future: makes a future of the run's loop.
            first_event: the first of the timeline's events that no earlier drive has counted.
            limit: how many follow-up runs there may be.
            per_instant: whether they are counted afresh at each instant.
        """
        self._verb = verb
        self._timeline = timeline
        self._limit = limit
        self._per_instant = per_instant
        self._first_event = first_event
        self._begun: set[str] = set()
        self._follow_ups: Counter[str] = Counter()
        self._counted_at: datetime | None = None
        self._last_keys: dict[str, tuple[str, datetime]] = {}
        self._interval: timedelta | None = None
        self._create_future = create_future
        self._changed: asyncio.Future[None] | None = None
        self._stopped: asyncio.Future[None] = create_future()
        self.first_end: asyncio.Future[None] = create_future()

    @property
    def events(self) -> list[Event]:
        """What has happened since the drive before this one."""
        return self._timeline.events[self._first_event :]

    def notify(self, event: Event) -> None:
        """Take note of what happened."""
        match event:
            case Started(call=call):
                self._count(call, event.at)
                self._begun.add(call.key)
            case AttemptEvent(call=call):
                if call.key in self._begun and not self.first_end.done():
                    self.first_end.set_result(None)
                self._change()
            case CancelledWaiting():
                self._change()
            case _:
                pass

    def next_change(self) -> asyncio.Future[None]:
        """Done when an attempt ends, or a waiting execution is cancelled."""
        self._changed = self._create_future()
        return self._changed

    def _change(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    @property
    def stopped(self) -> bool:
        """Whether it ends with an error."""
        return self._stopped.done()

    def stop(self, error: BaseException) -> None:
        """End the drive with `error`."""
        if not self.stopped:
            self._stopped.set_exception(error)

    async def until(self, condition: asyncio.Future[Any]) -> None:
        """Wait for `condition`.

        Raises:
            EndlessRun: there were more follow-up runs than the limit allows.
            Exception: what else the drive was stopped with.
        """
        __tracebackhide__ = True
        await asyncio.wait([condition, self._stopped], return_when=asyncio.FIRST_COMPLETED)
        if self._stopped.done():
            condition.cancel()
            self._stopped.result()

    def _count(self, call: TaskCall, now: datetime) -> None:
        if call.cause is None and call.attempt == 1 and call.key not in self._begun:
            return
        if self._per_instant and now != self._counted_at:
            self._follow_ups.clear()
            self._counted_at = now
        self._follow_ups[call.task] += 1
        if call.task in self._last_keys:
            self._interval = now - self._last_keys[call.task][1]
        self._last_keys[call.task] = (call.key, now)
        if self._follow_ups.total() > self._limit:
            self.stop(EndlessRun(self._endless(now)))

    def _bounds(self) -> str:
        if self._per_instant:
            return "let it wait, by Perpetual(every=...), a retry's delay, or when="
        return "sim.run_for(timedelta(...)) or sim.run_until(when) stop at an instant"

    def _with_limit(self) -> str:
        return self._verb[:-1] + (", limit=n)" if self._verb.endswith("...)") else "limit=n)")

    def _endless(self, now: datetime) -> str:
        task, runs = self._follow_ups.most_common(1)[0]
        key, _ = self._last_keys[task]
        every = "" if self._interval is None else f", the last two {short(self._interval)} apart"
        where = " at this instant" if self._per_instant else ""
        return (
            f"{self._verb} stopped after {self._limit:,} follow-up runs{where}, at "
            f"{now.isoformat()} (+{short(now - self._timeline.start)}): {task} keeps coming back, "
            f"{runs:,} of those runs are its{every} (last key {key!r}).\n"
            f"Bound it: {self._bounds()}; {self._with_limit()} allows more; in the task, "
            f"Perpetual.cancel() or Retry(attempts=n) ends it."
        )
