"""What each strategy of the search is like; the planted programs show what it is good for."""

from itertools import pairwise

import pytest

from docket_sim.search.sources import Priorities, Sticky, Walk

LATENCY = "worker-1 settle: latency"


def choices(source, *, label=LATENCY, times=100, options=64):
    return [source.choose(label, number, options, None) for number in range(1, times + 1)]


def changes(values):
    return sum(one != another for one, another in pairwise(values))


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_ranks_change_a_few_times_and_stay_in_between(depth):
    """A worker that is slow is slow in all that it does, until the ranks are given anew."""
    seen = [
        changes(choices(Priorities(seed, depth=depth, horizon=100), options=64))
        for seed in range(50)
    ]
    assert max(seen) == depth - 1


def test_a_rank_is_a_workers_own():
    """Others have theirs, whatever the call is."""
    source = Priorities(3, depth=1, horizon=100)
    one, same, other = (
        choices(source, label=label, times=1)
        for label in ("worker-1 claim: latency", LATENCY, "worker-2 claim: latency")
    )
    assert one == same != other


def test_who_is_sticky_mostly_repeats_what_it_has_chosen():
    """Far more often than one who chooses afresh each time, and not for ever."""
    sticky = [changes(choices(Sticky(seed))) for seed in range(50)]
    afresh = [changes(choices(Walk(seed))) for seed in range(50)]
    assert 0 < min(sticky) <= max(sticky) < 50 < min(afresh)
