"""The failing runs of a test that are kept: each in a file, replayed before any search.

Kept are those that the test has failed; what has kept it from being run is reported only.
"""

import re
from collections.abc import Iterator
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

from docket_sim import StoreUnavailable
from docket_sim.search.kept import keep_failure
from docket_sim.search.trial import Trial
from pytest_docket.given import is_of_hypothesis

_LONGEST = 150  # characters of a name: file systems take 255 bytes


class KeptRuns:
    """The files of one test.

    A failure that is another than those before it gets a file of its own: what was committed as a
    regression test stays one. A run that no longer fits gives its file to the next failure.

    Attributes:
        void: the files whose runs no longer fit.
    """

    def __init__(self, directory: Path | None, nodeid: str) -> None:
        """
        Args:
            directory: where they are, or `None` when nothing is kept.
            nodeid: the test.
        """
        self.void: list[Path] = []
        self._directory = directory
        self._nodeid = nodeid

    @property
    def files(self) -> list[Path]:
        """Those that there are, in the order in which they were begun."""
        files: list[Path] = []
        for path in self._places():
            if not path.exists():
                break
            files.append(path)
        return files

    def keep(self, trial: Trial, token: str) -> Path | None:
        """Keep a failing run, and return where."""
        if self._directory is None:
            return None
        path = (
            self.void[0] if self.void else next(one for one in self._places() if not one.exists())
        )
        keep_failure(path, trial, token, self._nodeid)
        return path

    def _places(self) -> Iterator[Path]:
        """Where runs are kept, one after the other; what a file is named by has no `+` itself."""
        if self._directory is not None:
            stem = _stem(self._nodeid)
            yield self._directory / f"{stem}.json"
            for number in count(2):
                yield self._directory / f"{stem}+{number}.json"


def why_not_kept(trial: Trial, *, in_memory: bool) -> str | None:
    """Why a failing run is no regression test, or `None` if it may be one.

    A store in memory does not answer when a fault of the simulation is in the way, as good a
    finding as any other. A server on which no fault has happened may be away, and back tomorrow.
    """
    if is_of_hypothesis(trial.error):
        return f"{type(trial.error).__name__} is about how hypothesis runs the test"
    unavailable = any(isinstance(one, StoreUnavailable) for one in _all_of(trial.error))
    if unavailable and not in_memory and not trial.journal.faults:
        return "the store did not answer, and no fault of the simulation was in the way"
    return None


def _all_of(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what led to it: causes, contexts, and members of groups."""
    to_see = [error]
    seen: set[int] = set()
    while to_see:
        one = to_see.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        members: Any = getattr(one, "exceptions", ())
        to_see += [one.__cause__, one.__context__, *members]


def _stem(nodeid: str) -> str:
    stem = re.sub(r"[^\w.-]+", "-", nodeid).strip("-")
    if len(stem) <= _LONGEST and "[" not in nodeid:
        return stem  # what parameters add may look alike once it is a file's name
    return f"{stem[:_LONGEST]}-{blake2b(nodeid.encode(), digest_size=6).hexdigest()}"
