"""`explore`: many runs of one scenario, each in a world of its own, until one fails."""

import inspect
import warnings
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from docket_sim.entropy import dice_of_others
from docket_sim.errors import FailureFound
from docket_sim.search.diagram import Diagram
from docket_sim.search.explorer import Budget, Exploration, Explorer, Progress
from docket_sim.search.kept import keep_failure, kept_token
from docket_sim.search.report import report, said
from docket_sim.search.silence import silenced
from docket_sim.search.token import Outdated, read_token, token_of
from docket_sim.search.trial import Trial
from docket_sim.search.twice import TwiceAtFirst, refuse_another
from docket_sim.simulation.choices import Choices
from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.simulation import Simulation

Scenario = Callable[[Simulation], Awaitable[object] | object]
"""What is run: given a world, it adds work, drives it, and asserts."""


def explore(  # noqa: PLR0913 - keywords, each of which a user may want to say
    scenario: Scenario,
    *,
    runs: int = 500,
    seconds: float | None = None,
    seed: int = 0,
    faults: str | Faults | Iterable[Faults] | None = "rough",
    workers: int = 2,
    replay: str | None = None,
    keep: str | Path | None = None,
    progress: Progress | None = None,
    determinism: bool | None = None,
    depth: int | None = None,
    **world: Any,
) -> Exploration:
    """Run `scenario` many times, with other interleavings and faults each time.

        async def charged_once(sim):
            ledger = Ledger()
            sim.override(get_ledger, value=ledger)
            await sim.docket.add(charge, key="order-7")(7)
            await sim.run_until_idle()
            assert ledger.charges(7) == 1

        explore(charged_once, runs=300)

    The first run has no faults and the default order. Then come single faults, each at each store
    call where it can happen; then all by chance. The first run that fails ends the search: it is
    shrunk to the fewest choices that make it fail, and reported.

    Args:
        scenario: a function of a world, plain or async. It must do the same each time but for what
            the world does: no clock, chance, thread or network of the machine's own.
        runs: how many runs there are to be.
        seconds: after how many seconds to stop, whichever comes first.
        seed: what chance draws from; the same seed makes the same runs.
        faults: as for `simulate`.
        workers: how many workers each world has.
        replay: the token of a failing run: only that one is made.
        keep: a file in which the choices of a failing run are kept, to be replayed first by the
            next search; it can be committed as a regression test.
        progress: is told after each run how the search goes.
        determinism: whether the first run is made twice, to see that the same choices lead to the
            same run; see `check_determinism`. By default it is in memory only: what a server does
            at one instant has no order, so that a run on one cannot always be made again.
        depth: for small scopes: instead of leaving anything to chance, make every run that differs
            from the default one in up to so many choices. A call that takes longer without changing
            the order of events is not combined with others. `exhausted` in what is returned tells
            whether the budget was enough for that.
        **world: further keywords of `simulate`; `steps` for runs that are longer than usual.

    Returns:
        What was seen. Look at its `faults`: a search in which none happened has shown little.

    Raises:
        FailureFound: a run failed; the cause is what it failed with.
        NotDeterministic: the first run, or the failing one, was another one when it was made again.
        NothingToRun: in no run anything was scheduled, so that none could have failed.
        ValueError: a token that does not fit, or a budget of nothing.
    """
    __tracebackhide__ = True
    rules = Faults.of(faults)
    search = Search(scenario, {"faults": rules, "workers": workers, **world})
    if replay is not None:
        return search.replayed(replay)
    kept = None if keep is None else Path(keep)
    if kept is not None and kept.exists():
        search.replay_kept(kept)
    if determinism is None:
        determinism = world.get("store", "memory") == "memory"
    attempt = TwiceAtFirst(search.attempt, scenario) if determinism else search.attempt
    budget = Budget(runs, seconds)
    explorer = Explorer(attempt, budget=budget, seed=seed, depth=depth, progress=progress)
    with silenced():
        exploration = explorer.explore()
        if determinism and exploration.found is not None:
            refuse_another(exploration.found.shrunk, search.attempt, scenario)
    if exploration.found is not None:
        raise search.failure(exploration, kept)
    exploration.refuse_nothing()
    return exploration


class Search:
    """Makes runs of one scenario, and says which token makes one again."""

    def __init__(self, scenario: Scenario, world: dict[str, Any]) -> None:
        """
        Args:
            scenario: what is run.
            world: the keywords of each world.
        """
        self._scenario = scenario
        self._world = world

    def attempt(self, choices: Choices) -> Trial:
        """Make one run."""
        error: BaseException | None = None
        world = Simulation(**self._world, choices=choices)
        with dice_of_others(0):
            try:
                with world:
                    made = self._scenario(world)
                    if inspect.isawaitable(made):
                        world.run(made)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as failure:  # noqa: BLE001 - a scenario may fail with anything
                error = failure
        return Trial.of(choices, error, world)

    def token(self, trial: Trial) -> str:
        """The token that makes a run again."""
        return token_of(trial.choices.deviations, self.described)

    @cached_property
    def described(self) -> str:
        """The world, as far as choices depend on it."""
        return Simulation(**self._world).described

    def replayed(self, token: str) -> Exploration:
        """Make the run of a token.

        Raises:
            FailureFound: it fails.
            Outdated: it no longer fits.
            ValueError: it is no token.
        """
        __tracebackhide__ = True
        source = read_token(token, self.described)
        seen = Exploration()
        trial = self.attempt(Choices(source))
        seen.add(trial)
        if trial.error is not None:
            raise FailureFound(_told_again(trial, token), replay=token) from trial.error
        if source.unused:
            raise Outdated(
                f"{token!r} no longer fits: {source.unused} of its choices were not asked for, and "
                f"the run did not fail. The code has changed since; search anew."
            )
        return seen

    def replay_kept(self, path: Path) -> None:
        """Make the run that a file holds, unless it no longer fits: then it is searched anew.

        Raises:
            FailureFound: it still fails.
            ValueError: the file holds no failing run.
        """
        __tracebackhide__ = True
        token = kept_token(path)
        try:
            read_token(token, self.described)
        except Outdated as error:
            warnings.warn(f"the run kept in {path} was not made: {error}", stacklevel=3)
            return
        with suppress(Outdated):  # the code has changed since, and it does not fail
            self.replayed(token)

    def failure(self, exploration: Exploration, kept: Path | None) -> FailureFound:
        """The error that reports a failure; its run is kept in a file if one is named."""
        found = exploration.found
        assert found is not None
        token = self.token(found.shrunk)
        if kept is not None:
            keep_failure(kept, found.shrunk, token, _name(self._scenario))
        error = FailureFound(report(found, f"explore(..., replay={token!r})"), replay=token)
        error.__cause__ = found.shrunk.error
        return error


def _told_again(trial: Trial, token: str) -> str:
    diagram = Diagram(trial.journal, trial.timeline)
    return f"the run {token} fails again: {said(trial.error)}\n\n{diagram}"


def _name(scenario: Scenario) -> str:
    module = getattr(scenario, "__module__", "")
    return f"{module}:{getattr(scenario, '__qualname__', repr(scenario))}"
