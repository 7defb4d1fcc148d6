"""A campaign: a long search, by several processes, that can be interrupted and go on later."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from docket_sim.clock import SystemClock
from docket_sim.search.account import Account
from docket_sim.search.causes import likely_causes
from docket_sim.search.explore import Search
from docket_sim.search.explorer import SHRINKING_RUNS, Budget, Found, Progress
from docket_sim.search.processes import Processes
from docket_sim.search.shares import Errand, Failing, Maker, Part, Share
from docket_sim.search.shrink import Shrinker
from docket_sim.search.silence import unheard
from docket_sim.search.standing import Standing
from docket_sim.search.trial import Trial
from docket_sim.search.twice import TwiceAtFirst, not_deterministic
from docket_sim.simulation.choices import Choices, Replay
from docket_sim.simulation.faults.rules import Faults

_SHARE = 0.5  # seconds that a share is to take: as long, or twice, does it take to end orderly
_LARGEST = 2_000
_SAVED_EVERY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a campaign is led.

    Attributes:
        budget: when it ends without a failure; its seconds are those of this process.
        jobs: how many processes make runs; with 1, this one does.
        determinism: whether it is made sure that the same choices lead to the same run.
        state: the file in which its standing is kept, if any.
        stopped: says whether it is to end.
        progress: is told how it goes.
    """

    budget: Budget
    jobs: int
    determinism: bool
    state: Path | None
    stopped: Callable[[], bool]
    progress: Progress


class Campaign:
    """One long search.

    Attributes:
        search: makes runs in this process.
        standing: how far it has come.
    """

    def __init__(self, errand: Errand, standing: Standing, conduct: Conduct) -> None:
        """
        Args:
            errand: which runs are to be made.
            standing: how far it has come; what is seen is added there.
            conduct: how it is led.
        """
        self.standing = standing
        self._errand = errand
        self._conduct = conduct
        self._scenario = errand.load()
        faults = Faults.of(errand.world.get("faults"))
        self.search = Search(self._scenario, {**errand.world, "faults": faults})
        self._handed = standing.done
        self._pace = 0.0  # seconds that a run takes
        self._clock = SystemClock()
        self._began = self._saved = self._clock.now()
        self._before = standing.seen.seconds
        self._written = False

    def lead(self) -> Found | None:
        """Make runs until one fails, the budget is spent, or it is to stop; the state is saved.

        Raises:
            NotDeterministic: the default run was another one when it was made again, or elsewhere.
            NothingToRun: in no run anything was scheduled.
        """
        try:
            with unheard():
                return self._lead()
        finally:
            self._save()

    def _lead(self) -> Found | None:
        first = self._first()
        if first.error is not None:
            return self._found(first, 1)
        if self._left <= 0:
            return None
        if self._conduct.jobs == 1:
            failing = self._failing(self._inline(Maker(self.search, self._errand, first)), first)
        else:
            with Processes(self._conduct.jobs, self._errand) as processes:
                failing = self._failing(processes.parts(self._next), first)
        if failing is not None:
            return self._again(failing)
        self.standing.seen.refuse_nothing()
        return None

    def _first(self) -> Trial:
        """The default run: counted once, however often the search goes on."""
        began = self._clock.now()
        attempt = self.search.attempt
        if self._conduct.determinism:
            attempt = TwiceAtFirst(attempt, self._scenario)
        trial = attempt(Choices())
        self._pace = (self._clock.now() - began).total_seconds()
        if self.standing.seen.runs == 0:
            self.standing.seen.add(trial)
        return trial

    # Handing out and taking in.

    @property
    def _left(self) -> int:
        """How many runs are still to be handed out."""
        return self._conduct.budget.runs - 1 - self._handed

    def _next(self) -> Share | None:
        """The next share; none when the campaign is to end."""
        seconds = self._conduct.budget.seconds
        over = self._conduct.budget.spent(self._elapsed)
        if over or self._left <= 0 or self._conduct.stopped():
            return None
        time = _SHARE if seconds is None else min(_SHARE, max(seconds - self._elapsed, 0))
        size = min(self._left, _LARGEST, max(1, int(time / max(self._pace, 1e-6))))
        share = Share(self._handed, size)
        self._handed += size
        return share

    def _inline(self, maker: Maker) -> Iterator[Part]:
        while (share := self._next()) is not None:
            yield maker.make(share)

    def _failing(self, parts: Iterator[Part], first: Trial) -> Failing | None:
        """Count what comes in, as far as the first run that fails."""
        for part in parts:
            if part.default is not None and self._conduct.determinism:
                self._refuse_another(part.default, first)
            seen = self.standing.seen
            if part.failing is not None:
                # It is not written down as done: a search that goes on begins with it.
                self._save()
                self._written = True
                seen.merge(part.seen)
                return part.failing
            seen.merge(part.seen)
            self.standing.done += part.share.count
            self._pace = part.seen.seconds / max(part.seen.runs, 1)
            self._tell()
        return None

    @property
    def _elapsed(self) -> float:
        return (self._clock.now() - self._began).total_seconds()

    def _tell(self) -> None:
        self.standing.seen.seconds = self._before + self._elapsed
        self._conduct.progress(self.standing.seen)
        if self._clock.now() - self._saved >= _SAVED_EVERY:
            self._save()

    def _save(self) -> None:
        self._saved = self._clock.now()
        if self._conduct.state is not None and not self._written:
            self.standing.save(self._conduct.state)

    # A failure.

    def _again(self, failing: Failing) -> Found:
        """Make a run that has failed elsewhere once more, and make it simpler."""
        number = failing.number + 2
        trial = self.search.attempt(Choices(Replay(failing.deviations)))
        if trial.error is None:
            raise not_deterministic(
                f"run {number}: {failing.error}\n  there: no failure, with the same choices",
                likely_causes(trial, self.search.attempt, self._scenario),
            )
        return self._found(trial, number)

    def _found(self, trial: Trial, number: int) -> Found:
        def attempt(choices: Choices) -> Trial:
            # Who is in a hurry gets what there is: the same run again is no simpler one.
            return trial if self._conduct.stopped() else self.search.attempt(choices)

        shrinker = Shrinker(trial, attempt, limit=SHRINKING_RUNS)
        shrunk = shrinker.shrink()
        self.standing.seen.seconds = self._before + self._elapsed
        found = Found(number, self._conduct.budget.runs, trial, shrunk, shrinker.attempts)
        self.standing.seen.found = found
        return found

    def _refuse_another(self, there: Account, first: Trial) -> None:
        difference = Account.of(first).difference(there)
        if difference is None:
            return
        causes = likely_causes(first, self.search.attempt, self._scenario)
        raise not_deterministic(f"in another process, {difference}", causes)
