"""Workloads for hypothesis: policies, scripts and schedules, and what a retry policy must keep to.

The one room that needs hypothesis, so nothing else imports it: `from docket_sim.strategies import`
what a property test draws from.
"""

try:
    from docket_sim.strategies.check import check_retry_policy
    from docket_sim.strategies.durations import durations
    from docket_sim.strategies.policies import retry_policies, timeouts
    from docket_sim.strategies.properties import RetryProperty
    from docket_sim.strategies.schedules import Operation, Schedule, Step, schedules
    from docket_sim.strategies.scripts import failure_scripts
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] != "hypothesis":
        raise
    raise ModuleNotFoundError(
        "docket_sim.strategies needs hypothesis, which is not installed. "
        "Install docket-sim[test], or hypothesis itself.",
        name="hypothesis",
    ) from None

__all__ = [
    "Operation",
    "RetryProperty",
    "Schedule",
    "Step",
    "check_retry_policy",
    "durations",
    "failure_scripts",
    "retry_policies",
    "schedules",
    "timeouts",
]
