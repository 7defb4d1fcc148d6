"""`Worker`: claims what is due, performs it, and settles it."""

import asyncio
import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from docket_sim.codec import TaskCodec
from docket_sim.dependencies import AnyDependency, SharedScope, is_dependency
from docket_sim.docket import Docket
from docket_sim.errors import DocketError, StoreUnavailable
from docket_sim.events import LeaseLost, Started
from docket_sim.execution import (
    Cancelled,
    ExecutionState,
    Finish,
    Refused,
    Reschedule,
    Settlement,
    TaskCall,
)
from docket_sim.perform import Attempt, Interruption, Performed, perform
from docket_sim.settings import WorkerSettings
from docket_sim.store import Claim, Claimed, Settled
from docket_sim.store.pauses import pauses
from docket_sim.task import TaskFunction
from docket_sim.worker.assignment import Assigner
from docket_sim.worker.leases import Leases
from docket_sim.worker.limits import Limits
from docket_sim.worker.report import report
from docket_sim.worker.wakeup import Wakeup

_logger = logging.getLogger(__name__)
_DEFAULTS = WorkerSettings()
_HEAD_START = timedelta(milliseconds=100)
_LATELY = timedelta(minutes=10)  # what some left to others may take several rounds among them


class Worker:
    """Runs the tasks of a docket. Any number of workers may work on one docket.

        async with Docket(name="shop") as docket, Worker(docket) as worker:
            await worker.run_forever()

    Nothing that a task or a message contains can end a worker: it ends that execution, with a
    reason. A store that does not answer is asked again.

    Attributes:
        docket: the docket that it works on.
        name: names the worker; two of one process differ by default.
        settings: how it behaves.
    """

    def __init__(
        self,
        docket: Docket,
        name: str | None = None,
        concurrency: int = _DEFAULTS.concurrency,
        redelivery_timeout: timedelta = _DEFAULTS.redelivery_timeout,
        reconnection_delay: timedelta = _DEFAULTS.reconnection_delay,
        minimum_check_interval: timedelta | None = None,
        scheduling_resolution: timedelta | None = None,
        schedule_automatic_tasks: bool = _DEFAULTS.schedule_automatic_tasks,
        *,
        max_deliveries: int = _DEFAULTS.max_deliveries,
        fallback_task: TaskFunction | None = None,
        dependencies: Mapping[str, Any] | Sequence[Any] | None = None,
    ) -> None:
        """
        Args:
            docket: the docket to work on.
            name: names the worker; by default host, process and a few random digits.
            concurrency: how many attempts may run at once.
            redelivery_timeout: how long a claim lasts unless renewed.
            reconnection_delay: how long to wait at most before asking a store again that did not
                answer; the first waits are short.
            minimum_check_interval: without effect, since nothing is polled; taken so that code
                written for other task systems works.
            scheduling_resolution: likewise.
            schedule_automatic_tasks: whether to schedule `Perpetual(automatic=True)` tasks.
            max_deliveries: how often one attempt may be delivered before it counts as poison.
            fallback_task: what to run for a task that the docket does not know; without one, such
                a call is left for other workers, and ends failed when it was so for an hour.
            dependencies: dependencies resolved for every attempt before the task's own.

        Raises:
            ValueError: a setting that cannot work, or a second policy of one kind for some task.
            TypeError: something in `dependencies` is not a dependency.
        """
        del minimum_check_interval, scheduling_resolution
        self.docket = docket
        self.name = name or _default_name(docket)
        self.settings = WorkerSettings(
            concurrency=concurrency,
            redelivery_timeout=redelivery_timeout,
            reconnection_delay=reconnection_delay,
            max_deliveries=max_deliveries,
            schedule_automatic_tasks=schedule_automatic_tasks,
        )
        self._assigner = Assigner(
            docket,
            dependencies=_named(dependencies),
            fallback=fallback_task,
            max_deliveries=max_deliveries,
        )
        self._resources: AsyncExitStack | None = None
        self._limits = Limits({})
        self._running = False
        self._left_until: datetime | None = None

    @property
    def concurrency(self) -> int:
        """How many attempts may run at once."""
        return self.settings.concurrency

    @property
    def in_hand(self) -> int:
        """How many attempts are running."""
        return len(self._leases) if self._resources is not None else 0

    async def __aenter__(self) -> Self:
        if self._resources is not None:
            raise DocketError(f"the worker {self.name!r} is open already; open another one")
        self._resources = AsyncExitStack()
        self._shared = SharedScope()
        self._leases = Leases(self.docket.store, self.settings.redelivery_timeout, self.docket.now)
        self._wakeup = Wakeup(self.name, self.docket.now, self._leases.cancel)
        self._resources.push_async_callback(self._shared.close)
        self._resources.push_async_callback(self._leases.abandon)
        self._resources.enter_context(self.docket.store.listen(self._wakeup))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._resources is not None
        resources, self._resources = self._resources, None
        self._wakeup.ring()  # a run that is still under way sees that the worker is closed
        await resources.aclose()

    async def run_forever(self) -> None:
        """Work until cancelled.

        Raises:
            CancelledError: this was cancelled; the attempts in hand have ended before.
        """
        await self._run(until_finished=False)

    async def run_until_finished(self) -> None:
        """Work until nothing of the docket is outstanding, the future included."""
        await self._run(until_finished=True)

    async def run_at_most(self, iterations_by_key: Mapping[str, int]) -> None:
        """Work until nothing is outstanding, and let some tasks run so often at most.

        Args:
            iterations_by_key: how many runs there may be, by task name or key. A retry is part of
                its run. What would run more often is cancelled instead; a perpetual ends with its
                last allowed run.

        Raises:
            ValueError: a negative number.
        """
        self._limits = Limits(iterations_by_key)
        try:
            await self._run(until_finished=True)
        finally:
            self._limits = Limits({})

    async def perform_once(
        self, call: TaskCall, *, cancel_after: timedelta | None = None
    ) -> Performed:
        """Run one attempt at `call`, which no store holds: nothing is settled, and none follows.

        The worker need not be open. `Shared` instances last as long as the attempt.

        Args:
            call: what to run; its `attempt` says which one this is.
            cancel_after: when to cancel the execution while it runs, counted from now.
        """
        now, shared = self.docket.now(), SharedScope()
        claim = Claim(call, self.name, fence=0, delivery=1, claimed_at=now)
        assignment, codec = self._assigner.assign(claim, self, shared)
        attempt = Attempt(claim, assignment)
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None
        if cancel_after is not None:
            seconds = cancel_after.total_seconds()
            timer = loop.call_later(seconds, attempt.interrupt, Interruption.CANCELLED)
        try:
            # A task of its own, as in production: what the attempt sets in its context stays there.
            return await loop.create_task(
                perform(attempt, codec, self.docket.now), name=f"{call.task} [{call.key}]"
            )
        finally:
            if timer is not None:
                timer.cancel()
            await shared.close()

    async def _run(self, *, until_finished: bool) -> None:
        if self._resources is None or self._running:
            raise DocketError(
                f"the worker {self.name!r} is "
                + ("running already" if self._running else "not open: use `async with Worker(...)`")
            )
        self._running = True
        try:
            await self._schedule_automatic_tasks()
            await self._work_off(until_finished=until_finished)
        finally:
            self._running = False
            await self._leases.drain()

    async def _work_off(self, *, until_finished: bool) -> None:
        while self._resources is not None:
            free = self.settings.concurrency - len(self._leases)
            if free == 0:
                await self._wakeup.wait(None, None)
                continue
            claimed = await self._claim(free)
            for claim in claimed.claims:
                self._start(claim)
            if until_finished and claimed.outstanding == 0 and not self._leases:
                return
            if len(claimed.claims) < free:
                await self._wakeup.wait(self._next_due(claimed), claimed.next_expiry)

    def _next_due(self, claimed: Claimed) -> datetime | None:
        """When to look for work; what workers like this one have left to others, they take first.

        Whether what is due is that, or something else, only a claim would tell.
        """
        due, left = claimed.next_due, self._left_until
        if due is None or left is None or due - left > _LATELY:
            return due
        return due + _HEAD_START

    async def _claim(self, limit: int) -> Claimed:
        waits = self._waits()
        while self._resources is not None:
            try:
                await self._leases.catch_up()
                if self._wakeup.missed:
                    await self._find_automatic_tasks()
                claimed = await self.docket.store.claim(
                    self.name,
                    limit=limit,
                    lease=self.settings.redelivery_timeout,
                    now=self.docket.now(),
                )
            except StoreUnavailable as error:
                self._wakeup.missed = True
                await _pause(next(waits), error)
            else:
                return claimed
        return Claimed((), None, None, 0)  # closed meanwhile

    def _start(self, claim: Claim) -> None:
        assignment, codec = self._assigner.assign(claim, self, self._shared)
        attempt = Attempt(claim, assignment)
        task = asyncio.get_running_loop().create_task(
            self._work(attempt, codec), name=f"{claim.call.task} [{claim.call.key}]"
        )
        self._leases.add(attempt, task)

    async def _work(self, attempt: Attempt, codec: TaskCodec) -> None:
        try:
            if self._limits.allow(attempt.claim):
                attempt.last_run = self._limits.exhausted(attempt.claim.call)
                await self._attempt(attempt, codec)
            else:
                await self._turn_away(attempt.claim)
        except asyncio.CancelledError:
            if attempt.interrupted is Interruption.LOST:
                now = self.docket.now()
                self.docket.notify(LeaseLost(now, attempt.claim.call, attempt.claim.worker))
        except Exception:
            # Nothing is settled: the lease expires, and the call is delivered again.
            _logger.exception("the worker failed at %r", attempt.claim.call.key)
        finally:
            self._leases.remove(attempt)
            self._wakeup.ring()

    async def _attempt(self, attempt: Attempt, codec: TaskCodec) -> None:
        claim, docket = attempt.claim, self.docket
        if not attempt.refused:
            docket.notify(Started(docket.now(), claim.call, claim.worker, claim.delivery))
        performed = await perform(attempt, codec, docket.now)
        settled = await self._settle(claim, performed.settlement)
        if isinstance(performed.outcome, Refused) and isinstance(performed.settlement, Reschedule):
            self._left_until = performed.settlement.when
        docket.notify(report(claim, performed, settled, docket.now()))

    async def _turn_away(self, claim: Claim) -> None:
        """End an execution that `run_at_most` does not allow to run."""
        performed = Performed(Cancelled(), Finish(ExecutionState.CANCELLED))
        settled = await self._settle(claim, performed.settlement)
        self.docket.notify(report(claim, performed, settled, self.docket.now()))

    async def _settle(self, claim: Claim, settlement: Settlement) -> Settled:
        waits = self._waits()
        while True:
            try:
                return await self.docket.store.settle(claim, settlement, now=self.docket.now())
            except StoreUnavailable as error:
                if not self._running and self._leases.overdue:
                    return Settled.LOST  # the worker stops: whoever comes may take it over
                await _pause(next(waits), error)

    def _waits(self) -> Iterator[timedelta]:
        return pauses(self.settings.reconnection_delay)

    def _automatic_tasks(self) -> Iterator[str]:
        """The names of what this worker is to schedule; each is its own key, too."""
        if not self.settings.schedule_automatic_tasks:
            return
        for name in self.docket.tasks:
            perpetual = self.docket.task(name).perpetual
            if perpetual is not None and perpetual.automatic:
                yield name

    async def _schedule_automatic_tasks(self) -> None:
        for name in self._automatic_tasks():
            await self._add_automatic(name)

    async def _find_automatic_tasks(self) -> None:
        """Schedule again what a store that was away knows nothing of: it may have lost its data.

        One that has ended, and is known to have, stays so.
        """
        self._wakeup.missed = False
        for name in self._automatic_tasks():
            if await self.docket.store.get(name, now=self.docket.now()) is None:
                await self.docket.add(name, key=name)()

    async def _add_automatic(self, name: str) -> None:
        waits = self._waits()
        while self._resources is not None:
            try:
                await self.docket.add(name, key=name)()
            except StoreUnavailable as error:
                await _pause(next(waits), error)
            else:
                return


async def _pause(delay: timedelta, error: StoreUnavailable) -> None:
    _logger.warning("the store does not answer, asking again in %s: %s", delay, error)
    await asyncio.sleep(delay.total_seconds())


def _default_name(docket: Docket) -> str:
    digits = docket.entropy.new_id(docket.now())[-8:]
    return f"{socket.gethostname()}#{os.getpid()}-{digits}"


def _named(dependencies: Mapping[str, Any] | Sequence[Any] | None) -> dict[str, AnyDependency]:
    """The worker's dependencies by name; those of a sequence are named by their place."""
    if dependencies is None:
        return {}
    items = (
        dependencies.items()
        if isinstance(dependencies, Mapping)
        else ((f"dependency {place}", item) for place, item in enumerate(dependencies, 1))
    )
    named: dict[str, AnyDependency] = {}
    for name, item in items:
        if not is_dependency(item):
            raise TypeError(
                f"the worker's {name} must be a dependency, such as Depends(factory), "
                f"found {item!r}"
            )
        named[name] = item
    return named
