"""Drives a simulation: opens the turnstile, lets the workers work, and sees when to stop."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from docket_sim.clock import VirtualClock
from docket_sim.errors import NothingToRun, SimulationError
from docket_sim.events import AttemptEvent, Event
from docket_sim.simulation.boundary import Boundary
from docket_sim.simulation.crew import Crew
from docket_sim.simulation.drive import Drive
from docket_sim.simulation.failures import Failures
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.hosts import Host
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.planted import Planted
from docket_sim.simulation.tally import Tally
from docket_sim.simulation.timeline import Timeline

DEFAULT_LIMIT = 10_000


class Driver:
    """Does what the driving verbs of a simulation promise.

    Attributes:
        loop: the simulation's loop, once there is one.
        hosts: the machines that the workers run on.
        journal: what passes between the workers and the store.
        failures: what has failed, and what has broken the run.
        when_idle: called when nothing is left to run; raises if something is wrong all the same.
        when_over: called when a verb has ended.
        driving: whether a verb is under way.
        outstanding: whether there may be work that has not ended.
        broken: whether a verb has ended in an error, so that work is left over by necessity.
    """

    loop: VirtualLoop

    def __init__(
        self,
        clock: VirtualClock,
        boundary: Boundary,
        crew: Crew,
        timeline: Timeline,
        failures: Failures,
    ) -> None:
        self._clock = clock
        self._turnstile = boundary.turnstile
        self._court = boundary.court
        self.hosts = boundary.court.troubles.hosts
        self.journal = boundary.court.troubles.journal
        self._crew = crew
        self._turnstile.gated.update(crew.names)
        crew.engaged = self._turnstile.gated.add
        self._court.after.append(self._applied)
        self._court.troubles.changed = self._straggler_moved
        self._court.troubles.lost = self._machine_lost
        self._court.broken = self.break_off
        self._persistence = boundary.persistence
        self._persistence.told.append(self._store_forgot)
        self._timeline = timeline
        self.failures = failures
        self._drive: Drive | None = None
        self._tallied = 0
        self._idle: asyncio.Future[None] | None = None
        self.broken = False
        self.outstanding = False
        self.planted = Planted(self._action_ended)
        self.checks: list[Callable[[], None]] = []
        self.when_idle: Callable[[], None] = _nothing
        self.when_over: Callable[[], None] = _nothing

    @property
    def driving(self) -> bool:
        """Whether a verb is under way."""
        return self._drive is not None

    async def run_due(self, limit: int) -> Tally:
        """Run what is due now, and what that schedules for now."""
        async with self._driving("run_due()", limit, per_instant=True) as drive:
            await drive.until(self.loop.settled())
        return self._tally(drive)

    async def run_next(self) -> Tally:
        """Move to the next due time, and run one attempt to its end."""
        __tracebackhide__ = True
        outlook = await self._turnstile.outstanding(self._clock.now())
        if outlook.next_due is None:
            raise NothingToRun(
                "run_next() expects something to be scheduled, found "
                + (f"{outlook.outstanding} running" if outlook.outstanding else "nothing")
                + ". Add work first, or use a verb that may find nothing, such as run_due()."
            )
        async with self._driving("run_next()", DEFAULT_LIMIT, tickets=1) as drive:
            while not drive.first_end.done():
                await drive.until(drive.next_change())
                if not (await self._turnstile.outstanding(self._clock.now())).outstanding:
                    break  # it was cancelled before its time
        return self._tally(drive)

    async def run_until_idle(self, limit: int) -> Tally:
        """Run everything that is scheduled or planted, all of the future included."""
        async with self._driving("run_until_idle()", limit) as drive:
            await drive.until(self.loop.settled())
            while await self._anything_left():
                self._idle = self.loop.create_future()
                await drive.until(self._idle)
                await drive.until(self.loop.settled())
            self.when_idle()
        return self._tally(drive)

    async def run_to(self, when: datetime, verb: str, limit: int) -> Tally:
        """Run what becomes due until `when`, and move the clock there."""
        async with self._driving(verb, limit, per_instant=True) as drive:
            await drive.until(self.loop.settled())
            await drive.until(self.loop.reached(when))
            await drive.until(self.loop.settled())
        return self._tally(drive)

    # What it is told.

    def break_off(self, error: BaseException) -> None:
        """End the verb that is under way, or the next check, with `error`."""
        self._court.troubles.journal.close()
        if self._drive is not None and not self._drive.stopped:
            self._drive.stop(error)
        else:
            self.failures.note_broken(error)

    def notify(self, event: Event) -> None:
        """Take note of what happened."""
        if self._drive is not None:
            self._drive.notify(event)
        if isinstance(event, AttemptEvent):
            self._straggler_moved()

    def _applied(self, call: StoreCall) -> None:
        # Not when the docket tells of it: that answer may be late, and the work have ended.
        if call.calls:
            self.outstanding = True

    @property
    def worker(self) -> str:
        """The name to listen under: that of no worker."""
        return ""

    def work_due(self, when: datetime) -> None:
        """Nothing to do: the workers are told."""

    def cancel_requested(self, key: str) -> None:
        """Nothing to do: the workers are told."""

    def drained(self) -> None:
        """Nothing is outstanding."""
        self.outstanding = False
        self._wake()

    def _store_forgot(self) -> None:
        self.outstanding = self._persistence.outstanding
        self._wake()

    def _machine_lost(self, host: Host) -> None:
        self._turnstile.give_back(self._crew.in_hand_of(host), self._clock.true_now())

    def _straggler_moved(self) -> None:
        if not self.outstanding:
            self._wake()

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    async def leave(self) -> None:
        """Stop the workers; a verb that was under way is forgotten."""
        self._drive = None
        self._court.adjourn()
        await self._crew.leave()

    def _action_ended(self, error: BaseException | None) -> None:
        if error is not None:
            self.break_off(error)
        self._wake()

    # How it is done.

    async def _anything_left(self) -> bool:
        outlook = await self._turnstile.outstanding(self._clock.now())
        # After a fault, a worker may still work on what has ended elsewhere: let it find out.
        return bool(outlook.outstanding or self.planted or self._stragglers())

    def _stragglers(self) -> bool:
        """Whether a worker is at work, or will be, on what has ended elsewhere."""
        troubles = self._court.troubles
        return self._court.disturbed and (
            troubles.returning
            or any(
                worker.in_hand and not troubles.gone(worker.name) for worker in self._crew.workers
            )
        )

    @asynccontextmanager
    async def _driving(
        self, verb: str, limit: int, *, per_instant: bool = False, tickets: int | None = None
    ) -> AsyncGenerator[Drive]:
        __tracebackhide__ = True
        self._refuse_misuse(verb)
        drive = Drive(
            verb,
            self._timeline,
            self.loop.create_future,
            first_event=self._tallied,
            limit=limit,
            per_instant=per_instant,
        )
        self._drive = drive
        try:
            await self._crew.begin(drive.stop)
            self._turnstile.let_through(self._clock.now(), tickets)
            yield drive
        except BaseException:
            self.broken = True
            raise
        finally:
            self._turnstile.shut()
            self._drive = None
        self.when_over()
        self.failures.raise_broken()

    def _refuse_misuse(self, verb: str) -> None:
        __tracebackhide__ = True
        if asyncio.get_running_loop() is not self.loop:
            raise SimulationError(
                f"{verb} was awaited on another event loop, such as that of another plugin's "
                f"fixture; the verbs run on the simulation's own. In an async test await them "
                f"there; anywhere else, use sim.run(sim.{verb})."
            )
        for check in self.checks:
            check()
        if self._drive is not None:
            raise SimulationError(
                f"{verb} cannot begin while another verb drives this simulation; "
                f"a task under test must not drive it either"
            )

    def _tally(self, drive: Drive) -> Tally:
        events = drive.events
        self._tallied += len(events)
        return Tally.of(events, running=self._crew.in_hand)


def _nothing() -> None: ...
