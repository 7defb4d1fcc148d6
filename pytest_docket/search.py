"""A test that is run many times, in a world of its own each time, and reported once.

Function-scoped fixtures are set up and torn down for each run, those of wider scopes once. The run
that is reported is the last one, or, when one has failed, the simplest that fails in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from _pytest.runner import runtestprotocol

from docket_sim import NotDeterministic, Simulation
from docket_sim.search.explorer import Budget, Exploration, Explorer, Found
from docket_sim.search.kept import kept_token
from docket_sim.search.report import headline, report, summary
from docket_sim.search.silence import silenced
from docket_sim.search.token import Outdated, Recorded, read_token, token_of
from docket_sim.search.trial import Trial
from docket_sim.search.twice import TwiceAtFirst
from docket_sim.simulation.choices import Choices, Replay, Source
from pytest_docket.kept import KeptRuns, why_not_kept
from pytest_docket.options import OPTIONS
from pytest_docket.stash import CHOICES, ERROR, PATHS, WORLD, forget_run

_SECTION = "docket search"
_MAY_DIFFER = (
    "Fixtures of the test are a part of its runs; those of wider scopes are the same in each. If "
    "runs are meant to differ, say @pytest.mark.docket(determinism=False): then a failure may not "
    "be found again."
)


class NotSearchable(Exception):
    """The test has no world to search, or was skipped: what it has reported stands."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done with a test.

    Attributes:
        runs: how many times to run it, at most.
        seed: what chance draws from.
        replay: the token of the only run to make, or `None`.
        determinism: whether the first run is made twice, to see that a run can be made again.
    """

    runs: int
    seed: int
    replay: str | None
    determinism: bool


class Searched:
    """One test, to be run many times."""

    def __init__(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """
        Args:
            item: the test.
            nextitem: the one after it, for which wider fixtures may stay.
        """
        self._item = item
        self._next = nextitem
        self._kept = KeptRuns(item.config.stash[OPTIONS].failures, item.nodeid)
        self.reports: Sequence[pytest.TestReport] = ()
        self._seconds: dict[str, float] = {}

    def search(self, wanted: Wanted) -> None:
        """Run the test until it fails or has run often enough; the last reports tell."""
        try:
            if wanted.replay is not None:
                self._replay(wanted.replay)
            elif not self._fails_as_kept():
                self._explore(wanted)
        except NotSearchable:
            pass
        finally:
            self._leave()

    def _explore(self, wanted: Wanted) -> None:
        attempt = TwiceAtFirst(
            self._attempt,
            getattr(self._item, "obj", None),
            wanted=lambda: wanted.determinism and self._world.repeatable,
        )
        explorer = Explorer(attempt, budget=Budget(wanted.runs), seed=wanted.seed)
        try:
            with silenced():
                seen = explorer.explore()
        except NotDeterministic as error:
            self._fail_call(f"NotDeterministic: {error}\n\n{_MAY_DIFFER}")
            return
        if seen.found is None:
            self._add_to_call(summary(seen))
            return
        found = seen.found
        self._attempt(Choices(_replaying(found.shrunk)))  # once more, with everything in the logs
        self._tell(found, seen)

    def _replay(self, token: str) -> None:
        """Make the run of a token."""
        try:
            trial, source = self._attempt_reading(token)
        except ValueError as error:
            self._fail_call(str(error))
            return
        if trial.error is None and source.unused:
            self._fail_call(
                f"--docket-replay={token} no longer fits {self._item.nodeid}: {source.unused} of "
                f"its choices were not asked for, and the run did not fail. The code has changed "
                f"since; search anew."
            )
        elif trial.error is not None:
            self._tell(Found(1, 1, trial, trial, 0), None)

    def _fails_as_kept(self) -> bool:
        """Whether the test still fails as in one of the runs that were kept."""
        if not self._kept.files:
            return False
        self._attempt(Choices())  # its world tells what tokens must fit
        for path in self._kept.files:
            try:
                source = self._recorded_in(path)
            except (ValueError, pytest.PytestWarning) as error:
                self._fail_call(str(error))
                return True
            trial = None if source is None else self._attempt(Choices(source))
            if trial is not None and trial.error is not None:
                self._tell(Found(1, 1, trial, trial, 0), None)
                return True
        return False

    def _recorded_in(self, path: Path) -> Recorded | None:
        """The run that is kept in a file, or `None` for one that no longer fits, which is told.

        Raises:
            ValueError: the file holds no run.
            PytestWarning: one that no longer fits, where warnings are errors.
        """
        try:
            return read_token(kept_token(path), self._world.described)
        except Outdated as error:
            self._kept.void.append(path)
            self._item.warn(
                pytest.PytestWarning(f"the run kept in {self._shown(path)} was not made: {error}")
            )
            return None

    def _attempt_reading(self, token: str) -> tuple[Trial, Recorded]:
        self._attempt(Choices())  # its world tells what the token must fit
        source = read_token(token, self._world.described)
        return self._attempt(Choices(source)), source

    def _attempt(self, choices: Choices) -> Trial:
        """Run the test once."""
        item = self._item
        forget_run(item)
        item.stash[CHOICES] = choices
        # Only this test's own fixtures are torn down: those of its module and class stay.
        stays = cast("pytest.Item", item.parent)
        self.reports = runtestprotocol(item, log=False, nextitem=stays)
        for one in self.reports:
            when = one.when or ""
            self._seconds[when] = self._seconds.get(when, 0) + one.duration
        if WORLD not in item.stash or any(one.skipped for one in self.reports):
            raise NotSearchable
        error, paths = item.stash.get(ERROR, None), item.stash.get(PATHS, None)
        return Trial.of(choices, error, item.stash[WORLD], paths)

    @property
    def _world(self) -> Simulation:
        return self._item.stash[WORLD]

    # What is said of it.

    def _tell(self, found: Found, seen: Exploration | None) -> None:
        """Add to the report of a failing run how it was found, what happened, how to replay it."""
        token = token_of(found.shrunk.choices.deviations, self._world.described)
        failing = next((one for one in self.reports if one.failed), None)
        if failing is None:
            self._fail_call(
                f"{headline(found)}\nBut when it was run once more with the same choices, it did "
                f"not fail: the test is not deterministic. Look for the machine's own clock, "
                f"chance, threads, sets of objects, or state that one run leaves to the next."
            )
            return
        text = report(found, f"pytest '{self._item.nodeid}' --docket-replay={token}")
        if seen is not None:
            text += f"\n  searched  {summary(seen)}{self._keep(found.shrunk, token)}"
        longrepr: Any = failing.longrepr
        if hasattr(longrepr, "addsection") and getattr(longrepr, "reprcrash", None) is not None:
            longrepr.addsection(_SECTION, text)
            longrepr.reprcrash.message = _retold(found, longrepr.reprcrash.message)
        else:
            failing.longrepr = f"{longrepr}\n{text}"

    def _keep(self, trial: Trial, token: str) -> str:
        """Keep a failing run, if it is one of the test's, and say so."""
        why_not = why_not_kept(trial, in_memory=self._world.repeatable)
        if why_not is not None:
            return f"\n  not kept  {why_not}"
        kept = self._kept.keep(trial, token)
        return "" if kept is None else f"\n  kept      {self._shown(kept)}"

    def _fail_call(self, message: str) -> None:
        """Report that the test has failed for that reason."""
        call = next((one for one in self.reports if one.when == "call"), self.reports[0])
        call.outcome = "failed"
        call.longrepr = message

    def _add_to_call(self, text: str) -> None:
        for one in self.reports:
            if one.when == "call":
                one.sections.append((_SECTION, text))

    def _leave(self) -> None:
        """Tear down what no test after this one needs, as pytest does after a test."""
        item = self._item
        session: Any = item.session

        def tear_down() -> None:
            session._setupstate.teardown_exact(self._next)  # noqa: SLF001 - there is no other way

        call = pytest.CallInfo[None].from_call(tear_down, when="teardown")
        if call.excinfo is not None:
            wider = item.ihook.pytest_runtest_makereport(item=item, call=call)
            self.reports = [*self.reports, wider]
        for one in self.reports:
            one.duration = self._seconds.get(one.when or "", one.duration)

    def _shown(self, path: Path) -> str:
        root = self._item.config.rootpath
        return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def run_many_times(item: pytest.Item, nextitem: pytest.Item | None, wanted: Wanted) -> None:
    """Run a test as often as is wanted, and report it once."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    searched = Searched(item, nextitem)
    searched.search(wanted)
    for one in searched.reports:
        item.ihook.pytest_runtest_logreport(report=one)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)


def _replaying(trial: Trial) -> Source:
    return Replay(trial.choices.deviations)


def _retold(found: Found, message: str) -> str:
    if found.runs == 1:
        return f"replayed: {message}"
    return f"run {found.run} of {found.runs} broke: {message}"
