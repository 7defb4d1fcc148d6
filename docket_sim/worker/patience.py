"""For how long a worker leaves a call whose task it does not know to others: by time, not by count.

Each worker counts for itself, from when it first met the call: what others did before it came, or
while all were down, says nothing on whether one that knows the task is about to start.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from docket_sim.store import Claim

# A rolling deployment takes minutes, and one that is watched or rolled back part of an hour. Longer
# would only put off the message that says that the task is unknown everywhere.
LEFT_FOR = timedelta(hours=1)
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(minutes=1)
_ROOM = 10_000  # calls that are remembered
_SPREAD = (5**0.5 - 1) / 2  # the golden ratio: its multiples fall evenly between whole numbers


@dataclass(slots=True)
class _Met:
    """A run of a call that this worker has met, and does not know how to run.

    Attributes:
        run: tells it from the other runs of its key.
        since: when it was first met.
        last: when it was last met.
        share: how much of a wait it waits.
        wait: how long it is left to others next.
    """

    run: tuple[int, int]
    since: datetime
    last: datetime
    share: float
    wait: timedelta = _SHORTEST


class Patience:
    """Remembers the calls that one worker has left to others."""

    def __init__(self, room: int = _ROOM) -> None:
        """
        Args:
            room: how many calls are remembered at most.
        """
        self._room = room
        self._met: dict[str, _Met] = {}  # the one that was met last is the last
        self._count = 0

    def wait_for(self, claim: Claim) -> timedelta | None:
        """How long to leave the call of `claim` to others now; `None` once it was left for long."""
        key, now = claim.call.key, claim.claimed_at
        met = self._met.pop(key, None)
        if met is None or met.run != _run_of(claim):
            if not self._has_room(now):
                return _LONGEST  # and its time begins when some other is forgotten
            met = _Met(_run_of(claim), since=now, last=now, share=self._share())
        elif now - met.since >= LEFT_FOR:
            return None
        self._met[key] = met
        wait, met.last, met.wait = met.wait, now, min(2 * met.wait, _LONGEST)
        return wait * met.share

    def _share(self) -> float:
        """How much of a wait the next call waits: all of it, or down to a half.

        Calls that all come back at once are for a busy worker that knows their task as good as one:
        it takes what it has room for, and the rest is gone again until the next time.
        """
        share = 1 - self._count * _SPREAD % 1 / 2
        self._count += 1
        return share

    def _has_room(self, now: datetime) -> bool:
        """Whether one more can be remembered, if need be in place of one that others have taken.

        One that comes back each minute keeps its place: of more calls than there are places, each
        would else be forgotten before its hour is over, and none of them ever end.
        """
        if len(self._met) < self._room:
            return True
        longest_ago = next(iter(self._met))
        if now - self._met[longest_ago].last <= 2 * _LONGEST:
            return False
        del self._met[longest_ago]
        return True


def _run_of(claim: Claim) -> tuple[int, int]:
    """What stays as it is while a call is handed from worker to worker, and by nothing else.

    The next run of a perpetual has its key, generation and attempt; and where a worker died that
    did know the task, there is one that knows it.
    """
    return claim.fence if claim.released_since is None else claim.released_since, claim.delivery
