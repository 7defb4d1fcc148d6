"""Which of several expected calls stands for which of the children that a parent has scheduled.

Children may be alike, and patterns may be: so each of what is left over on either side is told with
how many there are of it.
"""

from collections.abc import Callable, Sequence
from functools import cache

from docket_sim.assertions.calls import ExpectedCall
from docket_sim.assertions.evidence import Link
from docket_sim.assertions.wording import times_in_words


class Pairing:
    """As many patterns as can be, each with a child of its own.

    Attributes:
        taken: the number of the child, by the place of its pattern in the list.
    """

    def __init__(
        self,
        expected: Sequence[ExpectedCall],
        links: Sequence[Link],
        fits: Callable[[ExpectedCall, Link], bool],
    ) -> None:
        """
        Args:
            expected: the patterns; what is named several times is expected several times.
            links: the children.
            fits: whether a child is one that a pattern describes.
        """
        self._expected = expected
        self._links = links

        @cache
        def fitting(place: int, number: int) -> bool:
            return fits(expected[place], links[number])

        self._fits = fitting
        self.taken = self._paired()

    def missing(self) -> list[str]:
        """The patterns that no child is left for, in words."""
        left = [place for place in range(len(self._expected)) if place not in self.taken]
        said = {self._expected[place]: self._wanting(place) for place in left}
        return [f"{pattern!r}{count}" for pattern, count in said.items()]

    def besides(self, describe: Callable[[Link], str]) -> list[str]:
        """The children that no pattern is left for, in words.

        Args:
            describe: gives the call of a child as it reads in code.
        """
        left = [number for number in range(len(self._links)) if number not in self.taken.values()]
        by_count: dict[str, list[str]] = {}
        for number in left:
            text = describe(self._links[number])
            by_count.setdefault(self._surplus(number, text), []).append(text)
        return [f"{_each_once(texts)}{count}" for count, texts in by_count.items()]

    def _paired(self) -> dict[int, int]:
        """Found by augmenting paths; the widest patterns come last, to take what is left."""
        owner: dict[int, int] = {}

        def place_it(place: int, tried: set[int]) -> bool:
            for number in range(len(self._links)):
                if number in tried or not self._fits(place, number):
                    continue
                tried.add(number)
                if number not in owner or place_it(owner[number], tried):
                    owner[number] = place
                    return True
            return False

        for place in sorted(range(len(self._expected)), key=self._width):
            place_it(place, set())
        return {place: number for number, place in owner.items()}

    def _width(self, place: int) -> tuple[bool, int]:
        pattern = self._expected[place]
        return not pattern.exact, -len(pattern.arguments) - len(pattern.extra)

    def _wanting(self, place: int) -> str:
        found = self._fitting(place)
        pattern = self._expected[place]
        rivals = [
            other
            for other, one in enumerate(self._expected)
            if one is pattern or found & self._fitting(other)
        ]
        return "" if len(rivals) == 1 else _counted(len(rivals), len(found))

    def _surplus(self, number: int, text: str) -> str:
        fitting = [one for one in range(len(self._expected)) if self._fits(one, number)]
        if not fitting:
            return ""
        widest = max(fitting, key=lambda place: len(self._fitting(place)))
        found = self._fitting(widest)
        rivals = [one for one in range(len(self._expected)) if found & self._fitting(one)]
        name = repr(self._expected[widest])
        return _counted(len(rivals), len(found), "" if name == text else f"{name}: ")

    def _fitting(self, place: int) -> set[int]:
        """The numbers of the children that a pattern describes, whichever stands for it."""
        return {number for number in range(len(self._links)) if self._fits(place, number)}


def _each_once(texts: Sequence[str]) -> str:
    counts = {text: texts.count(text) for text in texts}
    return ", ".join(
        text if count == 1 else f"{text} {times_in_words(count)}" for text, count in counts.items()
    )


def _counted(expected: int, found: int, of: str = "") -> str:
    return f" ({of}{expected} expected, {found or 'none'} found)"
