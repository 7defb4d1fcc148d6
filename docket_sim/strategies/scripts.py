"""Strategies of scripts: what each attempt at a task comes to."""

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from docket_sim.simulation import Hangs, Raises, Runs, ScriptedOutcome, Takes
from docket_sim.strategies.durations import durations

_SECOND = timedelta(seconds=1)


def failure_scripts(
    *,
    min_size: int = 1,
    max_size: int = 6,
    errors: Sequence[BaseException | type[BaseException]] = (ConnectionError,),
    succeeds: bool = True,
    hangs: bool = True,
    longest: timedelta = timedelta(minutes=2),
) -> SearchStrategy[list[ScriptedOutcome]]:
    """Scripts for `sim.script(task, script)`: some attempts run, fail, take their time, or hang.

    The attempts after the last of a script run as usual. The simplest script is `[Runs()]`, which
    changes nothing; the simplest attempt runs, then comes one that fails at once, late, or hangs.

    Args:
        min_size: how many attempts it speaks of, at least; 1 or more, since a script that
            concerns no attempt is an `UnusedOverride`.
        max_size: how many at most.
        errors: what the failing ones raise, the simplest first: exceptions, or classes of them
            that can be made without arguments.
        succeeds: whether an attempt may run; otherwise all that it speaks of fail.
        hangs: whether an attempt may hang for ever. A task without a `Timeout` then never ends,
            and the simulation says so: a `Deadlock`.
        longest: how much virtual time an attempt may take before it fails; 0 for none.

    Raises:
        ValueError: no errors, sizes in the wrong order or below 1, or a negative duration.
    """
    if not errors:
        raise ValueError("a failing attempt needs an error to raise; errors is empty")
    if not 1 <= min_size <= max_size:
        raise ValueError(f"sizes go from 1 up, in order; found {min_size} and {max_size}")
    raising = st.sampled_from(list(errors)).map(Raises)
    kinds: list[SearchStrategy[ScriptedOutcome]] = []
    if succeeds:
        kinds.append(st.builds(Runs))
    kinds.append(raising)
    if longest:
        shortest = min(_SECOND, longest)
        kinds.append(st.builds(Takes, durations(shortest, longest), raising))
    if hangs:
        kinds.append(st.builds(Hangs))
    return st.lists(st.one_of(kinds), min_size=min_size, max_size=max_size)
