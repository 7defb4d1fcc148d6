"""A run that is made twice: with the same choices, it must be the same run."""

from collections.abc import Callable, Iterable, Sequence

from docket_sim.errors import NotDeterministic
from docket_sim.search.account import Account, alike
from docket_sim.search.causes import likely_causes
from docket_sim.search.trial import Trial
from docket_sim.simulation.choices import Choices, Replay

Attempt = Callable[[Choices], Trial]


def _always() -> bool:
    return True


class TwiceAtFirst:
    """Makes runs, and the first of them a second time, to see that the two are the same."""

    def __init__(
        self, attempt: Attempt, scenario: object, *, wanted: Callable[[], bool] = _always
    ) -> None:
        """
        Args:
            attempt: makes a run.
            scenario: what is run; where no clock and no chance is to blame, what it holds is
                looked through for what one run leaves to the next.
            wanted: asked after the first run whether it is to be made a second time.
        """
        self._attempt = attempt
        self._scenario = scenario
        self._wanted = wanted
        self._first = True

    def __call__(self, choices: Choices) -> Trial:
        """Make a run.

        Raises:
            NotDeterministic: it was the first, and the second one with its choices was another.
        """
        __tracebackhide__ = True
        trial = self._attempt(choices)
        if self._first:
            self._first = False
            if self._wanted():
                refuse_another(trial, self._attempt, self._scenario)
        return trial


def refuse_another(trial: Trial, attempt: Attempt, scenario: object) -> None:
    """Make the run of `trial` once more, and refuse it if it is another one.

    Raises:
        NotDeterministic: it is.
    """
    __tracebackhide__ = True
    deviations = trial.choices.deviations
    again = attempt(Choices(Replay(deviations)))
    difference = None if alike(trial, again) else Account.of(trial).difference(Account.of(again))
    if difference is None:
        return
    causes = likely_causes(again, attempt, scenario)
    raise not_deterministic(difference, causes)


def not_deterministic(difference: str, causes: Sequence[str]) -> NotDeterministic:
    """The error for two runs that part."""
    message = [
        "the same choices have led to two different runs, so a failure could not be replayed.",
        "",
        f"  {difference.replace(chr(10), chr(10) + '  ')}",
        "",
        *(_listed(causes) if causes else [_UNKNOWN]),
    ]
    return NotDeterministic("\n".join(message), difference=difference, causes=causes)


_UNKNOWN = (
    "  likely cause  unknown: look for sets whose order matters, the machine's own clock, chance, "
    "files, sockets, threads and id(), and for what one run leaves to the next"
)


def _listed(causes: Iterable[str]) -> Iterable[str]:
    titles = ["likely cause", *["or"] * len(tuple(causes))]
    return (f"  {title:<12}  {cause}" for title, cause in zip(titles, causes, strict=False))
