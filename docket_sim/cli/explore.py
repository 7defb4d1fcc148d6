"""`docket-sim explore`: searches the runs of a scenario, long and broadly, for one that fails."""

from functools import partial
from pathlib import Path

import typer

from docket_sim.cli.complaints import usage
from docket_sim.cli.explore_options import Extent, Files, Subject
from docket_sim.cli.output import print_line
from docket_sim.cli.scenarios import load_scenario
from docket_sim.cli.searching import Interruption, Shown, say
from docket_sim.errors import FailureFound, NotDeterministic
from docket_sim.search.campaign import Campaign, Conduct
from docket_sim.search.explore import Search
from docket_sim.search.explorer import Budget, Found, single_share
from docket_sim.search.kept import keep_failure, kept_token
from docket_sim.search.report import report, summary
from docket_sim.search.shares import Errand
from docket_sim.search.silence import unheard
from docket_sim.search.standing import Standing
from docket_sim.search.token import read_token
from docket_sim.simulation.faults.rules import Faults

FOUND = 1
"""The exit code when a run has failed, or could not be made again."""

ENDED = 130
"""The exit code after a second Ctrl-C, as shells have it."""


def explore(subject: Subject, extent: Extent, files: Files) -> None:
    """Search the runs of a scenario for one that fails, and show that one.

    Ctrl-C ends it in order: what was seen is shown, and kept with --resume. A second one ends it at
    once. The exit code is 1 if a run has failed, else 0.
    """
    world = {**subject.world, "faults": Faults.of(subject.faults.value)}
    search = Search(load_scenario(subject.scenario), world)
    if files.replay is not None:
        _refuse_company(files)
        _replay(subject, search, files.replay)
        return
    standing = _standing(subject, extent, files.resume)
    if files.keep is not None and files.keep.exists():
        _replay_kept(subject, search, files.keep)
    load = partial(load_scenario, subject.scenario)
    errand = Errand(load, subject.world, subject.seed, standing.single)
    try:
        found, campaign = _led(errand, standing, extent, files)
    except NotDeterministic as error:
        _print(str(error))
        raise typer.Exit(FOUND) from None
    except KeyboardInterrupt:
        say(f"ended at once{_how_to_go_on(files.resume)}")
        raise typer.Exit(ENDED) from None
    _tell(subject, campaign, found, files.keep)


def _led(
    errand: Errand, standing: Standing, extent: Extent, files: Files
) -> tuple[Found | None, Campaign]:
    """Lead the campaign, in sight of who has asked for it."""
    with (
        Interruption(lambda: say("ending; Ctrl-C once more ends at once")) as interruption,
        Shown(runs=extent.bound, seconds=extent.seconds) as shown,
    ):
        conduct = Conduct(
            budget=Budget(extent.most, extent.seconds),
            jobs=extent.jobs,
            determinism=extent.determinism,
            state=files.resume,
            stopped=lambda: interruption.wanted,
            progress=shown,
        )
        campaign = Campaign(errand, standing, conduct)
        found = campaign.lead()
    if interruption.wanted:
        say(f"interrupted after {standing.seen.runs:,} runs{_how_to_go_on(files.resume)}")
    return found, campaign


def _how_to_go_on(resume: Path | None) -> str:
    if resume is None:
        return "; with --resume FILE, a search can go on where it was interrupted"
    return f"; the same command goes on from {resume}"


# Before the search.


def _standing(subject: Subject, extent: Extent, resume: Path | None) -> Standing:
    """How far the search has come: as a file says, or not at all."""
    fresh = Standing(subject.told, single_share(extent.most))
    if resume is None or not resume.exists():
        return fresh
    try:
        standing = Standing.load(resume)
    except ValueError as error:
        raise usage(str(error), of="--resume") from None
    for name, wanted in fresh.of.items():
        if standing.of.get(name) != wanted:
            raise usage(
                f"{resume} is the state of another search: expected {name} {wanted}, found "
                f"{standing.of.get(name)}. Give the options of that one, or another file",
                of="--resume",
            )
    return standing


def _refuse_company(files: Files) -> None:
    for name, file in (("--keep", files.keep), ("--resume", files.resume)):
        if file is not None:
            raise usage(f"expected no {name} beside it: it makes one run", of="--replay")


def _replay(subject: Subject, search: Search, token: str) -> None:
    """Make the run of a token."""
    try:
        search.replayed(token)
    except FailureFound as error:
        _print(str(error))
        raise typer.Exit(FOUND) from None
    except ValueError as error:
        raise usage(str(error), of="--replay") from None
    print_line(f"the run {token} of {subject.scenario} does not fail")


def _replay_kept(subject: Subject, search: Search, keep: Path) -> None:
    """Make the run that was kept: as long as it fails, there is nothing to search for."""
    try:
        token = kept_token(keep)
        read_token(token, search.described)
    except ValueError as error:
        raise usage(str(error), of="--keep") from None
    try:
        with unheard():
            search.replayed(token)
    except FailureFound as error:
        _print(f"{error}\n\n  kept      {keep}\n  replay    {subject.command} --replay {token}")
        raise typer.Exit(FOUND) from None
    except ValueError:
        pass  # the code has changed since, and it does not fail: both are what was hoped for
    say(f"the run kept in {keep} no longer fails")


# After it.


def _tell(subject: Subject, campaign: Campaign, found: Found | None, keep: Path | None) -> None:
    seen = campaign.standing.seen
    _print(str(seen.coverage))
    print_line("")
    print_line(summary(seen))
    if found is None:
        print_line("no run has failed")
        return
    token = campaign.search.token(found.shrunk)
    print_line("")
    _print(report(found, f"{subject.command} --replay {token}"))
    if keep is not None:
        keep_failure(keep, found.shrunk, token, subject.scenario)
        print_line(f"  kept      {keep}")
    raise typer.Exit(FOUND)


def _print(text: str) -> None:
    for line in text.splitlines():
        print_line(line)
