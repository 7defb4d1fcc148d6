"""A worker as a process: it works until it has finished, and drains or abandons when told to."""

import asyncio
import logging
from contextlib import AsyncExitStack
from datetime import timedelta

from docket_sim.cli.condition import Condition, Phase
from docket_sim.cli.http import HttpServer
from docket_sim.cli.place import Place, reached
from docket_sim.cli.stop import Stop
from docket_sim.clock.durations import short
from docket_sim.docket import Docket
from docket_sim.settings import WorkerSettings
from docket_sim.worker import Worker

_logger = logging.getLogger(__name__)


class Service:
    """A worker that obeys signals and tells how it is."""

    def __init__(
        self, place: Place, docket: Docket, settings: WorkerSettings, name: str | None, stop: Stop
    ) -> None:
        """
        Args:
            place: where the docket lives.
            docket: the docket there, not yet opened.
            settings: how the worker behaves.
            name: names the worker; one is made up for `None`.
            stop: when it has to stop.
        """
        self._place = place
        self._docket = docket
        self._settings = settings
        self._stop = stop
        self._worker = _worker(docket, settings, name)
        self._condition = Condition(docket, place.secrets)

    async def run(self, listen: tuple[str, int] | None, *, until_finished: bool) -> int:
        """Work, and return how many attempts were abandoned.

        Args:
            listen: host and port of the health endpoint, or `None` for none.
            until_finished: whether to end once nothing is outstanding.

        Raises:
            DocketError: the store or the health endpoint cannot be had from the start.
        """
        self._stop.attach()
        async with AsyncExitStack() as stack:
            if listen is not None:
                server = HttpServer(*listen, answer=self._condition.answer)
                await stack.enter_async_context(server)
                _logger.info("health at http://%s/health", server.address)
            await stack.enter_async_context(reached(self._place, self._docket))
            return await self._work(until_finished=until_finished)

    async def _work(self, *, until_finished: bool) -> int:
        worker = self._worker
        async with worker:
            working = worker.run_until_finished() if until_finished else worker.run_forever()
            claiming = asyncio.get_running_loop().create_task(working, name="docket worker")
            self._condition.working(worker, claiming)
            self._announce()
            await _either(claiming, self._stop.asked)
            if not claiming.done():
                await self._drain(claiming)
            abandoned = self._in_hand()
        # Leaving the worker has cut short what it had in hand, so the run ends now.
        await asyncio.wait({claiming})
        if not claiming.cancelled():
            claiming.result()
        return abandoned

    async def _drain(self, claiming: asyncio.Task[None]) -> None:
        self._condition.phase = Phase.DRAINING
        deadline = self._settings.shutdown_deadline
        _logger.info(
            "stopping: no more work is claimed; attempts in hand: %d; they have %s to end, "
            "unless another signal abandons them",
            self._worker.in_hand,
            short(deadline),
        )
        claiming.cancel()
        await _either(claiming, self._stop.hurried, within=deadline)

    def _in_hand(self) -> int:
        in_hand = self._worker.in_hand
        if in_hand:
            _logger.warning(
                "attempts abandoned: %d; their leases expire within %s, and other workers take "
                "them over",
                in_hand,
                short(self._settings.redelivery_timeout),
            )
        return in_hand

    def _announce(self) -> None:
        _logger.info(
            "worker %s works on %s, up to %d attempts at once; it knows %s",
            self._worker.name,
            self._place.shown,
            self._worker.concurrency,
            ", ".join(sorted(self._docket.tasks)),
        )


def _worker(docket: Docket, settings: WorkerSettings, name: str | None) -> Worker:
    return Worker(
        docket,
        name,
        concurrency=settings.concurrency,
        redelivery_timeout=settings.redelivery_timeout,
        reconnection_delay=settings.reconnection_delay,
        schedule_automatic_tasks=settings.schedule_automatic_tasks,
        max_deliveries=settings.max_deliveries,
    )


async def _either(
    task: asyncio.Task[None], event: asyncio.Event, *, within: timedelta | None = None
) -> None:
    """Wait for the end of `task`, for `event`, or until the time is up; none of them is touched."""
    waiting = asyncio.get_running_loop().create_task(event.wait())
    limit = None if within is None else within.total_seconds()
    await asyncio.wait({task, waiting}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
