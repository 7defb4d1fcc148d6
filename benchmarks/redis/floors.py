"""The floors: what redis-py on asyncio reaches with only what a durable queue needs around it.

`python -m benchmarks.redis.floors NAME URL COUNT`, in a process of its own. All use streams; the
scripts are those that a queue would need which keeps a state for each task.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

from redis.asyncio import Redis

from benchmarks.measure import seconds
from benchmarks.redis.catalogue import FLOORS
from benchmarks.redis.child import say_result

_BATCH = 100
_STREAM, _GROUP, _CHANNEL = "stream", "group", "channel"
_WHEN = "2026-01-01T00:00:00"
_MESSAGE = {
    "key": "0190f3c2-7c1a-7b1e-9d3e-1234567890ab",
    "when": "2026-01-01T00:00:00.000000+00:00",
    "task": "noop",
    "arguments": '{"args":[],"kwargs":{}}',
    "attempt": "1",
}
_FIELDS = [part for pair in _MESSAGE.items() for part in pair]

_ADD = """
if redis.call('HSETNX', KEYS[1], 'known', '1') == 0 then return 0 end
local id = redis.call('XADD', KEYS[2], '*', unpack(ARGV))
redis.call('HSET', KEYS[1], 'state', 'queued', 'id', id)
return id
"""
_CLAIM = """
local generation = redis.call('HGET', KEYS[1], 'generation')
if generation and tonumber(generation) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'state', 'running', 'worker', ARGV[2], 'started', ARGV[3])
redis.call('HDEL', KEYS[1], 'known')
return 1
"""
_SETTLE = """
redis.call('HSET', KEYS[1], 'state', 'completed', 'ended', ARGV[2])
redis.call('EXPIRE', KEYS[1], 900)
redis.call('PUBLISH', KEYS[3], 'completed')
redis.call('XACK', KEYS[2], 'group', ARGV[1])
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
"""
_SETTLE_ALL = """
for place = 1, #ARGV do
  redis.call('HSET', KEYS[place + 1], 'state', 'completed', 'ended', '1')
  redis.call('EXPIRE', KEYS[place + 1], 900)
end
redis.call('XACK', KEYS[1], 'group', unpack(ARGV))
redis.call('XDEL', KEYS[1], unpack(ARGV))
return #ARGV
"""

Messages = Sequence[tuple[bytes, Any]]


class Ask(Protocol):
    """Sends a command, in whatever way a floor is about."""

    def __call__(self, *command: Any) -> Awaitable[Any]: ...


class Coalescing:
    """Sends together what independent tasks ask for during one turn of the loop."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked: list[tuple[asyncio.Future[Any], tuple[Any, ...]]] = []
        self._sending: asyncio.Task[None] | None = None

    def __call__(self, *command: Any) -> Awaitable[Any]:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append((answer, command))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return answer

    async def _send(self) -> None:
        while self._asked:
            await asyncio.sleep(0)
            asked, self._asked = self._asked, []
            pipeline = self._redis.pipeline(transaction=False)
            for _, command in asked:
                pipeline.execute_command(*command)
            for (answer, _), value in zip(asked, await pipeline.execute(), strict=True):
                answer.set_result(value)
        self._sending = None


class Floor:
    """A connection pool, and what is done with it."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(url, max_connections=2 * _BATCH)
        self.runs = 0

    async def open(self) -> None:
        await self.redis.xgroup_create(_STREAM, _GROUP, id="0", mkstream=True)
        self._add, self._claim, self._settle, self._settle_all = [
            await self.redis.script_load(source) for source in (_ADD, _CLAIM, _SETTLE, _SETTLE_ALL)
        ]

    async def drain_awaited(self, count: int) -> float:
        """Two scripts for each task, each awaited by itself, 100 tasks abreast."""
        return await self._drain_one_by_one(count, self.redis.execute_command)

    async def drain_coalesced(self, count: int) -> float:
        """The same, but what independent tasks ask for travels together."""
        return await self._drain_one_by_one(count, Coalescing(self.redis))

    async def drain_batched(self, count: int) -> float:
        """One script for each 100 tasks; each task still has a state."""

        async def settle(messages: Messages) -> None:
            await asyncio.gather(*(asyncio.create_task(self._body()) for _ in messages))
            ids = [number for number, _ in messages]
            keys = [_STREAM, *map(_key, ids)]
            await self.redis.evalsha(self._settle_all, len(keys), *keys, *ids)

        await self._fill(count)
        return await self._drain(count, settle)

    async def add_awaited(self, count: int) -> float:
        """One script for each task, each awaited before the next."""
        started = seconds()
        for place in range(count):
            await self.redis.evalsha(self._add, 2, f"run:{place}", _STREAM, *_FIELDS)
        return count / (seconds() - started)

    async def add_pipelined(self, count: int) -> float:
        """One script for each task, 100 of them in a pipeline."""
        started = seconds()
        for start in range(0, count, _BATCH):
            pipeline = self.redis.pipeline(transaction=False)
            for place in range(start, min(start + _BATCH, count)):
                pipeline.evalsha(self._add, 2, f"run:{place}", _STREAM, *_FIELDS)
            await pipeline.execute()
        return count / (seconds() - started)

    async def _drain_one_by_one(self, count: int, ask: Ask) -> float:
        async def run(number: bytes) -> None:
            key = _key(number)
            await ask("EVALSHA", self._claim, 1, key, 1, "worker", _WHEN)
            await self._body()
            await ask("EVALSHA", self._settle, 3, key, _STREAM, _CHANNEL, number, _WHEN)

        async def run_all(messages: Messages) -> None:
            await asyncio.gather(*(asyncio.create_task(run(number)) for number, _ in messages))

        await self._fill(count)
        return await self._drain(count, run_all)

    async def _drain(self, count: int, handle: Any) -> float:
        started = seconds()
        while self.runs < count:
            answer: Any = await self.redis.xreadgroup(
                _GROUP, "consumer", {_STREAM: ">"}, count=_BATCH, block=1_000
            )
            for _, messages in answer:
                await handle(messages)
        return count / (seconds() - started)

    async def _fill(self, count: int) -> None:
        for start in range(0, count, _BATCH):
            pipeline = self.redis.pipeline(transaction=False)
            for _ in range(min(_BATCH, count - start)):
                pipeline.xadd(_STREAM, _MESSAGE)
            await pipeline.execute()

    async def _body(self) -> None:
        self.runs += 1


def _key(number: bytes) -> str:
    return f"run:{number.decode()}"


async def measure(name: str, url: str, count: int) -> None:
    floor = Floor(url)
    await floor.open()
    say_result({"rate": await getattr(floor, name.replace("-", "_"))(count)})
    await floor.redis.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=FLOORS)
    parser.add_argument("url")
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    asyncio.run(measure(options.name, options.url, options.count))


if __name__ == "__main__":
    main()
