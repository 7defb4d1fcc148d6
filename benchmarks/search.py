"""What searching costs: `python -m benchmarks.search`.

Prints, as medians of several rounds with the least and the most:

- runs per second of CPU of a search, in memory and on fakeredis: 10 tasks, 2 workers, retries,
  rough faults; and the same scenario run plainly, again and again, as this machine's yardstick;
- what recording choices costs: the same runs with a tape that is kept, and with one that is not;
- how long a determinism check takes, as a multiple of one run;
- how long it takes to shrink a failure of some 500 choices, and to how few.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from docket_sim import Faults, Retry, Simulation, check_determinism, explore
from docket_sim.search.explore import Search
from docket_sim.search.shrink import Shrinker
from docket_sim.search.silence import silenced
from docket_sim.search.sources import Walk
from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choices, Odds

TASKS = 10
FAILING = 3  # every so manieth fails twice
ROUNDS = 5
_SETTLED = ("worker-1 settle: answer's latency", "worker-2 settle: answer's latency")


async def work(number: int, retry: Retry = Retry(attempts=3, delay=timedelta(seconds=1))) -> int:
    """Fail twice, or return at once."""
    if retry.attempt < FAILING and number % FAILING == 0:
        raise ValueError(number)
    return number


async def scenario(sim: Simulation) -> None:
    """Ten tasks, some of which are retried."""
    for number in range(TASKS):
        await sim.docket.add(work, key=f"order-{number}")(number)
    await sim.run_until_idle()
    sim.acknowledge_failures()


def cpu(run: Callable[[], object]) -> float:
    """The seconds of CPU that something takes in this process."""
    began = time.process_time()
    run()
    return time.process_time() - began


def searched(runs: int, store: str) -> float:
    """Runs per second of a search."""
    spent = cpu(lambda: explore(scenario, runs=runs, store=store))
    return runs / spent


def plain(runs: int) -> float:
    """Runs per second without choices and faults."""

    def all_of_them() -> None:
        for _ in range(runs):
            with Simulation(workers=2) as sim:
                sim.run(scenario(sim))

    with silenced():
        return runs / cpu(all_of_them)


class Unrecorded(Choices):
    """Choices of which no tape is kept."""

    def draw(self, label: str, options: int, *, odds: Odds | None = None) -> int:
        """Decide as a tape would have it, and forget."""
        number = self._counts[label] = self._counts.get(label, 0) + 1
        return self._source.choose(label, number, options, odds)


def recording(runs: int) -> float:
    """How much longer runs take whose choices are recorded: 0.1 is a tenth."""
    search = Search(scenario, {"faults": Faults.rough(), "workers": 2})

    def quickest(kind: type[Choices], seed: int) -> float:
        return min(cpu(lambda: search.attempt(kind(Walk(seed)))) for _ in range(3))

    with silenced():
        # Each run beside its counterpart, and the quickest of three: the machine is never quiet.
        pairs = [(quickest(Choices, seed), quickest(Unrecorded, seed)) for seed in range(runs)]
    kept, forgotten = (sum(seconds) for seconds in zip(*pairs, strict=True))
    return kept / forgotten - 1


def checked(runs: int) -> float:
    """How many times as long as a run it takes to check that it is deterministic."""
    search = Search(scenario, {"faults": Faults.rough(), "workers": 2})

    def once(seed: int) -> float:
        return min(cpu(lambda: search.attempt(Choices(Walk(seed)))) for _ in range(3))

    def twice(seed: int) -> float:
        return min(cpu(lambda: check_determinism(scenario, seed=seed)) for _ in range(3))

    with silenced():
        pairs = [(once(seed), twice(seed)) for seed in range(runs)]
    run, check = (sum(seconds) for seconds in zip(*pairs, strict=True))
    return check / run


class Enough:
    """A source that chooses another way than the default so often."""

    def __init__(self, deviations: int) -> None:
        self._left = deviations

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """Something else, as long as any is left; nothing goes wrong by it."""
        if self._left <= 0 or odds is not None:
            return 0
        self._left -= 1
        return 1


async def late(number: int) -> int:
    """Take a while."""
    await asyncio.sleep(0.01)
    return number


def shrinking(choices: int) -> tuple[float, int, int]:
    """Seconds of CPU to shrink a failure of so many choices; how many there were, and are left."""
    tapes: list[Choices] = []

    async def failing(sim: Simulation) -> None:
        for number in range(TASKS * 23):
            await sim.docket.add(late, key=f"order-{number}")(number)
        await sim.run_until_idle()
        # Two late answers are needed, of so many: those to the third and the seventh settlement.
        late_ones = {one.number for one in tapes[-1].tape if one.value and one.label in _SETTLED}
        assert not {3, 7} <= late_ones

    def attempt(choices: Choices) -> Trial:
        tapes[:] = [choices]
        return search.attempt(choices)

    search = Search(failing, {"faults": Faults.none(), "workers": 2, "freeze": False})
    with silenced():
        found = attempt(Choices(Enough(choices)))
        assert found.error is not None
        shrinker = Shrinker(found, attempt, limit=1_000)
        spent = cpu(shrinker.shrink)
    return spent, len(found.choices.deviations), len(shrinker.best.choices.deviations)


def rounds(measure: Callable[[], float]) -> str:
    """The median of several rounds, with the least and the most."""
    figures = sorted(measure() for _ in range(ROUNDS))
    return f"{statistics.median(figures):,.2f} ({figures[0]:,.2f} to {figures[-1]:,.2f})"


def main(arguments: list[str]) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="runs in each round")
    runs: int = parser.parse_args(arguments).runs
    explore(scenario, runs=20)  # the first time that a process does something never counts
    print(f"| what | median of {ROUNDS} rounds (least to most) | goal |")
    print("|---|---|---|")
    print(f"| search in memory, runs/s of CPU | {rounds(lambda: searched(runs, 'memory'))} | 500 |")
    print(f"| the scenario alone, runs/s of CPU | {rounds(lambda: plain(runs))} | - |")
    fake = rounds(lambda: searched(max(10, runs // 10), "fakeredis"))
    print(f"| search on fakeredis, runs/s of CPU | {fake} | - |")
    print(f"| recording, share of a run | {rounds(lambda: recording(runs // 4))} | 0.10 |")
    print(f"| determinism check, as runs | {rounds(lambda: checked(runs // 4))} | 2.2 |")
    spent, before, after = shrinking(500)
    print(f"| shrinking {before} choices to {after}, s of CPU | {spent:.2f} | 1 |")


if __name__ == "__main__":
    main(sys.argv[1:])
