"""From what became of an attempt to the event that tells of it."""

from datetime import datetime

from docket_sim.events import (
    Event,
    Finished,
    LeaseLost,
    Released,
    Retried,
    Superseded,
)
from docket_sim.execution import (
    Cancelled,
    ExecutionState,
    Failed,
    Finish,
    Outcome,
    Reason,
    Refused,
    Reschedule,
    Succeeded,
)
from docket_sim.perform import Performed
from docket_sim.store import Claim, Settled


def report(claim: Claim, performed: Performed, settled: Settled, now: datetime) -> Event:
    """The event for an attempt whose settlement the store has answered."""
    call, worker = claim.call, claim.worker
    match settled:
        case Settled.SUPERSEDED:
            state = _came_to(performed.outcome)
            failed = state is ExecutionState.FAILED
            error = _error(performed.outcome) if failed else None
            return Superseded(now, call, worker, state, error)
        case Settled.LOST:
            return LeaseLost(now, call, worker)
        case Settled.CANCELLED:
            return Finished(now, call, worker, ExecutionState.CANCELLED)
        case Settled.APPLIED:
            return _applied(claim, performed, now)


def _applied(claim: Claim, performed: Performed, now: datetime) -> Event:
    call, worker = claim.call, claim.worker
    outcome, settlement = performed.outcome, performed.settlement
    error = _error(outcome)
    timed_out = isinstance(outcome, Failed) and outcome.timed_out
    match settlement:
        case Finish(state=state):
            return Finished(now, call, worker, state, error, timed_out)
        case Reschedule(reason=Reason.RETRY, when=when) if error is not None:
            return Retried(now, call, worker, error, when, timed_out, performed.policy)
        case Reschedule(reason=Reason.RELEASE, when=when) if error is not None:
            return Released(now, call, worker, error, when)
        case Reschedule(when=when, arguments=arguments):
            state = ExecutionState.COMPLETED if error is None else ExecutionState.FAILED
            return Finished(now, call, worker, state, error, timed_out, when, arguments)


def _error(outcome: Outcome) -> BaseException | None:
    return outcome.error if isinstance(outcome, Failed | Refused) else None


def _came_to(outcome: Outcome) -> ExecutionState:
    match outcome:
        case Succeeded():
            return ExecutionState.COMPLETED
        case Cancelled():
            return ExecutionState.CANCELLED
        case Refused(left_for=left_for) if left_for is not None:
            return ExecutionState.CANCELLED
        case Failed() | Refused():
            return ExecutionState.FAILED
