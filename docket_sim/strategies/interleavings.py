"""`run_schedules`: one example of hypothesis's, in a few orders of what happens at once.

The orders are the same few for each example: were one drawn, an example would fail now and pass
then, and hypothesis would shrink towards runs that end sooner instead of to plainer ones. So the
property stays a function of what was drawn. Once that is shrunk, the run's own choices are.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any
from unittest import SkipTest

from hypothesis import currently_in_test_context
from hypothesis.control import current_build_context
from hypothesis.errors import HypothesisException, StopTest

from docket_sim.errors import FailureFound, error_text
from docket_sim.search import Exploration, Found, Scenario
from docket_sim.search.explore import Search
from docket_sim.search.report import report
from docket_sim.search.shrink import Shrinker
from docket_sim.search.silence import silenced
from docket_sim.search.sources import portfolio
from docket_sim.search.trial import Trial
from docket_sim.simulation import Faults
from docket_sim.simulation.choices import Choices, Defaults

_NOT_FAILURES = (HypothesisException, StopTest, SkipTest)
_SHRINKING_RUNS = 300
_SEED = 0


def run_schedules(
    scenario: Scenario,
    *,
    schedules: int = 5,
    replay: str | None = None,
    **world: Any,
) -> Exploration:
    """Run a scenario in the default order and in a few others, the same ones each time.

        @given(plan=fault_plans(), amount=st.integers(1, 100))
        def test_a_transfer_happens_once(plan, amount):
            async def transferred(sim):
                bank = Bank()
                sim.override(get_bank, value=bank)
                await sim.docket.add(transfer)(amount)
                await sim.run_until_idle()
                assert bank.balance == amount

            run_schedules(transferred, workers=2, faults=plan)

    It draws nothing, so all of an example has to be drawn before, outside of the scenario. When one
    of the runs fails, hypothesis shrinks what it has drawn; with the example that it shows in the
    end, the run is shrunk as by `explore`, drawn, and given a token that replays it.

    Args:
        scenario: a function of a world, plain or async, as for `explore`. It makes what it changes,
            such as a fake ledger, anew for each run.
        schedules: how many orders there are besides the default one.
        replay: the token of a failing run: only that one is made.
        **world: keywords of `simulate`. Store calls take time by choice: 0 by default, or what
            the `faults` say, or up to 50 ms.

    Returns:
        What was seen.

    Raises:
        FailureFound: a run failed; the cause is what it failed with.
        ValueError: a token that does not fit, or a negative number of schedules.
    """
    __tracebackhide__ = True
    return interleave(scenario, world, schedules, replay=replay, told="run_schedules")


def interleave(
    scenario: Scenario, world: dict[str, Any], schedules: int, *, replay: str | None, told: str
) -> Exploration:
    """As `run_schedules`.

    Args:
        told: the function that replays a run, for the report.
    """
    __tracebackhide__ = True
    if schedules < 0:
        raise ValueError(f"schedules: expected 0 or more, found {schedules}")
    faults = Faults.of(world.get("faults"))
    search = Search(
        scenario, {**world, "faults": faults if faults.latencies else faults + Faults.none()}
    )
    if replay is not None:
        return search.replayed(replay)
    seen = Exploration()
    with silenced():
        for trial in _trials(search, schedules):
            seen.add(trial)
            if isinstance(trial.error, _NOT_FAILURES):
                raise trial.error
            if trial.error is not None:
                seen.found = Found(seen.runs, 1 + schedules, trial, trial, 0)
                raise _failure(search, seen.found, told) from trial.error
    return seen


def _trials(search: Search, schedules: int) -> Iterator[Trial]:
    """The run in the default order, and those in others if there is anything to choose."""
    first = search.attempt(Choices(Defaults()))
    yield first
    horizon = len(first.choices.tape)
    for source in islice(portfolio(_SEED, horizon), schedules if horizon else 0):
        yield search.attempt(Choices(source))


def _failure(search: Search, found: Found, told: str) -> FailureFound:
    """The error that reports a failure: with the run, shrunk, if anybody is to read it."""
    if not is_read():
        error = FailureFound(error_text(found.first.error or AssertionError()), replay="")
        error.__context__ = found.first.error  # hypothesis tells failures apart by it
        return error
    shrinker = Shrinker(found.first, search.attempt, limit=_SHRINKING_RUNS)
    shrunk = shrinker.shrink()
    found = replace(found, shrunk=shrunk, attempts=shrinker.attempts)
    token = search.token(shrunk)
    error = FailureFound(report(found, f"{told}(..., replay={token!r})"), replay=token)
    error.__context__ = shrunk.error
    return error


def is_read() -> bool:
    """Whether a failure is shown: without hypothesis, or with the example that it reports."""
    return not currently_in_test_context() or current_build_context().is_final
