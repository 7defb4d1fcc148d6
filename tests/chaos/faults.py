"""What may go wrong in a campaign, and the plan by which it does: by chance, from a seed."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from redis.exceptions import RedisError
from servers import Proxy

from chaos.crew import Crew
from chaos.stage import SentinelStage, SingleStage, Stage
from docket_sim.store.redis.scripts import CLAIM, SETTLE, SUBMIT

Fault = Callable[[Random], Awaitable[bool]]
"""Takes what it needs from chance at once, and returns what makes it happen; that in turn returns
whether it did."""

_OF_WORKERS = [CLAIM.sha, SETTLE.sha, "EVALSHA"]
_OF_THE_PRODUCER = [SUBMIT.sha, "EVALSHA"]
_ONE_AT_A_TIME = {"crash", "restart", "fail-over", "death of the master"}
_PATIENCE = 1.0  # seconds, until what was told to a proxy should have happened


@dataclass(frozen=True, slots=True)
class Around:
    """What faults are done to."""

    stage: Stage
    crew: Crew
    lease: float


# Of workers.


def workers_faults(around: Around) -> Mapping[str, Fault]:
    """SIGKILL, and SIGSTOP until a lease is over."""
    crew = around.crew

    def kill(chance: Random) -> Awaitable[bool]:
        place, empty = chance.randrange(crew.size), chance.uniform(0, 0.5)

        async def act() -> bool:
            if not crew.kill(place):
                return False
            await asyncio.sleep(empty)
            crew.replace(place)
            return True

        return act()

    def pause(chance: Random) -> Awaitable[bool]:
        place, seconds = chance.randrange(crew.size), around.lease * chance.uniform(1.2, 2)

        async def act() -> bool:
            resume = crew.pause(place)
            await asyncio.sleep(seconds)
            resume()
            return True

        return act()

    return {"kill": kill, "pause": pause}


# Of a server that goes on.


def connections_faults(around: Around) -> Mapping[str, Fault]:
    """The server hangs up on clients, forgets its scripts, or has no memory left for writes."""

    def asking(*command: str) -> Fault:
        async def act() -> bool:
            with suppress(RedisError), around.stage.client() as client:
                return bool(await asyncio.to_thread(client.execute_command, *command))
            return False

        return lambda chance: act()

    def fill_memory(chance: Random) -> Awaitable[bool]:
        seconds = chance.uniform(0.1, 0.6)

        async def act() -> bool:
            filled = await asking("CONFIG", "SET", "maxmemory", "1")(chance)
            await asyncio.sleep(seconds)
            await asking("CONFIG", "SET", "maxmemory", "0")(chance)
            return filled

        return act()

    return {
        "full memory": fill_memory,
        "client kill normal": asking("CLIENT", "KILL", "TYPE", "normal"),
        "client kill pubsub": asking("CLIENT", "KILL", "TYPE", "pubsub"),
        "script flush": asking("SCRIPT", "FLUSH"),
    }


# On the way.


def proxy_faults(around: Around) -> Mapping[str, Fault]:
    """What a network does: delays, cuts, halves, losses, silence."""
    stage = around.stage
    assert isinstance(stage, SingleStage)

    def on_a_proxy(act: Callable[[Proxy, Random], Awaitable[bool]]) -> Fault:
        return lambda chance: act(chance.choice(stage.proxies), chance)

    async def cut(proxy: Proxy, _: Random) -> bool:
        await asyncio.to_thread(proxy.cut)
        return True

    def swallow(proxy: Proxy, chance: Random) -> Awaitable[bool]:
        of, times = chance.choice(requests_at(proxy)), chance.randint(1, 3)
        return _planned(proxy, lambda: proxy.swallow_replies(times, of=of))

    def drop(proxy: Proxy, chance: Random) -> Awaitable[bool]:
        of = chance.choice(requests_at(proxy))
        return _planned(proxy, lambda: proxy.drop_requests(of=of))

    def requests_at(proxy: Proxy) -> list[str]:
        return _OF_THE_PRODUCER if proxy is stage.proxies[-1] else _OF_WORKERS

    return {
        "cut": on_a_proxy(cut),
        "delay": on_a_proxy(_delay),
        "reply delay": on_a_proxy(_reply_delay),
        "stall": on_a_proxy(lambda proxy, chance: _stall(proxy, chance, around.lease)),
        "swallow reply": on_a_proxy(swallow),
        "drop request": on_a_proxy(drop),
        "half request": on_a_proxy(_halve_request),
        "half reply": on_a_proxy(_halve_reply),
    }


def _delay(proxy: Proxy, chance: Random) -> Awaitable[bool]:
    latency, seconds = chance.uniform(0.01, 0.3), chance.uniform(0.2, 1)

    async def act() -> bool:
        proxy.delay = latency
        await asyncio.sleep(seconds)
        proxy.delay = 0
        return True

    return act()


def _reply_delay(proxy: Proxy, chance: Random) -> Awaitable[bool]:
    latency, seconds = chance.uniform(0.01, 0.3), chance.uniform(0.2, 1)

    async def act() -> bool:
        proxy.reply_delay = latency
        await asyncio.sleep(seconds)
        proxy.reply_delay = 0
        return True

    return act()


def _stall(proxy: Proxy, chance: Random, lease: float) -> Awaitable[bool]:
    seconds = lease * chance.uniform(0.3, 1.5)

    async def act() -> bool:
        await asyncio.to_thread(proxy.stall)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(proxy.flow)
        return True

    return act()


def _halve_request(proxy: Proxy, chance: Random) -> Awaitable[bool]:
    after = chance.randint(0, 5)
    return _planned(proxy, lambda: proxy.half_deliver("request", after=after, of="EVALSHA"))


def _halve_reply(proxy: Proxy, chance: Random) -> Awaitable[bool]:
    after = chance.randint(0, 5)
    return _planned(proxy, lambda: proxy.half_deliver("reply", after=after, of="EVALSHA"))


async def _planned(proxy: Proxy, plan: Callable[[], None]) -> bool:
    """Tell a proxy what to do, and see whether something comes by to which it can do it."""
    before = proxy.cuts
    await asyncio.to_thread(plan)
    for _ in range(20):
        await asyncio.sleep(_PATIENCE / 20)
        if proxy.cuts > before:
            return True
    return False


# Of servers.


def restart_faults(around: Around) -> Mapping[str, Fault]:
    """The server dies, or is restarted in order."""
    stage = around.stage
    assert isinstance(stage, SingleStage)

    def restarting(*, crash: bool) -> Fault:
        def fault(chance: Random) -> Awaitable[bool]:
            seconds = chance.uniform(0, 0.7)
            return asyncio.to_thread(stage.restart, seconds, crash=crash)

        return fault

    return {"crash": restarting(crash=True), "restart": restarting(crash=False)}


def sentinel_faults(around: Around) -> Mapping[str, Fault]:
    """The replica takes the master's place."""
    stage = around.stage
    assert isinstance(stage, SentinelStage)

    def failing_over(*, crash: bool) -> Fault:
        return lambda chance: asyncio.to_thread(stage.fail_over, crash=crash)

    return {
        "fail-over": failing_over(crash=False),
        "death of the master": failing_over(crash=True),
    }


