"""What a report says of a test's world: its timeline, where the HTML page is, and a hint."""

import pytest

from docket_sim import Simulation
from pytest_docket.given import HINT, refuses_fixture
from pytest_docket.options import OPTIONS, Options, written
from pytest_docket.page import write_page
from pytest_docket.stash import ERROR


def add_sections(item: pytest.Item, report: pytest.TestReport, world: Simulation) -> None:
    """Add to `report` what the options ask for."""
    options = item.config.stash[OPTIONS]
    if report.failed and refuses_fixture(item.stash.get(ERROR, None)):
        report.sections.append(("docket hint", HINT))
    if _wanted(options, report):
        text = _last_lines(str(world.timeline), options.timeline_lines)
        report.sections.append((title(world), text or "nothing happened"))
    if options.html is not None and report.failed:
        path = write_page(options.html, item, report, world)
        report.sections.append(("docket timeline as HTML", str(path)))


def title(world: Simulation) -> str:
    """What heads the timeline of `world`."""
    return f"docket timeline (start {written(world.clock.start)}, seed {world.seed})"


def _wanted(options: Options, report: pytest.TestReport) -> bool:
    match options.timeline:
        case "never":
            return False
        case "always":
            return report.failed or report.when == "call"
        case _:
            return report.failed


def _last_lines(text: str, count: int) -> str:
    lines = text.splitlines()
    if len(lines) <= count:
        return text
    return "\n".join([f"… {len(lines) - count} earlier lines", *lines[-count:]])
