"""The scenarios: on which stage, with which faults."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chaos.faults import (
    Around,
    Fault,
    connections_faults,
    proxy_faults,
    restart_faults,
    sentinel_faults,
    workers_faults,
)
from chaos.stage import SentinelStage, SingleStage, Stage


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a campaign is about.

    Attributes:
        name: what it is called.
        stage: sets the stage.
        faults: what may happen there.
        gap: how much of a lease's length there is between two faults at most.
    """

    name: str
    stage: Callable[[], Stage]
    faults: Callable[[Around], Mapping[str, Fault]]
    gap: float


def _proxied() -> Stage:
    return SingleStage(proxies=True)


def _direct() -> Stage:
    return SingleStage(proxies=False)


def _everything(around: Around) -> Mapping[str, Fault]:
    return {
        **workers_faults(around),
        **connections_faults(around),
        **proxy_faults(around),
        **restart_faults(around),
    }


def _fail_overs_and_deaths(around: Around) -> Mapping[str, Fault]:
    return {"kill": workers_faults(around)["kill"], **sentinel_faults(around)}


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("workers", _direct, workers_faults, gap=0.4),
        Scenario("connections", _direct, connections_faults, gap=0.3),
        Scenario("proxy", _proxied, proxy_faults, gap=0.3),
        Scenario("restart", _direct, restart_faults, gap=0.8),
        Scenario("sentinel", SentinelStage, _fail_overs_and_deaths, gap=0.6),
        Scenario("everything", _proxied, _everything, gap=0.25),
    )
}
"""All of them, by name."""
