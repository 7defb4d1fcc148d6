"""Why two runs with the same choices may differ: what a watched run has asked of the machine.

Nothing here is paid for as long as runs are the same.
"""

from collections.abc import Callable, Iterator
from types import CodeType

from docket_sim.search.account import Account
from docket_sim.search.remains import Remains
from docket_sim.search.trial import Trial
from docket_sim.search.witness import Witness, lines_with_sets, place
from docket_sim.simulation.choices import Choices, Replay

_MOST = 4


def likely_causes(
    before: Trial, attempt: Callable[[Choices], Trial], scenario: object
) -> list[str]:
    """What may be why, the likeliest first. Two runs are made to find out.

    Args:
        before: the last run.
        attempt: makes a run.
        scenario: what is run.
    """
    deviations = before.choices.deviations
    with Witness() as witness:
        watched = attempt(Choices(Replay(deviations)))
    remains = Remains(scenario, witness.modules)
    attempt(Choices(Replay(deviations)))
    asked = [str(one) for one in witness.evidence]
    left = [f"state left from one run to the next: {name}" for name in remains.changed()]
    sets = list(_sets(witness.codes))
    # If only the first run was different, it has found something missing that it has left behind.
    settled = Account.of(before).difference(Account.of(watched)) is None
    found = [*left, *asked, *sets] if settled else [*asked, *left, *sets]
    return list(dict.fromkeys(found))[:_MOST]


def _sets(codes: set[CodeType]) -> Iterator[str]:
    ordered = sorted(codes, key=lambda code: (code.co_filename, code.co_firstlineno))
    for code in ordered:
        for line in lines_with_sets(code):
            yield f"an unordered set, made at {place(code, line)}: sort it, or use a dict"
