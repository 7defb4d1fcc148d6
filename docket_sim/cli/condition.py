"""How a worker is: what its health endpoint tells, and why not, if it does not work."""

import asyncio
from datetime import timedelta
from enum import Enum
from http import HTTPStatus

from docket_sim.cli.http import Answer
from docket_sim.cli.masking import Secrets
from docket_sim.docket import Docket
from docket_sim.errors import error_text
from docket_sim.worker import Worker

PATIENCE = timedelta(seconds=1)
"""How long the store may take to answer a probe."""

_PROBE_KEY = "docket-sim health probe"


class Phase(Enum):
    """What the process is at."""

    STARTING = "starting"
    WORKING = "working"
    DRAINING = "draining"


class Condition:
    """How a worker is, as far as those need to know who route work or restart processes.

    Attributes:
        phase: what the process is at.
    """

    def __init__(self, docket: Docket, secrets: Secrets) -> None:
        """
        Args:
            docket: whose store is asked.
            secrets: what must not be shown.
        """
        self.phase = Phase.STARTING
        self._docket = docket
        self._secrets = secrets
        self._worker: Worker | None = None
        self._claiming: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[object] | None = None

    def working(self, worker: Worker, claiming: asyncio.Task[None]) -> None:
        """`worker` has begun to claim work, by the asyncio task `claiming`."""
        self.phase, self._worker, self._claiming = Phase.WORKING, worker, claiming

    async def answer(self, path: str) -> Answer:
        """The answer to a request for `path`: `/health`, `/live`, or not found."""
        match path:
            case "/health":
                return await self._health()
            case "/live":
                return Answer(HTTPStatus.OK, {"status": "alive"})
            case _:
                error = f"expected /health or /live, found {path}"
                return Answer(HTTPStatus.NOT_FOUND, {"error": error})

    async def _health(self) -> Answer:
        problem = await self._problem()
        status = HTTPStatus.OK if problem is None else HTTPStatus.SERVICE_UNAVAILABLE
        body: dict[str, object] = {"status": "healthy" if problem is None else "unhealthy"}
        if problem is not None:
            body["problem"] = problem
        body |= {"phase": self.phase.value, "docket": self._docket.name}
        if self._worker is not None:
            body |= {
                "worker": self._worker.name,
                "in_hand": self._worker.in_hand,
                "concurrency": self._worker.concurrency,
            }
        return Answer(status, body)

    async def _problem(self) -> str | None:
        if self.phase is not Phase.WORKING:
            return f"the worker is {self.phase.value}, and claims no work"
        if self._claiming is None or self._claiming.done():
            return "the worker has ceased to claim work"
        return await self._problem_of_the_store()

    async def _problem_of_the_store(self) -> str | None:
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().create_task(
                self._docket.store.get(_PROBE_KEY, now=self._docket.now()), name="docket health"
            )
        # One question at a time, however many ask: a store that hangs is not asked more and more.
        await asyncio.wait({self._probe}, timeout=PATIENCE.total_seconds())
        # Cancelled is what another request, whose patience ended a little earlier, has left of it.
        if not self._probe.done() or self._probe.cancelled():
            self._probe.cancel()
            return f"the store has not answered within {PATIENCE.total_seconds():g} s"
        error = self._probe.exception()
        return None if error is None else self._secrets.scrub(error_text(error))
