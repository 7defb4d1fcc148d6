"""Sources of choices that look for trouble: each is good at something that the others are not.

- `Deviation` differs from the default order in one choice. All of these together are the single
  faults: the crash before the third settlement, the lost answer to the first claim.
- `Walk` makes every choice afresh. It finds what needs many small differences.
- `Sticky` mostly repeats itself, so that one worker stays slow while another is fast. It finds what
  needs a long stretch of one order (Coyote's "probabilistic" strategy).
- `Priorities` gives workers a rank, by which they are fast or slow, and changes the ranks a few
  times (after PCT: Burckhardt et al., "A Randomized Scheduler with Probabilistic Guarantees of
  Finding Bugs", ASPLOS 2010). It finds what needs few changes at the right places. Nobody starves:
  the slowest goes on as well, later.

Each draws from a generator of its own, seeded, so a run can be made again.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, count, cycle, islice

from docket_sim.entropy import Dice
from docket_sim.simulation.choices import Choice, Choices, Odds, Replay, Site, Source

_STICKY = 0.75
_DEPTHS = (2, 3, 5)
_MOODS = (0.0, 1.0, 1.0, 3.0)


class Walk:
    """Makes every choice afresh."""

    def __init__(self, seed: int, *, mood: float = 1.0) -> None:
        """
        Args:
            seed: what it draws from.
            mood: what the odds of rare choices are multiplied with.
        """
        self._dice = Dice(seed)
        self._mood = mood

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """A value by chance."""
        if odds is None:
            return self._dice.between(0, options - 1)
        left = self._dice.random()
        for value, probability in enumerate(odds, 1):
            left -= probability * self._mood
            if left < 0:
                return value
        return 0


class Sticky:
    """Mostly repeats what it has chosen for a label."""

    def __init__(self, seed: int, *, mood: float = 1.0) -> None:
        """
        Args:
            seed: what it draws from.
            mood: what the odds of rare choices are multiplied with.
        """
        self._dice = Dice(seed)
        self._walk = Walk(seed + 1, mood=mood)
        self._last: dict[str, int] = {}

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """The value before, mostly."""
        if odds is not None:
            return self._walk.choose(label, number, options, odds)
        last = self._last.get(label)
        if last is None or self._dice.random() >= _STICKY:
            last = self._last[label] = self._dice.between(0, options - 1)
        return last


class Priorities:
    """Lets workers be fast or slow by rank, and changes the ranks a few times."""

    def __init__(self, seed: int, *, depth: int, horizon: int, mood: float = 1.0) -> None:
        """
        Args:
            seed: what it draws from.
            depth: how often the ranks change, less one.
            horizon: how many choices a run has, about.
            mood: what the odds of rare choices are multiplied with.
        """
        self._dice = Dice(seed)
        self._walk = Walk(seed + 1, mood=mood)
        self._ranks: dict[str, int] = {}
        self._seen = 0
        self._changes = {self._dice.between(1, max(1, horizon)) for _ in range(depth - 1)}

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """The value that goes with the worker's rank."""
        self._seen += 1
        if self._seen in self._changes:
            self._ranks.clear()
        if odds is not None:
            return self._walk.choose(label, number, options, odds)
        who = label.partition(" ")[0]
        rank = self._ranks.get(who)
        if rank is None:
            rank = self._ranks[who] = self._dice.between(0, 63)
        return rank % options


def single_deviations(tape: Sequence[Choice], dull: set[Site]) -> Iterator[Replay]:
    """Each run that differs from the default one in one rare choice, the likeliest kinds first.

    Args:
        tape: the choices of the default run.
        dull: those of them at which nothing is at stake.
    """
    rare = [choice for choice in tape if choice.odds is not None and choice.site not in dull]
    most = max((choice.options for choice in rare), default=0)
    for value in range(1, most):
        for choice in rare:
            if value < choice.options:
                yield Replay({choice.site: value})


def slow_calls(tape: Sequence[Choice]) -> Iterator[Replay]:
    """Each run in which one call, or its answer, takes as long as it can."""
    for choice in tape:
        if choice.odds is None and choice.options > 1 and "latency" in choice.label:
            yield Replay({choice.site: choice.options - 1})


def later_runs(first: Choices, *, seed: int, single: int) -> Iterator[Source]:
    """What decides the runs after the default one: single faults and slow calls, then chance.

    Args:
        first: the choices of the default run.
        seed: what chance draws from.
        single: how many runs with a single deviation there are at most.
    """
    one_by_one = chain(single_deviations(first.tape, first.dull), slow_calls(first.tape))
    yield from islice(one_by_one, single)
    yield from portfolio(seed, len(first.tape))


def portfolio(seed: int, horizon: int) -> Iterator[Source]:
    """One source after the other, for ever.

    Args:
        seed: what they draw from.
        horizon: how many choices a run has, about.
    """
    depths = cycle(_DEPTHS)
    for number, mood in zip(count(), cycle(_MOODS), strict=False):
        own = seed * 1_000_003 + number
        match number % 3:
            case 0:
                yield Walk(own, mood=mood)
            case 1:
                yield Sticky(own, mood=mood)
            case _:
                yield Priorities(own, depth=next(depths), horizon=horizon, mood=mood)
