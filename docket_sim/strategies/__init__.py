"""Workloads for hypothesis: policies, scripts, schedules, faults, and whole simulations of them.

Hypothesis owns what is done and what goes wrong; it shrinks that. The order in which things happen
is not its business: `run_schedules` runs each example in a few fixed ones, and shrinks those by
itself. The one room that needs hypothesis, so nothing else imports it: what a property test draws
from is imported from `docket_sim.strategies`.
"""

try:
    from docket_sim.strategies.calls import Call, Tasks
    from docket_sim.strategies.check import check_retry_policy
    from docket_sim.strategies.durations import durations
    from docket_sim.strategies.faults import FaultKind, fault_plans
    from docket_sim.strategies.interleavings import run_schedules
    from docket_sim.strategies.machine import DocketMachine
    from docket_sim.strategies.plan import Plan
    from docket_sim.strategies.policies import retry_policies, timeouts
    from docket_sim.strategies.properties import RetryProperty
    from docket_sim.strategies.schedules import Operation, Schedule, Step, schedules
    from docket_sim.strategies.scripts import failure_scripts
    from docket_sim.strategies.simulations import simulations
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "docket_sim.strategies needs hypothesis, which is not installed. "
        "Install docket-sim[test], or hypothesis itself.",
        name="hypothesis",
    ) from None

__all__ = [
    "Call",
    "DocketMachine",
    "FaultKind",
    "Operation",
    "Plan",
    "RetryProperty",
    "Schedule",
    "Step",
    "Tasks",
    "check_retry_policy",
    "durations",
    "failure_scripts",
    "fault_plans",
    "retry_policies",
    "run_schedules",
    "schedules",
    "simulations",
    "timeouts",
]
