"""One campaign: work is asked for and done while faults happen, and then the books are closed."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from redis.exceptions import RedisError

from chaos.book import entries_of
from chaos.crew import Crew
from chaos.faults import Around, Trouble
from chaos.figures import Report, figures_of, histories_of
from chaos.keys import Keys, outstanding
from chaos.ledger import Ended, Ledger, Wrong
from chaos.producer import Producer
from chaos.scenarios import Scenario
from chaos.stage import SentinelStage, Stage
from chaos.tasks import TASKS
from chaos.witness import Witness
from docket_sim import Docket, StoreUnavailable
from docket_sim.store.redis import prefix_of

_DOCKET = "chaos"
_KEPT = timedelta(days=1)
_DRAINING = 30.0  # seconds: by then, all must be done
_CONFIRMING = 0.3  # seconds
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """How a campaign is run.

    Attributes:
        seconds: how long there is trouble, at least; all faults have to happen once.
        seed: decides what is asked for and what goes wrong.
        workers: how many processes work.
        lease: how many seconds a claim lasts.
        rate: how many orders are given a second.
        overtime: how many seconds of trouble there are besides, for faults that have yet to happen.
    """

    seconds: float
    seed: int
    workers: int = 3
    lease: float = 2.0
    rate: float = 50.0
    overtime: float = 20.0


Tell = Callable[[str], None]
"""Is told how it goes, now and then."""


async def run_campaign(scenario: Scenario, setting: Setting, tell: Tell = lambda _: None) -> Report:
    """Run a campaign from its beginning to its end."""
    with tempfile.TemporaryDirectory(prefix="docket-chaos-") as folder, scenario.stage() as stage:
        urls = stage.urls(setting.workers)
        crew = Crew(Path(folder), _DOCKET, urls[:-1], lease=setting.lease)
        crew.start()
        try:
            return await _Campaign(scenario, setting, stage, crew, tell).run(urls[-1])
        finally:
            crew.stop()


class _Campaign:
    def __init__(
        self, scenario: Scenario, setting: Setting, stage: Stage, crew: Crew, tell: Tell
    ) -> None:
        self._scenario = scenario
        self._setting = setting
        self._stage = stage
        self._crew = crew
        self._tell = tell
        self._producer: Producer | None = None
        faults = scenario.faults(Around(stage, crew, setting.lease))
        gap = scenario.gap * setting.lease
        self._trouble = Trouble(faults, Random(f"faults {setting.seed}"), gap=gap)
        self._report = Report(scenario.name, setting.seed)

    async def run(self, url: str) -> Report:
        survives = not isinstance(self._stage, SentinelStage)
        witness = Witness(self._stage.client, _DOCKET)
        async with _docket(url) as docket:
            self._producer = producer = Producer(
                docket,
                Random(f"orders {self._setting.seed}"),
                rate=self._setting.rate,
                longest=1.5 * self._setting.lease,
                durable=survives,
            )
            with witness if survives else nullcontext():
                await self._trouble_and_work(producer)
                await self._drain()
        await asyncio.to_thread(self._crew.stop)
        await self._close_the_books(producer, witness)
        return self._report

    async def _trouble_and_work(self, producer: Producer) -> None:
        begun = time.monotonic()
        end = begun + self._setting.seconds
        helping = [asyncio.ensure_future(self._look_after())]
        if isinstance(self._stage, SentinelStage):
            helping.append(asyncio.ensure_future(self._confirm(self._stage, producer)))
        troubling = asyncio.ensure_future(self._trouble.run())
        working = asyncio.ensure_future(producer.run())
        try:
            while time.monotonic() < end or (
                self._trouble.missing and time.monotonic() < end + self._setting.overtime
            ):
                await asyncio.sleep(0.05)
                if troubling.done():
                    await troubling  # what has ended it is raised
        finally:
            producer.stop()
            troubling.cancel()
            with suppress(asyncio.CancelledError):
                await troubling  # a fault that breaks off on the way out is raised as well
        await asyncio.to_thread(self._stage.heal)
        await working
        for helper in helping:
            helper.cancel()

    async def _look_after(self) -> None:
        begun, told = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(0.2)
            self._crew.look_after()
            passed = time.monotonic() - begun
            if passed > told + 5:
                told = passed
                self._tell(self._progress(passed))

    def _progress(self, passed: float) -> str:
        orders = self._producer.orders if self._producer else {}
        accepted = sum(order.accepted for order in orders.values())
        faults = ", ".join(f"{n} {name}" for name, n in self._trouble.happened.items() if n)
        return f"{self._scenario.name}: {passed:.0f} s, {accepted:,} accepted; {faults}"

    async def _confirm(self, stage: SentinelStage, producer: Producer) -> None:
        """Find out which of the orders are on both servers."""
        prefix = prefix_of(_DOCKET)
        while True:
            await asyncio.sleep(_CONFIRMING)
            waiting = {
                f"{prefix}x:{key}": order
                for key, order in producer.orders.items()
                if order.accepted and not order.durable
            }
            if waiting:
                found = await asyncio.to_thread(stage.survivors, list(waiting))
                for place in found or ():
                    waiting[place].durable = True

    async def _drain(self) -> None:
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < _DRAINING:
            if await asyncio.to_thread(self._is_drained):
                self._report.drained_in = passed
                return
            await asyncio.sleep(0.05)
        self._wrong("lost", f"the work was not done within {_DRAINING:g} s after the last fault")

    def _is_drained(self) -> bool:
        try:
            with self._stage.client() as client:
                return outstanding(client, _DOCKET) == 0
        except (RedisError, OSError):
            return False

    async def _close_the_books(self, producer: Producer, witness: Witness) -> None:
        with self._stage.client() as client:
            keys = Keys(client, _DOCKET)
        ledger = Ledger(
            producer.orders,
            [entry for book in self._crew.books() for entry in entries_of(book)],
            await self._ended(keys),
            witness.ends,
            self._stage.fail_overs,
        )
        report = self._report
        report.wrongs += ledger.wrongs()
        for text in (*keys.disorder(), *self._crew.oddities, *self._crew.complaints()):
            self._wrong("disorder", text)
        for name in self._trouble.missing:
            self._wrong("disorder", f"the fault {name!r} has never happened")
        report.figures = figures_of(
            ledger, self._crew, unknown=producer.unknown, cuts=self._stage.cuts()
        )
        report.figures |= {f"fault: {name}": n for name, n in self._trouble.happened.items()}
        report.figures["changes seen by the witness"] = witness.changes
        report.histories = histories_of(ledger, report.wrongs)

    async def _ended(self, keys: Keys) -> dict[str, Ended]:
        """What the docket says of every key that anybody knows of."""
        assert self._producer is not None, "it has run"
        known = sorted({*keys.executions, *self._producer.orders})
        ended: dict[str, Ended] = {}
        async with _docket(self._stage.direct_url()) as docket:
            for start in range(0, len(known), _PAGE):
                page = known[start : start + _PAGE]
                found = await asyncio.gather(*map(docket.get_execution, page))
                for key, execution in zip(page, found, strict=True):
                    if execution is not None:
                        ended[key] = Ended(
                            execution.state,
                            execution.generation,
                            execution.attempt,
                            execution.worker,
                            keys.executions[key].fields.get(b"r"),
                        )
        return ended

    def _wrong(self, kind: str, why: str) -> None:
        self._report.wrongs.append(Wrong(kind, "", why))


@asynccontextmanager
async def _docket(url: str) -> AsyncIterator[Docket]:
    docket = Docket(_DOCKET, url, execution_ttl=_KEPT)
    for task in TASKS:
        docket.register(task)
    for _ in range(50):
        try:
            await docket.__aenter__()
        except StoreUnavailable:
            await asyncio.sleep(0.1)
        else:
            break
    try:
        yield docket
    finally:
        await docket.__aexit__(None, None, None)
