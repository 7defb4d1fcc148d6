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
from docket_sim.dependencies.functional import (
    Depends,
    Factory,
    FactoryDependency,
    Shared,
    factory_name,
)
from docket_sim.dependencies.overrides import (
    Body,
    BodyOverride,
    DependencyOverride,
    FactoryOverrides,
    Given,
    Override,
    Overrides,
    PolicyOverride,
    refuse_target,
)
from docket_sim.dependencies.perpetual import Perpetual
from docket_sim.dependencies.plan import factories_in, plan_for
from docket_sim.dependencies.resolver import resolve
from docket_sim.dependencies.retry import ExponentialRetry, Retry
from docket_sim.dependencies.shared import SharedScope
from docket_sim.dependencies.signature import (
    AnyDependency,
    Signature,
    is_dependency,
    signature_of,
)
from docket_sim.dependencies.steps import Plan
from docket_sim.dependencies.timeout import Timeout

__all__ = [
    "AnyDependency",
    "AttemptContext",
    "Body",
    "BodyOverride",
    "CurrentDocket",
    "CurrentExecution",
    "CurrentWorker",
    "Dependency",
    "DependencyOverride",
    "Depends",
    "ExponentialRetry",
    "Factory",
    "FactoryDependency",
    "FactoryOverrides",
    "Given",
    "Immediate",
    "Override",
    "Overrides",
    "Perpetual",
    "Plan",
    "PolicyOverride",
    "Retry",
    "Shared",
    "SharedScope",
    "Signature",
    "TaskArgument",
    "TaskKey",
    "TaskLogger",
    "Timeout",
    "current_attempt",
    "factories_in",
    "factory_name",
    "is_dependency",
    "plan_for",
    "refuse_target",
    "resolve",
    "signature_of",
]