# The plan.


class Trouble:
    """Has faults happen, one after another and at times together, until it is stopped.

    Attributes:
        happened: how often each fault did.
    """

    def __init__(self, faults: Mapping[str, Fault], chance: Random, *, gap: float) -> None:
        """
        Args:
            faults: what may happen.
            chance: decides what does, and when.
            gap: how many seconds there are between two at most.
        """
        self._faults = faults
        self._chance = chance
        self._gap = gap
        self._under_way: set[asyncio.Task[None]] = set()
        self._alone: asyncio.Task[None] | None = None
        self.happened: Counter[str] = Counter(dict.fromkeys(faults, 0))

    async def run(self) -> None:
        """Make trouble until cancelled; then see what was begun through to its end."""
        try:
            for name in self._plan():
                if name in _ONE_AT_A_TIME and self._alone is not None:
                    await asyncio.wait([self._alone])
                gap = self._chance.uniform(self._gap / 3, self._gap)
                self._begin(name, self._faults[name](self._chance))
                await asyncio.sleep(gap)
                self._forget_the_ended()
        finally:
            await asyncio.gather(*self._under_way)

    @property
    def missing(self) -> list[str]:
        """The faults that have not happened at all."""
        return [name for name, times in self.happened.items() if not times]

    def _plan(self) -> Iterator[str]:
        """All of them in turn, shuffled anew each time."""
        names = sorted(self._faults)
        while True:
            self._chance.shuffle(names)
            yield from names

    def _begin(self, name: str, fault: Awaitable[bool]) -> None:
        async def act() -> None:
            if await fault:
                self.happened[name] += 1

        task = asyncio.ensure_future(act())
        self._under_way.add(task)
        if name in _ONE_AT_A_TIME:
            self._alone = task

    def _forget_the_ended(self) -> None:
        """What has broken one of them off is raised: it has not happened as it was meant."""
        for task in [task for task in self._under_way if task.done()]:
            self._under_way.discard(task)
            task.result()
