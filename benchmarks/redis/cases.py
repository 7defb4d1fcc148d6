"""What is measured of every system; each case has processes of its own, and a flushed server."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import sleep
from typing import Any

from benchmarks.case import CaseFailed
from benchmarks.redis import sizes
from benchmarks.redis.catalogue import FLOORS, System
from benchmarks.redis.counters import Counters, watched
from benchmarks.redis.setting import Setting

_SETTLING = 1.5
"""How many seconds a worker has to come to rest."""

Run = Callable[[Setting], dict[str, float]]


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that is measured.

    Attributes:
        subject: what `--only` selects it by: a system, or something else.
        part: what is measured of it.
        environment: what has to be installed for it.
        run: measures it.
        once: whether the first round is enough.
    """

    subject: str
    part: str
    environment: str
    run: Run
    once: bool = field(default=False, kw_only=True)

    @property
    def name(self) -> str:
        """The name of its results."""
        return f"{self.subject} {self.part}"


def cases_of(system: System) -> list[Case]:
    """Everything that is measured of one system."""

    def case(
        part: str, measure: Callable[[System, Setting], dict[str, float]], **how: bool
    ) -> Case:
        return Case(system.name, part, system.environment, partial(measure, system), **how)

    return [
        case("queue", queue),
        *([case("in flight", in_flight)] if system.in_flight else []),
        *([case("bulk", in_bulk)] if system.bulk else []),
        case("latency", latency),
        case("commands", commands, once=True),
    ]


def floor_cases() -> list[Case]:
    """The floors."""
    return [Case("floors", name, "floors", partial(floor, name)) for name in FLOORS]


def queue(system: System, setting: Setting) -> dict[str, float]:
    """Tasks added one at a time, and then run by one worker."""
    count = setting.scaled(system.tasks)
    rate, memory = fill(system, setting, "one", count)
    before = Counters.now(setting.server.client)
    worked = work_off(system, setting, count)
    reads = Counters.now(setting.server.client).reads - before.reads
    return {
        "one": rate,
        "bytes": memory,
        "drain": rate_of([worked]),
        "cpu": 1e6 * worked["cpu"] / count,
        "reads": reads / count,
    }


def in_flight(system: System, setting: Setting) -> dict[str, float]:
    """Tasks added with 50 requests under way."""
    return {"rate": fill(system, setting, "in-flight", setting.scaled(system.tasks))[0]}


def in_bulk(system: System, setting: Setting) -> dict[str, float]:
    """Tasks added many at a time."""
    return {"rate": fill(system, setting, "bulk", setting.scaled(system.tasks))[0]}


def latency(system: System, setting: Setting) -> dict[str, float]:
    """From adding a task to its body, when the worker has nothing to do."""
    setting.server.flush()
    count = setting.scaled(sizes.TRICKLE)
    with setting.worker(system, count) as worker:
        worker.until_ready()
        worker.go()
        sleep(_SETTLING)
        with setting.producer(system, "trickle", count) as producer:
            producer.until_ready()
            producer.go()
            producer.result()
            waited = sorted(worker.result()["latencies"])
    return {"p50": 1e3 * _percentile(waited, 0.5), "p99": 1e3 * _percentile(waited, 0.99)}


def commands(system: System, setting: Setting) -> dict[str, float]:
    """Who sends which commands while a queue is worked off, and while there is nothing to do."""
    count = setting.scaled(sizes.COUNTED)
    fill(system, setting, "one", count)
    seen = watched(setting.server.port, partial(work_off, system, setting, count))
    setting.server.flush()
    return {
        "client": seen.client.total() / count,
        "script": seen.script.total() / count,
        "idle": idle(system, setting, sizes.IDLE_SECONDS),
    }


def idle(system: System, setting: Setting, duration: float) -> float:
    """How many commands a worker sends in a second that has nothing to do."""
    with setting.worker(system, 0) as worker:
        worker.until_ready()
        worker.go()
        sleep(_SETTLING)
        seen = watched(setting.server.port, partial(sleep, duration))
        worker.expect_alive()
    return seen.client.total() / duration


def floor(name: str, setting: Setting) -> dict[str, float]:
    """What a client reaches with next to nothing around it."""
    setting.server.flush()
    with setting.floor(name, setting.scaled(sizes.FLOOR)) as child:
        return child.result()


def fill(system: System, setting: Setting, how: str, count: int) -> tuple[float, float]:
    """Add so many tasks to an empty server: how many in a second, and how many bytes each takes."""
    server = setting.server
    server.flush()
    with setting.producer(system, how, count) as producer:
        producer.until_ready()
        before = Counters.now(server.client)
        producer.go()
        added = producer.result()
        producer.until_ready()
        taken = Counters.now(server.client).memory - before.memory
        producer.go()
        producer.until_ended()
    return added["rate"], taken / added["added"]


def work_off(system: System, setting: Setting, count: int, *options: str) -> dict[str, Any]:
    """Let one worker run what is queued.

    Raises:
        CaseFailed: not everything ran, or something ran twice, or the worker found something left.
    """
    until = ("--until-finished",) if system.finishes else ()
    with setting.worker(system, count, *until, *options) as worker:
        worker.until_ready()
        worker.go()
        worked = worker.result()
        worker.until_ended()
    expect(worked["runs"], count)
    if system.finishes and not worked["finished"]:
        raise CaseFailed("everything has run, but the worker does not end")
    return worked


def expect(runs: int, count: int) -> None:
    """Make sure that there were so many runs.

    Raises:
        CaseFailed: there were more or fewer.
    """
    if runs != count:
        raise CaseFailed(f"expected {count:,} runs, found {runs:,}")


def rate_of(worked: Sequence[Mapping[str, Any]]) -> float:
    """How many tasks some workers have run in a second, from when they were let go."""
    started = min(one["started"] for one in worked)
    return sum(one["runs"] for one in worked) / (max(one["last"] for one in worked) - started)


def _percentile(ordered: Sequence[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]
