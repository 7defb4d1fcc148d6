"""The cases as docket-sim does them."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from benchmarks import workload
from benchmarks.measure import assert_real, median_of, medians_of, peak_bytes, seconds, took
from benchmarks.runs import Runs
from benchmarks.silence import silenced
from docket_sim import Perpetual, Retry, Tally, simulate

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


async def hourly(_policy: Perpetual = Perpetual(every=timedelta(hours=1))) -> None:
    runs.count += 1


def fixture_thawed() -> dict[str, float]:
    return {"ms": _worlds(freeze=False)}


def fixture_frozen() -> dict[str, float]:
    return {"ms": _worlds(freeze=True)}


def throughput() -> dict[str, float]:
    return medians_of(workload.BATCHES, partial(_throughput, workload.TASKS))


def growth(tasks: int) -> dict[str, float]:
    _throughput(workload.WARM_UP)
    before = peak_bytes()
    rates = _throughput(tasks)
    return {**rates, "bytes": (peak_bytes() - before) / tasks}


def retry() -> dict[str, float]:
    return {"seconds": median_of(workload.WORLDS, _retry)}


def perpetual() -> dict[str, float]:
    return {"seconds": median_of(workload.BATCHES, _perpetual)}


def examples_empty() -> dict[str, float]:
    def example(_amount: int) -> None:
        with simulate():
            pass

    return _examples(example)


def examples_thawed() -> dict[str, float]:
    return _examples(partial(_one_task, freeze=False))


def examples_frozen() -> dict[str, float]:
    return _examples(partial(_one_task, freeze=True))


def _worlds(*, freeze: bool) -> float:
    # What a test run has loaded: freezing looks through every loaded module.
    import hypothesis  # noqa: F401
    import pytest  # noqa: F401

    def world() -> None:
        runs.reset()
        with simulate(freeze=freeze) as sim:
            sim.run(sim.docket.add(noop)())
            assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
        runs.expect(1)

    return 1_000 * median_of(workload.WORLDS, partial(took, world))


def _throughput(tasks: int) -> dict[str, float]:
    with simulate(concurrency=workload.CONCURRENCY) as sim:
        assert_real()
        runs.reset()

        async def add() -> None:
            for _ in range(tasks):
                await sim.docket.add(noop)()

        adding = took(lambda: sim.run(add()))
        running = took(lambda: sim.run(sim.run_until_idle()))
        runs.expect(tasks)
        assert len(sim.timeline) == 3 * tasks, "scheduled, started and completed, each"
    return {"add": tasks / adding, "run": tasks / running, "both": tasks / (adding + running)}


@silenced
def _retry() -> float:
    with simulate() as sim:
        runs.reset()
        started = seconds()
        sim.run(sim.docket.add(failing)())
        tally = sim.run(sim.run_until_idle())
        elapsed = seconds() - started
        assert tally == Tally(succeeded=1, retried=workload.ATTEMPTS - 1), tally
        assert sim.clock.elapsed == timedelta(seconds=workload.ATTEMPTS - 1)
    runs.expect(workload.ATTEMPTS)
    return elapsed


def _perpetual() -> float:
    with simulate() as sim:
        assert_real()
        runs.reset()
        sim.run(sim.docket.add(hourly)())
        year = timedelta(hours=workload.RUNS) - timedelta(microseconds=1)
        elapsed = took(lambda: sim.run(sim.run_for(year)))
        runs.expect(workload.RUNS)
        assert sim.clock.elapsed == year
    return elapsed


def _one_task(amount: int, *, freeze: bool) -> None:
    runs.reset()
    with simulate(freeze=freeze) as sim:
        sim.run(sim.docket.add(charge)(amount))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
    runs.expect(1)


def _examples(example: Callable[[int], None]) -> dict[str, float]:
    import pytest  # noqa: F401 - what a test run has loaded

    from benchmarks.examples import milliseconds_each

    return milliseconds_each(example, workload.EXAMPLES, workload.BATCHES)
