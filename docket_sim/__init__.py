"""Background tasks with dependency injection, and the laboratory in which they are tested.

The rooms, from the ground up; each imports only from its own floor and below:

    8  cli, search, strategies, pytest_docket                       the doors of operators and tests
    7  simulation, assertions                                       the laboratory
    6  worker                                                       claims, performs, settles
    5  docket, lookup, logs                                         schedules, looks up, logs
    4  perform, task                                                one attempt at one call
    3  dependencies                                                 Depends, Retry, Timeout, ...
    2  store                                                        where calls live
    1  errors, clock, entropy, events, codec, execution, settings   values
"""

from docket_sim.assertions import ExpectedCall, Observed, Recording, any_call, call
from docket_sim.clock import Clock, SystemClock, VirtualClock
from docket_sim.codec import Codec
from docket_sim.dependencies import (
    AttemptContext,
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    Dependency,
    Depends,
    ExponentialRetry,
    Perpetual,
    Retry,
    Shared,
    TaskArgument,
    TaskKey,
    TaskLogger,
    Timeout,
    current_attempt,
)
from docket_sim.docket import Docket
from docket_sim.entropy import Entropy
from docket_sim.errors import (
    BlockingSleep,
    ClockHeld,
    CycleError,
    Deadlock,
    DocketError,
    EndlessRun,
    ExecutionCancelled,
    FailureFound,
    InjectedFailure,
    InvariantBroken,
    LeakedTasks,
    NothingToRun,
    PayloadError,
    ResolutionFailed,
    ResultExpired,
    RetryRequested,
    SimulationError,
    Spinning,
    StoreUnavailable,
    TaskFailed,
    Unchecked,
    UnfinishedWork,
    UnknownTask,
    UnseenFailures,
    UnusedOverride,
)
from docket_sim.events import Event, Observer
from docket_sim.execution import (
    Cancelled,
    Disposition,
    Execution,
    ExecutionState,
    Failed,
    Finish,
    Reason,
    Record,
    Refused,
    Reschedule,
    Succeeded,
    TaskCall,
)
from docket_sim.lookup import DocketSnapshot
from docket_sim.perform import Performed
from docket_sim.search import Exploration, explore
from docket_sim.settings import WorkerSettings
from docket_sim.simulation import (
    Faults,
    Hangs,
    Moment,
    Raises,
    RecordedCall,
    Returns,
    Runs,
    ScriptedOutcome,
    Simulation,
    StandIn,
    Takes,
    Tally,
    Timeline,
    VirtualLoop,
    simulate,
)
from docket_sim.store import MemoryStore, Store
from docket_sim.task import TaskFunction
from docket_sim.worker import Worker

__all__ = [
    "AttemptContext",
    "BlockingSleep",
    "Cancelled",
    "Clock",
    "ClockHeld",
    "Codec",
    "CurrentDocket",
    "CurrentExecution",
    "CurrentWorker",
    "CycleError",
    "Deadlock",
    "Dependency",
    "Depends",
    "Disposition",
    "Docket",
    "DocketError",
    "DocketSnapshot",
    "EndlessRun",
    "Entropy",
    "Event",
    "Execution",
    "ExecutionCancelled",
    "ExecutionState",
    "ExpectedCall",
    "Exploration",
    "ExponentialRetry",
    "Failed",
    "FailureFound",
    "Faults",
    "Finish",
    "Hangs",
    "InjectedFailure",
    "InvariantBroken",
    "LeakedTasks",
    "MemoryStore",
    "Moment",
    "NothingToRun",
    "Observed",
    "Observer",
    "PayloadError",
    "Performed",
    "Perpetual",
    "Raises",
    "Reason",
    "Record",
    "RecordedCall",
    "Recording",
    "Refused",
    "Reschedule",
    "ResolutionFailed",
    "ResultExpired",
    "Retry",
    "RetryRequested",
    "Returns",
    "Runs",
    "ScriptedOutcome",
    "Shared",
    "Simulation",
    "SimulationError",
    "Spinning",
    "StandIn",
    "Store",
    "StoreUnavailable",
    "Succeeded",
    "SystemClock",
    "Takes",
    "Tally",
    "TaskArgument",
    "TaskCall",
    "TaskFailed",
    "TaskFunction",
    "TaskKey",
    "TaskLogger",
    "Timeline",
    "Timeout",
    "Unchecked",
    "UnfinishedWork",
    "UnknownTask",
    "UnseenFailures",
    "UnusedOverride",
    "VirtualClock",
    "VirtualLoop",
    "Worker",
    "WorkerSettings",
    "any_call",
    "call",
    "current_attempt",
    "explore",
    "simulate",
]
