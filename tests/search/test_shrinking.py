"""Shrinking: to the choices that a failure needs, in as few runs as there can be.

The runs here are imitated: each makes so many choices, and fails if those that matter were made.
"""

from math import ceil, log2
from types import SimpleNamespace

from hypothesis import given, settings
from hypothesis import strategies as st

from docket_sim.search.shrink import Shrinker
from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choices, Replay


class Runs:
    """Runs of so many choices; each fails in which `fails` holds of those that are not 0."""

    def __init__(self, length, fails):
        self._length = length
        self._fails = fails

    def make(self, choices):
        for _ in range(self._length):
            choices.draw("late", 2)
        made = {number for _, number in choices.deviations}
        error = AssertionError("charged twice") if self._fails(made) else None
        return Trial(choices, error, SimpleNamespace(), SimpleNamespace(), steps=self._length)

    def shrunk(self, limit=1_000):
        """The numbers of the choices that are left, and how many runs that took."""
        found = self.make(Choices(Replay({("late", n): 1 for n in range(1, self._length + 1)})))
        shrinker = Shrinker(found, self.make, limit=limit)
        return {number for _, number in shrinker.shrink().choices.deviations}, shrinker.attempts


examples = settings(max_examples=50, derandomize=True, database=None, deadline=None)
needed_of_many = st.integers(1, 250).flatmap(
    lambda length: st.tuples(st.just(length), st.sets(st.integers(1, length), max_size=6))
)


@examples
@given(needed_of_many)
def test_what_a_failure_needs_is_found_by_bisection(case):
    """`k` of `n` choices take some `k * log2(n)` runs, and a few to see that there is no less."""
    length, needed = case
    left, runs = Runs(length, needed.issubset).shrunk()
    assert left == needed
    bisecting = (len(needed) + 1) * (ceil(log2(length + 1)) + 1)
    removing, hastening = 4 * len(needed), 5 * len(needed)
    assert runs <= bisecting + removing + hastening


def test_two_choices_of_five_hundred_are_found_in_some_twenty_runs():
    """There are 124,750 pairs, so no way of asking yes or no could do with fewer than 17."""
    left, runs = Runs(500, {120, 300}.issubset).shrunk()
    assert left == {120, 300}
    hastening = 10
    assert runs - hastening <= 24


def test_a_failure_without_any_choice_takes_one_run():
    """What fails by default has nothing to do with chance."""
    assert Runs(500, lambda made: True).shrunk() == (set(), 1)


@examples
@given(st.integers(3, 60))
def test_a_choice_less_may_hide_a_failure_that_two_less_do_not(length):
    """Here their number has to be even, or odd: bisection by itself would stop too soon."""
    left, _ = Runs(length, lambda made: len(made) % 2 == length % 2).shrunk()
    assert len(left) == length % 2


@examples
@given(st.integers(2, 100), st.integers(0, 12))
def test_a_budget_ends_it_early_with_the_best_so_far(length, limit):
    """Which is a failing run in any case."""
    left, runs = Runs(length, {1, length}.issubset).shrunk(limit)
    assert runs <= limit
    assert left >= {1, length}
