"""Durations that read well when a failing example is reduced: whole seconds, where that will do."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_GRAINS = (timedelta(seconds=1), timedelta(milliseconds=1), timedelta(microseconds=1))


def durations(shortest: timedelta, longest: timedelta) -> SearchStrategy[timedelta]:
    """Durations from `shortest` to `longest`, both included; the simplest is the shortest.

    They are whole seconds if both bounds are, otherwise whole milliseconds or microseconds.

    Raises:
        TypeError: a bound that is no timedelta.
        ValueError: a negative bound, or bounds in the wrong order.
    """
    for bound in (shortest, longest):
        if not isinstance(bound, timedelta):
            raise TypeError(f"durations lie between two timedeltas, found {bound!r}")
    if not timedelta(0) <= shortest <= longest:
        raise ValueError(
            f"durations lie between two bounds from 0 up, in order; found {shortest} and {longest}"
        )
    grain = next(one for one in _GRAINS if not (shortest % one or longest % one))
    numbers = st.integers(shortest // grain, longest // grain)
    return numbers.map(lambda number: grain * number)
