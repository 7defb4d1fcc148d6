"""The options of `docket-sim explore`."""

import shlex
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from docket_sim.simulation.bound import DEFAULT_STEPS

_RUNS = 10_000
_WORKERS = 2


class FaultsName(StrEnum):
    """What is done to workers and store calls."""

    NONE = "none"
    ROUGH = "rough"
    HOSTILE = "hostile"


@dataclass(frozen=True, slots=True)
class Subject:
    """Which runs there are, as options tell of it; each says what it is for."""

    scenario: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:SCENARIO", help="The function of a world that is run, as for explore()."
        ),
    ]
    faults: Annotated[FaultsName, typer.Option(help="What is done to workers and store calls.")] = (
        FaultsName.ROUGH
    )
    workers: Annotated[int, typer.Option(min=1, help="How many workers each world has.")] = _WORKERS
    seed: Annotated[int, typer.Option(help="What chance draws from.")] = 0
    steps: Annotated[
        int, typer.Option(min=1, help="How many steps without progress make a run an endless one.")
    ] = DEFAULT_STEPS

    @property
    def world(self) -> dict[str, Any]:
        """The keywords of each world."""
        return {"faults": self.faults.value, "workers": self.workers, "steps": self.steps}

    @property
    def told(self) -> dict[str, Any]:
        """What a state must be of to be gone on with."""
        return {"scenario": self.scenario, "seed": self.seed, **self.world}

    @property
    def command(self) -> str:
        """The command line, as far as one run depends on it."""
        words = ["docket-sim", "explore", self.scenario]
        if self.faults is not FaultsName.ROUGH:
            words += ["--faults", self.faults.value]
        if self.workers != _WORKERS:
            words += ["--workers", str(self.workers)]
        if self.steps != DEFAULT_STEPS:
            words += ["--steps", str(self.steps)]
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Extent:
    """How long to search and with what, as options tell of it; each says what it is for."""

    runs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=f"How many runs to make; {_RUNS:,} by default, with --seconds as many as there is "
            f"time for.",
        ),
    ] = None
    seconds: Annotated[
        float | None, typer.Option(help="After how many seconds to stop, if nothing else does.")
    ] = None
    jobs: Annotated[int, typer.Option(min=1, help="How many processes make runs.")] = 1
    determinism: Annotated[
        bool,
        typer.Option(help="Make the first run twice, to see that a run can be made again at all."),
    ] = True

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"--seconds: expected more than 0, found {self.seconds}")

    @property
    def bound(self) -> int | None:
        """How many runs end the search, if any number does."""
        return _RUNS if self.runs is None and self.seconds is None else self.runs

    @property
    def most(self) -> int:
        """How many runs there are at most."""
        return sys.maxsize if self.bound is None else self.bound


@dataclass(frozen=True, slots=True)
class Files:
    """What is kept and replayed, as options tell of it; each says what it is for."""

    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep the choices of a failing run; if there, replayed first."
        ),
    ] = None
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Keep how far the search has come; if there, go on from it."
        ),
    ] = None
    replay: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Make only the run of this token.")
    ] = None
