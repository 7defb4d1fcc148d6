"""Invariants of attempts: how many there are, when the next is due, and how each is torn down."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack
from datetime import timedelta
from types import TracebackType
from typing import Any, ClassVar

from docket_sim.dependencies import ExponentialRetry, Retry
from docket_sim.errors import InvariantBroken
from docket_sim.events import Retried
from docket_sim.execution import Reason, Reschedule, TaskCall
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.invariants.base import Invariant, Scene
from docket_sim.store import Settled

_ROUNDING = timedelta(microseconds=1)


class WithinBudget(Invariant):
    """Checks the number of each failed attempt against its policy's."""

    id: ClassVar[str] = "attempts"
    sentence: ClassVar[str] = "attempts never exceed what the policy allows"

    def retried(self, event: Retried) -> None:
        if isinstance(event.policy, Retry):
            allowed = event.policy.attempts
            if allowed is not None and event.call.attempt >= allowed:
                raise self.broken(
                    f"attempt {event.call.attempt} at {event.call.key!r} is followed by another; "
                    f"{event.policy!r} allows {allowed}"
                )


class PolicysDelay(Invariant):
    """Checks when the next attempt is due against what the policy says."""

    id: ClassVar[str] = "retry-delay"
    sentence: ClassVar[str] = "the delay before a retry is that of the policy"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._decided: dict[int, timedelta] = {}
        self._applied: dict[tuple[str, int, int, str], timedelta] = {}

    def settling(self, call: StoreCall) -> None:
        settlement = call.settlement
        if isinstance(settlement, Reschedule) and settlement.reason is Reason.RETRY:
            delay = settlement.when - self.scene.instant(call.at)
            # Where it is asked once more, it was decided the first time.
            self._decided.setdefault(call.claims[0].fence, delay)

    def settled(self, call: StoreCall, answer: Settled) -> None:
        claim = call.claims[0]
        if answer is Settled.APPLIED and claim.fence in self._decided:
            self._applied[_attempt(claim.call, claim.worker)] = self._decided[claim.fence]

    def retried(self, event: Retried) -> None:
        policy = event.policy
        if not isinstance(policy, Retry):
            return
        decided = self._applied.pop(_attempt(event.call, event.worker), None)
        if decided is None or policy.asked_for is not None:
            return
        if abs(decided - policy.delay) > _ROUNDING:
            raise self.broken(
                f"attempt {event.call.attempt} at {event.call.key!r} is followed by another in "
                f"{decided}, and not in {policy.delay}"
            )
        planned = policy.planned
        if type(policy) is ExponentialRetry and planned is not None:
            low, high = _range_of(policy, event.call.attempt)
            if not low - _ROUNDING <= planned <= high + _ROUNDING:
                raise self.broken(
                    f"after attempt {event.call.attempt}, {policy!r} waits for {low} to {high}, "
                    f"found {planned}"
                )


def _attempt(call: TaskCall, worker: str) -> tuple[str, int, int, str]:
    return call.key, call.generation, call.attempt, worker


def _range_of(policy: ExponentialRetry, attempt: int) -> tuple[timedelta, timedelta]:
    """The delays that are right after an attempt: `min(maximum, minimum * 2**(attempt - 1))`."""
    high = policy.minimum_delay
    for _ in range(attempt - 1):
        if high >= policy.maximum_delay:
            break
        high *= 2
    high = min(high, policy.maximum_delay)
    return high * (1 - policy.jitter), high


class TornDownOnce(Invariant):
    """Follows the dependencies of each attempt from entering to leaving."""

    id: ClassVar[str] = "teardown"
    sentence: ClassVar[str] = "what an attempt has entered is left once, in reverse order"

    def __init__(self, scene: Scene, tell: Callable[[InvariantBroken], None]) -> None:
        super().__init__(scene)
        self._tell = tell

    def exit_stack(self) -> AsyncExitStack:
        """A stack that is watched."""
        return _WatchedStack(self)

    def note_left(self, entered: list[Any], leaving: Any) -> None:
        """Something is being left."""
        if not any(one is leaving for one in entered):
            self._tell(self.broken(f"{leaving!r} is left, but was not entered or has been left"))
        elif entered[-1] is not leaving:
            self._tell(self.broken(f"{leaving!r} is left before {entered[-1]!r}, entered after it"))

    def note_end(self, entered: list[Any]) -> None:
        """All should have been left."""
        if entered:
            self._tell(self.broken(f"{', '.join(map(repr, entered))} never left"))


class _WatchedStack(AsyncExitStack):
    """An exit stack that tells an invariant what it enters and leaves."""

    def __init__(self, invariant: TornDownOnce) -> None:
        super().__init__()
        self._invariant = invariant
        self._entered: list[Any] = []

    async def enter_async_context(self, cm: AbstractAsyncContextManager[Any, Any]) -> Any:
        value = await super().enter_async_context(cm)
        self._watch(cm)
        return value

    def enter_context(self, cm: AbstractContextManager[Any, Any]) -> Any:
        value = super().enter_context(cm)
        self._watch(cm)
        return value

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        try:
            return bool(await super().__aexit__(exc_type, exc_value, traceback))
        finally:
            self._invariant.note_end(self._entered)

    def _watch(self, entered: Any) -> None:
        """Take note of what was entered; what is pushed last is called first."""
        self._entered.append(entered)
        self.callback(self._leave, entered)

    def _leave(self, leaving: Any) -> None:
        self._invariant.note_left(self._entered, leaving)
        self._entered = [one for one in self._entered if one is not leaving]
