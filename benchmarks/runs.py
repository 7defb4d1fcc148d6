"""How often the body of a task has run: what a case asserts before it believes its stopwatch."""

from dataclasses import dataclass


@dataclass(slots=True)
class Runs:
    """A count of runs.

    Attributes:
        count: how many there were since the last reset.
    """

    count: int = 0

    def reset(self) -> None:
        """Begin to count afresh."""
        self.count = 0

    def expect(self, count: int) -> None:
        """Make sure that there were so many runs.

        Raises:
            AssertionError: there were more or fewer.
        """
        assert self.count == count, f"expected {count:,} runs, found {self.count:,}"
