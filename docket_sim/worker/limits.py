"""How often `run_at_most` lets each task or key run."""

from collections.abc import Mapping

from docket_sim.execution import TaskCall
from docket_sim.store import Claim


class Limits:
    """Counts the runs of what is limited, by task name or key; a retry is part of its run."""

    def __init__(self, runs: Mapping[str, int]) -> None:
        """
        Args:
            runs: how often each may run, by task name or key.

        Raises:
            ValueError: a negative number.
        """
        for name, limit in runs.items():
            if limit < 0:
                raise ValueError(f"{name!r} cannot run {limit} times; expected 0 or more")
        self._left = dict(runs)

    def allow(self, claim: Claim) -> bool:
        """Whether the claimed call may run now; takes one from what is left."""
        names = self._limited(claim.call)
        if not names or claim.call.attempt > 1 or claim.delivery > 1:
            return True
        if any(self._left[name] == 0 for name in names):
            return False
        for name in names:
            self._left[name] -= 1
        return True

    def exhausted(self, call: TaskCall) -> bool:
        """Whether no further run of `call` will be allowed."""
        limited = self._limited(call)
        return bool(limited) and any(self._left[name] == 0 for name in limited)

    def _limited(self, call: TaskCall) -> list[str]:
        if not self._left:
            return []
        return [name for name in dict.fromkeys((call.task, call.key)) if name in self._left]
