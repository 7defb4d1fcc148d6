"""Choices: every nondeterministic decision of a run is one draw, labelled and recorded.

A run is a function of its choices and the user's code. A source decides them: chance, a recording,
or an enumeration. 0 is always the default, so a run in which nothing unusual happens has a tape of
zeros, and one failing run is simpler than another when fewer of its choices differ from 0.

A choice is named by its label and how often that label was drawn before, and not by its place on
the tape. So it keeps its meaning when another choice is changed, which replaying and shrinking rest
on.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from docket_sim.entropy import SeededEntropy

Site = tuple[str, int]
"""Which choice: its label, and the how manieth of that label it is, counted from 1."""

Odds = tuple[float, ...]
"""How probable each value of a choice but 0 is, the first that of 1; 0 is what is left of 1."""

_JITTER_STEPS = 1 << 16


class Choice(NamedTuple):
    """One decision that was made.

    Attributes:
        label: what was decided, such as `worker-1 settle: fault`.
        number: the how manieth of that label it is, counted from 1.
        options: how many there were: the value is one of 0 to `options - 1`.
        odds: how probable each other value than 0 is for a source of chance, the first that of 1;
            or `None` when all values are equally so.
        value: what was decided.
    """

    label: str
    number: int
    options: int
    odds: Odds | None
    value: int

    @property
    def site(self) -> Site:
        """Which choice it is."""
        return self.label, self.number


class Source(Protocol):
    """Decides."""

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """A value from 0 to `options - 1`; the arguments are those of `Choice`."""
        ...


class Defaults:
    """Decides for 0, always."""

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """0."""
        return 0


class Replay:
    """Decides as was decided before; where nothing was, or it no longer fits, for 0."""

    def __init__(self, values: Mapping[Site, int]) -> None:
        """
        Args:
            values: the choices that are not 0.
        """
        self._values = values

    def choose(self, label: str, number: int, options: int, odds: Odds | None) -> int:
        """What was decided before."""
        value = self._values.get((label, number), 0)
        return value if value < options else 0


class Choices:
    """Makes and records the choices of one run.

    Attributes:
        tape: the choices, in order.
        dull: those that made no difference, since nothing was at stake.
    """

    def __init__(self, source: Source | None = None) -> None:
        """
        Args:
            source: what decides; by default, all choices are 0.
        """
        self.tape: list[Choice] = []
        self.dull: set[Site] = set()
        self._source = source or Defaults()
        self._counts: dict[str, int] = {}

    def draw(self, label: str, options: int, *, odds: Odds | None = None) -> int:
        """Decide, for one of 0 to `options - 1`.

        Args:
            label: what is decided.
            options: how many possibilities there are.
            odds: how probable each other one than 0 is to be; all are equally so if not given.
        """
        number = self._counts[label] = self._counts.get(label, 0) + 1
        value = self._source.choose(label, number, options, odds)
        self.tape.append(Choice(label, number, options, odds, value))
        return value

    def count_of(self, label: str) -> int:
        """How often a label was drawn."""
        return self._counts.get(label, 0)

    @property
    def deviations(self) -> dict[Site, int]:
        """The choices that are not 0, in the order in which they were made."""
        return {choice.site: choice.value for choice in self.tape if choice.value}


class ChosenEntropy(SeededEntropy):
    """Jitter by choice. Ids follow from the time and a count, so there is nothing to choose."""

    def __init__(self, choices: Choices) -> None:
        super().__init__(0)
        self._choices = choices

    def random(self) -> float:
        """A number in [0, 1)."""
        return self._choices.draw("jitter", _JITTER_STEPS) / _JITTER_STEPS
