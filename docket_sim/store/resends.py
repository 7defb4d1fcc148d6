"""How claims were settled, for a worker that sends a settlement again since it saw no answer.

A settlement is known by its claim's fence and by the end that it asks for: one claim asks for one.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import NamedTuple

from docket_sim.execution import ExecutionState, Finish, Settlement
from docket_sim.store.base import Claim, Settled

SETTLEMENTS_KEPT = 4
"""How many settlements are known of one key whose record is kept."""

REMEMBERED = timedelta(minutes=1)
"""For how long a settlement is known of whose execution no record is kept."""


class Resend(NamedTuple):
    """What tells a settlement that is sent again from every other.

    Attributes:
        fence: that of its claim.
        state: in which it asks the execution to end; `None` when it is to go on.
    """

    fence: int
    state: ExecutionState | None

    @classmethod
    def of(cls, claim: Claim, settlement: Settlement) -> "Resend":
        """What tells this one."""
        return cls(claim.fence, settlement.state if isinstance(settlement, Finish) else None)


class Answered:
    """The answers to the last settlements of one key."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: deque[tuple[Resend, Settled]] = deque(maxlen=SETTLEMENTS_KEPT)

    def add(self, settlement: Resend, answer: Settled) -> None:
        """Remember this one; the fourth before it is forgotten."""
        self._last.append((settlement, answer))

    def get(self, settlement: Resend) -> Settled | None:
        """What was answered, or `None` when nothing is known of it."""
        return dict(self._last).get(settlement)


class AnsweredOfGone:
    """The answers to settlements of executions whose record is gone at once, for a while."""

    def __init__(self) -> None:
        self._answers: dict[Resend, tuple[datetime, Settled]] = {}

    def add(self, settlement: Resend, answer: Settled, now: datetime) -> None:
        """Remember this one."""
        self._answers[settlement] = (now, answer)

    def get(self, settlement: Resend) -> Settled | None:
        """What was answered, or `None` when nothing is known of it."""
        return self._answers.get(settlement, (None, None))[1]

    def forget(self, now: datetime) -> None:
        """Let go of those whose time is up."""
        while self._answers:
            first = next(iter(self._answers))
            if now - self._answers[first][0] < REMEMBERED:
                return
            del self._answers[first]
