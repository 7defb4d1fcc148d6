"""Dependencies: what a task asks for in its signature, and how each attempt gets it."""

from docket_sim.dependencies.base import Dependency, Immediate
from docket_sim.dependencies.context import AttemptContext, current_attempt
from docket_sim.dependencies.current import (
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    TaskArgument,
    TaskKey,
    TaskLogger,
)
from docket_sim.dependencies.functional import Depends, FactoryDependency, Shared, factory_name
from docket_sim.dependencies.perpetual import Perpetual
from docket_sim.dependencies.plan import Plan, plan_for
from docket_sim.dependencies.resolver import resolve
from docket_sim.dependencies.retry import ExponentialRetry, Retry
from docket_sim.dependencies.shared import SharedScope
from docket_sim.dependencies.signature import (
    AnyDependency,
    Signature,
    is_dependency,
    signature_of,
)
from docket_sim.dependencies.timeout import Timeout

__all__ = [
    "AnyDependency",
    "AttemptContext",
    "CurrentDocket",
    "CurrentExecution",
    "CurrentWorker",
    "Dependency",
    "Depends",
    "ExponentialRetry",
    "FactoryDependency",
    "Immediate",
    "Perpetual",
    "Plan",
    "Retry",
    "Shared",
    "SharedScope",
    "Signature",
    "TaskArgument",
    "TaskKey",
    "TaskLogger",
    "Timeout",
    "current_attempt",
    "factory_name",
    "is_dependency",
    "plan_for",
    "resolve",
    "signature_of",
]
