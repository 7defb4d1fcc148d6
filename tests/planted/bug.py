"""What a planted bug is: what is broken, what shows it, and its twin in which nothing is."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Any

from docket_sim.search.explore import Scenario
from docket_sim.simulation.faults.rules import Faults

Break = Callable[[], AbstractContextManager[Any]]
"""Breaks the engine for as long as the context lasts: a patch."""


@dataclass(frozen=True, kw_only=True)
class Bug:
    """One planted bug, and how the search is to find it.

    Attributes:
        name: names it, in test ids.
        broken: what is broken, in a sentence.
        scenario: what is run. A broken engine breaks in it; a broken program is part of it.
        twin: the scenario with the correct program; the same one for a broken engine.
        breaks: patches that break the engine; none for a broken program.
        says: what the first line of the report says.
        shows: what the report's diagram shows: the one fault that it takes, or "" for none.
        faults: as for `explore`.
        workers: how many workers there are.
        runs: within how many runs the search finds it: about three times what it takes.
    """

    name: str
    broken: str
    scenario: Scenario
    twin: Scenario
    breaks: Sequence[Break] = ()
    says: str
    shows: str = ""
    faults: str | Faults = "rough"
    workers: int = 2
    runs: int
    world: dict[str, Any] = field(default_factory=dict)

    def planted(self) -> ExitStack:
        """The context in which the engine is broken."""
        stack = ExitStack()
        for break_it in self.breaks:
            stack.enter_context(break_it())
        return stack

    def __str__(self) -> str:
        return self.name


def engine(name: str, broken: str, scenario: Scenario, *breaks: Break, **rest: Any) -> Bug:
    """A bug of the engine: its twin is the same scenario on an engine that works."""
    return Bug(name=name, broken=broken, scenario=scenario, twin=scenario, breaks=breaks, **rest)


def program(name: str, broken: str, scenario: Scenario, twin: Scenario, **rest: Any) -> Bug:
    """A bug of a program that uses the engine."""
    return Bug(name=name, broken=broken, scenario=scenario, twin=twin, **rest)
