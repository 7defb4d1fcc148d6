"""The shrinker: from a failing run to one that fails in the same way with fewer choices."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choices, Replay, Site

_STEPS = 20_000_000  # of all its runs: those of a run without end would take hours

Deviations = dict[Site, int]
Attempt = Callable[[Choices], Trial]


class Shrinker:
    """Makes a failing run simpler, as long as it fails in the same way.

    The choices that it takes are found by bisection, the last one first: `k` of `n` in some
    `k * log2(n)` runs (after Junker, "QuickXplain: Preferred Explanations and Relaxations for
    Over-Constrained Problems", AAAI 2004). What that leaves is put back to 0 in ever smaller chunks
    (after Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE TSE
    2002), then lowered, then made earlier. What was accepted is taken down anew each time, so
    choices that are no longer asked for are dropped.

    Attributes:
        best: the simplest failing run so far.
        attempts: how many runs were made.
    """

    def __init__(self, found: Trial, attempt: Attempt, *, limit: int) -> None:
        """
        Args:
            found: the failing run.
            attempt: makes a run.
            limit: how many runs there may be; fewer, where they are long.
        """
        self.best = found
        self.attempts = 0
        self._steps = 0
        self._signature = found.signature
        self._attempt = attempt
        self._limit = limit
        self._tried: set[tuple[tuple[Site, int], ...]] = set()

    def shrink(self) -> Trial:
        """The simplest failing run that was found."""
        self._bisect()
        while self._remove() or self._lower() or self._hasten():
            if self._spent:
                break
        return self.best

    def _bisect(self) -> None:
        """Keep the last choice that is needed, then the last one before it, and so on.

        A run whose choices are cut off somewhere is the same run up to there, so what comes after
        the failure goes first.
        """
        needed: set[Site] = set()
        while not self._accepts(self._with(needed, 0)) and not self._spent:
            too_few = 0
            while (rest := len(self._deviations) - len(needed)) > too_few + 1:
                some = (too_few + rest) // 2
                if not self._accepts(self._with(needed, some)):
                    too_few = some
            needed &= self._deviations.keys()
            others = [site for site in self._deviations if site not in needed]
            if not others:
                return
            needed.add(others[-1])

    def _with(self, needed: set[Site], some: int) -> list[tuple[Site, int]]:
        """The choices that are needed, and so many of the others: the earliest."""
        others = (item for item in self._deviations.items() if item[0] not in needed)
        kept = (item for item in self._deviations.items() if item[0] in needed)
        return [*islice(others, some), *kept]

    def _remove(self) -> bool:
        """Put choices back to 0, in chunks; false if none could be."""
        before = len(self._deviations)
        size = max(1, before // 2)
        while size and self._deviations:
            place = 0
            while place < len(self._deviations):
                items = list(self._deviations.items())
                if not self._accepts(items[:place] + items[place + size :]):
                    place += size
            size //= 2
        return len(self._deviations) < before

    def _lower(self) -> bool:
        """Lower values; false if none could be."""
        lowered = False
        for site in list(self._deviations):
            for value in _smaller(self._deviations.get(site, 0)):
                candidate = {**self._deviations, site: value}
                if self._accepts(list(candidate.items())):
                    lowered = True
                    break
        return lowered

    def _hasten(self) -> bool:
        """Let a choice be made at an earlier occasion; false if none could be."""
        hastened = False
        for label, number in list(self._deviations):
            for earlier in _smaller(number):
                candidate = dict(self._deviations)
                value = candidate.pop((label, number), None)
                if value is None or earlier < 1 or (label, earlier) in candidate:
                    continue
                candidate[label, earlier] = value
                if self._accepts(list(candidate.items())):
                    hastened = True
                    break
        return hastened

    @property
    def _spent(self) -> bool:
        return self.attempts >= self._limit or self._steps >= _STEPS

    @property
    def _deviations(self) -> Deviations:
        return self.best.choices.deviations

    def _accepts(self, items: Sequence[tuple[Site, int]]) -> bool:
        """Whether the run with those choices fails as well; then it is the best."""
        wanted = tuple(sorted(items))
        if wanted in self._tried or self._spent:
            return False
        self._tried.add(wanted)
        self.attempts += 1
        trial = self._attempt(Choices(Replay(dict(items))))
        self._steps += trial.steps
        if trial.signature != self._signature or not _simpler(trial, self.best):
            return False
        self.best = trial
        return True


def _simpler(one: Trial, other: Trial) -> bool:
    return _weight(one) < _weight(other)


def _weight(trial: Trial) -> tuple[int, int, int]:
    deviations = trial.choices.deviations
    return (
        len(deviations),
        sum(deviations.values()),
        sum(number for _, number in deviations),
    )


def _smaller(value: int) -> Iterator[int]:
    """Values to try in place of `value`, the smallest first."""
    seen = {0, value}
    for candidate in (1, 2, value // 4, value // 2, value - 1):
        if 0 < candidate < value and candidate not in seen:
            seen.add(candidate)
            yield candidate
