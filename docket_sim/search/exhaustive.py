"""Every run of a small scope: all combinations of a few deviations from the default order.

Most combinations are never made. A call that takes longer, after which the same happens in the
same order, has changed nothing: it commutes with the calls that it let pass, and is not combined
with others; and of several that lead to the same order of events, one is gone on with. That is a
bet, and no proof: two delays that change nothing one by one may add up. A fault is always gone on
with, since what it leaves behind may not show yet.

Few deviations suffice for most bugs, since few things have to coincide (Emmi et al.,
"Delay-bounded scheduling", POPL 2011).
"""

from collections.abc import Callable, Iterator

from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choice, Choices, Replay, Site

_MOST_OPTIONS = 64  # with more, it is a number that is drawn, such as jitter, and no decision


def combinations(first: Trial, made: Callable[[], Trial], depth: int) -> Iterator[Replay]:
    """All runs with up to `depth` deviations from `first`, those left out that lead nowhere new.

    Args:
        first: the default run.
        made: the run that was made of what was yielded last.
        depth: how many deviations.
    """
    seen = {first.shape}
    frontier: list[tuple[dict[Site, int], Choices, int]] = [({}, first.choices, 0)]
    for _ in range(depth):
        reached: list[tuple[dict[Site, int], Choices, int]] = []
        for deviations, choices, place in frontier:
            for further, choice, value in _next_deviations(choices, place):
                combined = {**deviations, choice.site: value}
                yield Replay(combined)
                trial = made()
                if choice.odds is not None or trial.shape not in seen:
                    seen.add(trial.shape)
                    # Up to here, its tape is that of the run from which it differs.
                    reached.append((combined, trial.choices, further + 1))
        frontier = reached


def _next_deviations(choices: Choices, place: int) -> Iterator[tuple[int, Choice, int]]:
    """What can be decided otherwise from that place of the tape on."""
    for further in range(place, len(choices.tape)):
        choice = choices.tape[further]
        if choice.options <= _MOST_OPTIONS and choice.site not in choices.dull:
            for value in range(1, choice.options):
                yield further, choice, value
