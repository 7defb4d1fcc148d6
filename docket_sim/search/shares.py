"""Shares of a search: which runs one process makes, and what it hands back, in small values.

The runs of a search stand in a row: the default one, then those of `later_runs`. A share is a
stretch of the row. So the same seed makes the same runs, however many processes make them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from docket_sim.clock import SystemClock
from docket_sim.errors import error_text
from docket_sim.search.account import Account
from docket_sim.search.explore import Scenario, Search
from docket_sim.search.explorer import Exploration
from docket_sim.search.garbage import Garbage
from docket_sim.search.sources import later_runs
from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choices, Site, Source


@dataclass(frozen=True, slots=True)
class Errand:
    """What a process needs to know to make runs.

    Attributes:
        load: gives the scenario; it can be pickled.
        world: keywords of each world, which can be pickled, too.
        seed: what chance draws from.
        single: how many runs with a single deviation there are at most.
    """

    load: Callable[[], Scenario]
    world: dict[str, Any]
    seed: int
    single: int


@dataclass(frozen=True, slots=True)
class Share:
    """Runs to be made.

    Attributes:
        first: the first of them, counted from 0 for the one after the default run.
        count: how many.
    """

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Failing:
    """A run that has failed.

    Attributes:
        number: which of the row it is, as in `Share`.
        deviations: its choices that are not 0.
        error: what it failed with, in words.
    """

    number: int
    deviations: dict[Site, int]
    error: str


@dataclass(frozen=True, slots=True)
class Part:
    """What came of a share.

    Attributes:
        share: which.
        seen: what was seen; its time is the one that it took.
        failing: the run that has failed, the last one that was made, or `None`.
        default: with the first share that a process makes, its account of the default run.
    """

    share: Share
    seen: Exploration
    failing: Failing | None = None
    default: Account | None = None


class Maker:
    """Makes shares of a search, one after the other; it can only go forward.

    Attributes:
        search: makes the runs.
    """

    def __init__(self, search: Search, errand: Errand, first: Trial) -> None:
        """
        Args:
            search: makes the runs.
            errand: which runs.
            first: the default run.
        """
        self.search = search
        self._sources = later_runs(first.choices, seed=errand.seed, single=errand.single)
        self._garbage = Garbage()
        self._next = 0

    def make(self, share: Share) -> Part:
        """Make the runs of a share, as far as the first that fails."""
        clock, seen = SystemClock(), Exploration()
        began = clock.now()
        failing: Failing | None = None
        with self._garbage as garbage:
            for number, source in enumerate(self._taken(share), share.first):
                trial = self.search.attempt(Choices(source))
                garbage.after_run()
                seen.add(trial)
                if trial.error is not None:
                    failing = Failing(number, trial.choices.deviations, error_text(trial.error))
                    break
        seen.seconds = (clock.now() - began).total_seconds()
        return Part(share, seen, failing)

    def _taken(self, share: Share) -> Iterator[Source]:
        passed = share.first - self._next
        assert passed >= 0, "shares are handed out in order"
        self._next = share.first + share.count
        return islice(self._sources, passed, passed + share.count)
