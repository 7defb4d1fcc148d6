"""What a proxy is told to do to requests: rules that return a verdict, without any I/O."""

from dataclasses import dataclass
from enum import Enum, auto


class Verdict(Enum):
    """What becomes of one request. All but the first end the connection."""

    PASS = auto()
    DROP_REQUEST = auto()  # the server never sees it
    HALVE_REQUEST = auto()  # the server sees its first half
    SWALLOW_REPLY = auto()  # the server has done it, and the client is not told
    HALVE_REPLY = auto()  # the client is told the first half


@dataclass(slots=True)
class Fault:
    """A rule for some requests, which are counted down.

    Attributes:
        verdict: what becomes of them.
        times: how many are left.
        after: how many are let pass before that.
        of: what is in the bytes of the requests that are meant; others do not count.
    """

    verdict: Verdict
    times: int
    after: int
    of: bytes

    def judge(self, request: bytes) -> Verdict:
        """The verdict on a request."""
        if self.of not in request or not self.times:
            return Verdict.PASS
        if self.after:
            self.after -= 1
            return Verdict.PASS
        self.times -= 1
        return self.verdict


class Faults:
    """The faults that are still to come; the first whose verdict is not PASS decides."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add one, behind those that are there."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        self._faults.clear()

    @property
    def left(self) -> int:
        """How many requests are still to be hit."""
        return sum(fault.times for fault in self._faults)

    def judge(self, request: bytes) -> Verdict:
        """The verdict on a request."""
        for fault in self._faults:
            verdict = fault.judge(request)
            if verdict is not Verdict.PASS:
                return verdict
        return Verdict.PASS
