"""What a search says when it has found a failing run."""

import traceback
from pathlib import PurePath

from docket_sim.errors import InvariantBroken, error_text
from docket_sim.search.diagram import Diagram
from docket_sim.search.explorer import Exploration, Found
from docket_sim.simulation.choices import Choice

_CHOICES = 8


def headline(found: Found) -> str:
    """The failure in one line."""
    which = "the run" if found.runs == 1 else f"run {found.run} of {found.runs}"
    return f"{which} broke: {said(found.shrunk.error)}"


def report(found: Found, replay: str) -> str:
    """The failure, the run that leads to it, and the line that replays it.

    Args:
        found: the failure.
        replay: that line.
    """
    diagram = Diagram(found.shrunk.journal, found.shrunk.timeline)
    first, last = len(found.first.choices.deviations), len(found.shrunk.choices.deviations)
    shrunk = f"shrunk from {_counted(first, 'choice')} to {last}; {_counted(len(diagram), 'event')}"
    lines = [
        headline(found),
        f"  {shrunk}:" if first != last else f"  {_counted(len(diagram), 'event')}:",
        "",
        str(diagram),
        "",
        *(f"  choice    {line}" for line in _choices(found)),
        f"  replay    {replay}",
    ]
    return "\n".join(lines)


def summary(exploration: Exploration) -> str:
    """What a search has seen, in a line."""
    faults = ", ".join(f"{kind} {count:,}" for kind, count in sorted(exploration.faults.items()))
    rate = exploration.runs / exploration.seconds if exploration.seconds else 0
    return (
        f"{exploration.runs:,} runs ({rate:,.0f}/s), {exploration.distinct:,} distinct timelines; "
        f"faults: {faults or 'none'}"
    )


def _choices(found: Found) -> list[str]:
    made = [choice for choice in found.shrunk.choices.tape if choice.value]
    return [_choice(choice) for choice in made[:_CHOICES]] + ["…"] * (len(made) > _CHOICES)


def _choice(choice: Choice) -> str:
    return f"{choice.label}, no. {choice.number}: {choice.value} of 0 to {choice.options - 1}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def said(error: BaseException | None) -> str:
    """What a run has failed with, in one line."""
    if error is None:
        return "nothing"
    if isinstance(error, InvariantBroken):
        return f"invariant {error.id}: {error}".partition("\n")[0]
    if not str(error) and error.__traceback__ is not None:
        # A bare assert says nothing by itself: its line does.
        line = traceback.extract_tb(error.__traceback__)[-1]
        return (
            f"{type(error).__name__} at {PurePath(line.filename).name}:{line.lineno}: {line.line}"
        )
    return error_text(error).partition("\n")[0]
