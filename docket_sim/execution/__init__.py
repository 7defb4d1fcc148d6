"""One call of one task, from its scheduling to its end: values, and the user's handle on them."""

from docket_sim.execution.call import Cause, TaskCall
from docket_sim.execution.handle import Execution, Executions
from docket_sim.execution.outcome import Cancelled, Failed, Outcome, Refused, Succeeded
from docket_sim.execution.record import Record
from docket_sim.execution.settlement import Finish, Reason, Reschedule, Settlement
from docket_sim.execution.state import FINISHED, TRANSITIONS, Disposition, ExecutionState

__all__ = [
    "FINISHED",
    "TRANSITIONS",
    "Cancelled",
    "Cause",
    "Disposition",
    "Execution",
    "ExecutionState",
    "Executions",
    "Failed",
    "Finish",
    "Outcome",
    "Reason",
    "Record",
    "Refused",
    "Reschedule",
    "Settlement",
    "Succeeded",
    "TaskCall",
]
