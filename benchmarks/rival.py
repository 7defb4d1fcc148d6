"""The cases as pydocket does them, on its in-memory backend.

Its workers poll; 5 ms is as often as its own tests let them.
"""

import asyncio
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

from docket import Docket, Retry, Worker

from benchmarks import workload
from benchmarks.measure import median_of, medians_of, peak_bytes, seconds, took
from benchmarks.runs import Runs
from benchmarks.silence import silenced

_POLLING: Any = {
    "minimum_check_interval": timedelta(milliseconds=5),
    "scheduling_resolution": timedelta(milliseconds=5),
}
_names = count()
runs = Runs()


async def noop() -> None:
    runs.count += 1


async def charge(amount: int) -> None:
    runs.count += 1
    assert isinstance(amount, int)


async def failing(
    _policy: Retry = Retry(attempts=workload.ATTEMPTS, delay=timedelta(seconds=1)),
) -> None:
    runs.count += 1
    if runs.count < workload.ATTEMPTS:
        raise RuntimeError("not yet")


def fixture() -> dict[str, float]:
    """A docket, a worker and one task on a loop of its own, as a test would have them."""
    import hypothesis  # noqa: F401 - what a test run has loaded, as for docket-sim
    import pytest  # noqa: F401

    async def one_task() -> None:
        async with _docket() as docket, Worker(docket, **_POLLING) as worker:
            await docket.add(noop)()
            await worker.run_until_finished()

    def test() -> None:
        runs.reset()
        asyncio.run(one_task())
        runs.expect(1)

    return {"ms": 1_000 * median_of(workload.WORLDS, partial(took, test))}


def throughput() -> dict[str, float]:
    return medians_of(workload.BATCHES, partial(_throughput, workload.TASKS))


def growth(tasks: int) -> dict[str, float]:
    _throughput(workload.WARM_UP)
    before = peak_bytes()
    rates = _throughput(tasks)
    return {**rates, "bytes": (peak_bytes() - before) / tasks}


@silenced
def retry() -> dict[str, float]:
    async def to_its_end() -> float:
        runs.reset()
        async with _docket() as docket, Worker(docket, **_POLLING) as worker:
            started = seconds()
            await docket.add(failing)()
            await worker.run_until_finished()
            elapsed = seconds() - started
        runs.expect(workload.ATTEMPTS)
        return elapsed

    return {"seconds": asyncio.run(to_its_end())}


def examples() -> dict[str, float]:
    from benchmarks.examples import milliseconds_each

    async def one_task(amount: int) -> None:
        async with _docket() as docket, Worker(docket, **_POLLING) as worker:
            await docket.add(charge)(amount)
            await worker.run_until_finished()

    def example(amount: int) -> None:
        runs.reset()
        asyncio.run(one_task(amount))
        runs.expect(1)

    return milliseconds_each(example, workload.EXAMPLES_IN_REAL_TIME)


def _docket() -> Docket:
    """A docket that shares nothing with the one before."""
    name = f"benchmark-{next(_names)}"
    return Docket(name=name, url=f"memory://{name}")


def _throughput(tasks: int) -> dict[str, float]:
    runs.reset()
    adding, running = asyncio.run(_add_and_run(tasks))
    runs.expect(tasks)
    return {"add": tasks / adding, "run": tasks / running, "both": tasks / (adding + running)}


async def _add_and_run(tasks: int) -> tuple[float, float]:
    async with _docket() as docket:
        docket.register(noop)
        started = seconds()
        for _ in range(tasks):
            await docket.add(noop)()
        added = seconds()
        async with Worker(docket, concurrency=workload.CONCURRENCY, **_POLLING) as worker:
            await worker.run_until_finished()
        ended = seconds()
    return added - started, ended - added
