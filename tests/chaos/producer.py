"""The producer of a campaign: it schedules, replaces, cancels, and asks again without an answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from chaos import tasks
from chaos.orders import Order
from docket_sim import Disposition, Docket, Execution, StoreUnavailable
from docket_sim.task import TaskFunction

_AGAIN = 0.15  # seconds
_AT_ONCE = 300  # orders that are under way
_SOON = (0.3, 1.5)  # seconds, of what is scheduled into the future


class Producer:
    """Gives orders at a rate, one kind after another, until it is stopped.

    Attributes:
        orders: all that were given, by key.
        unknown: how many calls got no answer.
    """

    def __init__(
        self,
        docket: Docket,
        chance: Random,
        *,
        rate: float,
        longest: float,
        durable: bool = True,
    ) -> None:
        """
        Args:
            docket: where to schedule.
            chance: decides what is asked for.
            rate: how many orders a second.
            longest: how many seconds the slowest task takes.
            durable: whether what is accepted lasts, whichever server fails.
        """
        self._docket = docket
        self._chance = chance
        self._rate = rate
        self._longest = longest
        self._durable = durable
        self._stopped = False
        self._under_way: set[asyncio.Task[None]] = set()
        self.orders: dict[str, Order] = {}
        self.unknown = 0

    async def run(self) -> None:
        """Give orders until `stop()`, and wait for their answers."""
        kinds = [
            self._quick, self._quick, self._bulk, self._later, self._slow, self._flaky,
            self._hopeless, self._parent, self._replaced, self._cancelled,
        ]  # fmt: skip
        number = 0
        while not self._stopped:
            if len(self._under_way) < _AT_ONCE:
                number += 1
                self._begin(kinds[number % len(kinds)](f"{number:06d}"))
            await asyncio.sleep(1 / self._rate)
        while self._under_way:
            await asyncio.gather(*self._under_way)

    def stop(self) -> None:
        """Have no more orders given."""
        self._stopped = True

    def _begin(self, order: Awaitable[None]) -> None:
        task = asyncio.ensure_future(order)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    # The kinds of orders.

    async def _quick(self, number: str) -> None:
        await self._add(self._order(f"{number}-quick", tasks.quick))

    async def _later(self, number: str) -> None:
        await self._add(self._order(f"{number}-later", tasks.quick, self._in(*_SOON)))

    async def _slow(self, number: str) -> None:
        seconds = self._chance.uniform(0.05, self._longest)
        await self._add(self._order(f"{number}-slow", tasks.slow), seconds=seconds)

    async def _flaky(self, number: str) -> None:
        failures = self._chance.randint(1, 3)
        await self._add(self._order(f"{number}-flaky-{failures}", tasks.flaky), failures=failures)

    async def _hopeless(self, number: str) -> None:
        await self._add(self._order(f"{number}-hopeless", tasks.hopeless))

    async def _parent(self, number: str) -> None:
        order = self._order(f"{number}-parent", tasks.parent)
        await self._add(order, child=child_of(order.key))

    async def _bulk(self, number: str) -> None:
        orders = [self._order(f"{number}-bulk-{n}", tasks.quick) for n in range(8)]

        async def add_many() -> None:
            calls = [
                self._docket.call(tasks.quick, key=order.key)(asked=_asked(order, count=True))
                for order in orders
            ]
            for order, execution in zip(orders, await self._docket.add_many(calls), strict=True):
                _accept(order, execution)

        await self._until_answered(orders, add_many)

    async def _replaced(self, number: str) -> None:
        slow = self._chance.random() < 0.5
        order = self._order(f"{number}-replaced", tasks.slow if slow else tasks.quick)
        if not slow:
            order.due = self._in(*_SOON)
        await self._add(order, **({"seconds": self._longest / 2} if slow else {}))
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        await self._replace(order)

    async def _cancelled(self, number: str) -> None:
        slow = self._chance.random() < 0.5
        order = self._order(f"{number}-cancelled", tasks.slow if slow else tasks.quick)
        if not slow:
            order.due = self._in(*_SOON)
        await self._add(order, **({"seconds": self._longest} if slow else {}))
        await asyncio.sleep(self._chance.uniform(0, 0.5))

        async def cancel() -> None:
            order.history.append(f"{_time()} cancel")
            await self._docket.cancel(order.key)
            order.cancelled_at = datetime.now(UTC)

        await self._until_answered([order], cancel)

    # How an order is given.

    def _order(self, key: str, task: TaskFunction, due: datetime | None = None) -> Order:
        order = Order(key, task.__name__, due or datetime.now(UTC), durable=self._durable)
        self.orders[key] = order
        return order

    def _in(self, least: float, most: float) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._chance.uniform(least, most))

    async def _add(self, order: Order, **arguments: Any) -> None:
        async def add() -> None:
            asked = _asked(order, count=True)
            adding = self._docket.add(order.task, order.due, order.key)(asked=asked, **arguments)
            _accept(order, await adding)

        await self._until_answered([order], add)

    async def _replace(self, order: Order) -> None:
        due, order.task = self._in(*_SOON), "quick"
        before = set(order.asked)

        async def replace() -> None:
            order.due = due
            asked = _asked(order, count=True)
            _accept(order, await self._docket.replace("quick", due, order.key)(asked=asked))
            order.asked -= before

        await self._until_answered([order], replace)

    async def _until_answered(
        self, orders: list[Order], ask: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            try:
                await ask()
            except StoreUnavailable as error:
                self.unknown += 1
                for order in orders:
                    order.unknown += 1
                    order.history.append(f"{_time()} no answer: {error}")
                await asyncio.sleep(_AGAIN)
            else:
                return


def child_of(key: str) -> str:
    """The key of what a `parent` schedules."""
    return f"{key}-child"


def _time() -> str:
    return f"{time.time():.6f} producer:"


def _asked(order: Order, *, count: bool) -> float:
    asked = order.due.timestamp()
    order.asked.add(asked)
    order.calls += count
    order.history.append(f"{_time()} asks for a run of {order.task} at {asked:.6f}")
    return asked


def _accept(order: Order, execution: Execution) -> None:
    assert execution.disposition in (Disposition.SCHEDULED, Disposition.ALREADY_SCHEDULED)
    order.accepted = True
    order.generation = max(order.generation, execution.generation)
    order.history.append(
        f"{_time()} {execution.disposition.value}, generation {execution.generation}"
    )
