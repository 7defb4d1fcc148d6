"""The explorer: makes runs, phase by phase, until one fails or the budget is spent."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from docket_sim.clock import SystemClock
from docket_sim.errors import NothingToRun
from docket_sim.search.exhaustive import combinations
from docket_sim.search.garbage import Garbage
from docket_sim.search.shrink import Shrinker
from docket_sim.search.sources import later_runs
from docket_sim.search.trial import Coverage, Trial
from docket_sim.simulation.choices import Choices, Defaults, Source

_SINGLE_SHARE = 0.5  # of the runs, for single deviations
SHRINKING_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class Budget:
    """When a search ends without a failure.

    Attributes:
        runs: after so many runs.
        seconds: after so many seconds, whichever comes first; `None` for no such bound.
    """

    runs: int
    seconds: float | None = None

    def spent(self, seconds: float) -> bool:
        """Whether the time is over."""
        return self.seconds is not None and seconds >= self.seconds

    def __post_init__(self) -> None:
        if self.runs < 1:
            raise ValueError(f"a search needs at least 1 run, found runs={self.runs}")
        if self.seconds is not None and self.seconds <= 0:
            raise ValueError(f"a search needs some time, found seconds={self.seconds}")


@dataclass(frozen=True, slots=True)
class Found:
    """A failure that a search has found.

    Attributes:
        run: which run failed, counted from 1.
        runs: how many there were to be.
        first: that run.
        shrunk: the simplest one that fails in the same way.
        attempts: how many runs it took to get there.
    """

    run: int
    runs: int
    first: Trial
    shrunk: Trial
    attempts: int


@dataclass(slots=True)
class Exploration:
    """What a search has seen.

    Attributes:
        runs: how many runs were made, those for shrinking not counted.
        distinct: how many different timelines there were.
        faults: how often each kind of fault has happened.
        coverage: which tasks were seen to do what.
        seconds: how long it took.
        found: the failure, or `None`.
        exhausted: whether nothing was left to be searched.
    """

    runs: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    coverage: Coverage = field(default_factory=Coverage)
    seconds: float = 0.0
    found: Found | None = None
    exhausted: bool = False
    timelines: set[bytes] = field(default_factory=set[bytes], repr=False)

    @property
    def distinct(self) -> int:
        """How many different timelines there were."""
        return len(self.timelines)

    def add(self, trial: Trial) -> None:
        """Count one run."""
        self.runs += 1
        self.faults.update(trial.journal.faults)
        self.coverage.add(trial.timeline.events)
        self.timelines.add(trial.fingerprint)

    def refuse_nothing(self) -> None:
        """Say so if nothing has happened: no run of a scenario that schedules nothing can fail.

        Raises:
            NothingToRun: in no run anything was scheduled.
        """
        if not self.coverage.counts:
            raise NothingToRun(
                f"expected that the scenario schedules something, found nothing in {self.runs:,} "
                f"runs: there was nothing to search. Does it await docket.add(...)(...)?"
            )

    def merge(self, other: "Exploration") -> None:
        """Count the runs that were made elsewhere; the time is not added."""
        self.runs += other.runs
        self.faults.update(other.faults)
        self.coverage.merge(other.coverage)
        self.timelines |= other.timelines


def single_share(runs: int) -> int:
    """How many of so many runs may have a single deviation."""
    return int(runs * _SINGLE_SHARE)


class Progress(Protocol):
    """Is told how a search goes."""

    def __call__(self, exploration: Exploration) -> None: ...


class Explorer:
    """Searches the runs of one world for one that fails."""

    def __init__(
        self,
        attempt: Callable[[Choices], Trial],
        *,
        budget: Budget,
        seed: int = 0,
        depth: int | None = None,
        shrinking_runs: int = SHRINKING_RUNS,
        progress: Progress | None = None,
    ) -> None:
        """
        Args:
            attempt: makes one run.
            budget: when to give up.
            seed: what chance draws from.
            depth: to make every combination of up to so many deviations, and leave none to chance.
            shrinking_runs: how many runs the shrinker may make.
            progress: is told after each run.

        Raises:
            ValueError: a depth of nothing.
        """
        if depth is not None and depth < 1:
            raise ValueError(f"depth: expected 1 deviation or more, found {depth}")
        self._attempt = attempt
        self._budget = budget
        self._seed = seed
        self._shrinking_runs = shrinking_runs
        self._progress = progress
        self._depth = depth
        self._first: Trial | None = None
        self._last: Trial | None = None

    def explore(self) -> Exploration:
        """Make runs until one fails or the budget is spent."""
        clock = SystemClock()
        began = clock.now()
        seen = Exploration()
        with Garbage() as garbage:
            for source in islice(self._sources(), self._budget.runs):
                trial = self._attempt(Choices(source))
                garbage.after_run()
                self._first = self._first or trial
                self._last = trial
                seen.add(trial)
                seen.seconds = (clock.now() - began).total_seconds()
                if self._progress is not None:
                    self._progress(seen)
                if trial.error is not None:
                    seen.found = self._shrunk(trial, seen.runs)
                if seen.found is not None or self._budget.spent(seen.seconds):
                    break
            else:
                seen.exhausted = seen.runs < self._budget.runs
        return seen

    def _sources(self) -> Iterator[Source]:
        """The default order; single faults; single slow calls; then all kinds of chance."""
        yield Defaults()
        assert self._first is not None
        if self._depth is not None:
            yield from combinations(self._first, self._made_last, self._depth)
            return
        single = single_share(self._budget.runs)
        yield from later_runs(self._first.choices, seed=self._seed, single=single)

    def _made_last(self) -> Trial:
        assert self._last is not None
        return self._last

    def _shrunk(self, found: Trial, run: int) -> Found:
        shrinker = Shrinker(found, self._attempt, limit=self._shrinking_runs)
        return Found(run, self._budget.runs, found, shrinker.shrink(), shrinker.attempts)
