"""A producer in a process of its own: `python -m benchmarks.redis.producer --help`."""

import argparse
import asyncio
import logging
from collections.abc import Awaitable, Callable

from benchmarks.measure import seconds
from benchmarks.redis import sizes
from benchmarks.redis.child import say_ready, say_result
from benchmarks.redis.sink import Sink
from benchmarks.redis.systems import Adapter, adapter_of

Add = Callable[[], Awaitable[object]]
Way = Callable[[Adapter, int], Awaitable[None]]


async def _one_at_a_time(adapter: Adapter, count: int) -> None:
    for _ in range(count):
        await adapter.add()


async def _in_flight(adapter: Adapter, count: int) -> None:
    await _abreast(adapter.add, count)


async def _in_bulk(adapter: Adapter, count: int) -> None:
    for start in range(0, count, sizes.BULK):
        await adapter.add_many(min(sizes.BULK, count - start))


async def _waiting(adapter: Adapter, count: int) -> None:
    await _abreast(adapter.add_waiting, count)


async def _later(adapter: Adapter, count: int) -> None:
    span = sizes.SCHEDULED_TO - sizes.SCHEDULED_FROM
    places = iter(range(count))

    async def add() -> None:
        await adapter.add_later(sizes.SCHEDULED_FROM + span * next(places) / count)

    await _abreast(add, count)


async def _trickle(adapter: Adapter, count: int) -> None:
    """Single tasks to a worker that has nothing to do, each with the time at which it was sent."""
    for _ in range(sizes.TRICKLE_WARM_UP):
        await adapter.add_stamped(-1.0)
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.7)
    started = seconds()
    for place in range(count):
        await asyncio.sleep(max(0, started + place / sizes.TRICKLES_PER_SECOND - seconds()))
        await adapter.add_stamped(seconds())


WAYS: dict[str, Way] = {
    "one": _one_at_a_time,
    "in-flight": _in_flight,
    "bulk": _in_bulk,
    "waiting": _waiting,
    "later": _later,
    "trickle": _trickle,
}
_UNHEATED = ("waiting", "later", "trickle")


async def _abreast(add: Add, count: int) -> None:
    """Add so many, with some requests under way at any time."""
    turns = iter(range(count))

    async def lane() -> None:
        for _ in turns:
            await add()

    await asyncio.gather(*(lane() for _ in range(sizes.IN_FLIGHT)))


async def produce(system: str, url: str, how: str, count: int) -> None:
    adapter = adapter_of(system, url, Sink())
    await adapter.open()
    if how not in _UNHEATED:
        await _one_at_a_time(adapter, sizes.WARM_UP)
        count -= sizes.WARM_UP
    say_ready()
    started = seconds()
    await WAYS[how](adapter, count)
    say_result({"rate": count / (seconds() - started), "added": count})
    say_ready()  # whoever started this looks at the server before the connection goes
    await adapter.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("url")
    parser.add_argument("how", choices=list(WAYS))
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(produce(options.system, options.url, options.how, options.count))


if __name__ == "__main__":
    main()
