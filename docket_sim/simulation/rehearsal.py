"""Running twice: what has succeeded is delivered once more, before it is acknowledged.

An idempotent task does not mind. A test of one that is runs as without it: the first of the two
runs is what the timeline, the tallies and the assertions see.
"""

from docket_sim.events import Event, LeaseLost, Started
from docket_sim.execution import TaskCall
from docket_sim.simulation.faults.calls import StoreCall


class Rehearsal:
    """Knows which events tell of a run that was only made once more."""

    def __init__(self, *, takes_place: bool) -> None:
        """
        Args:
            takes_place: whether all is run twice; otherwise no event is hidden.
        """
        self._takes_place = takes_place
        self._once_more: set[tuple[str, int, int]] = set()

    def note(self, call: StoreCall) -> None:
        """Take note of a claim that was given up, so that its call is delivered once more."""
        if self._takes_place and call.given_up:
            self._once_more.add(_which(call.claims[0].call))

    def hides(self, event: Event) -> bool:
        """Whether `event` tells of the end of the first run, or the beginning of the second."""
        match event:
            case LeaseLost(call=call):
                return _which(call) in self._once_more
            case Started(call=call, delivery=2):
                return _which(call) in self._once_more
            case _:
                return False


def _which(call: TaskCall) -> tuple[str, int, int]:
    return call.key, call.generation, call.attempt
