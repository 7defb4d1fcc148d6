"""Short campaigns: processes, connections and servers fail, and no work is lost.

The long ones are a command: `python -m tests.chaos --help`.
"""

import asyncio
from collections.abc import Awaitable
from random import Random

import pytest

from chaos.campaign import Setting, run_campaign
from chaos.faults import Around, Fault, Trouble
from chaos.scenarios import SCENARIOS, Scenario
from chaos.stage import SingleStage
from docket_sim.store.redis import prefix_of

SHORT = Setting(seconds=0.5, seed=7, workers=2, lease=0.7, rate=40.0)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_nothing_is_lost_whatever_fails(scenario):
    """Each execution ends once, after its bodies ran; none too early, and none too often."""
    report = asyncio.run(run_campaign(scenario, SHORT))
    assert report.passed, report.table()
    assert report.figures["executions"] > 20


def _stealing(around: Around) -> dict[str, Fault]:
    """A fault that the engine is not made for: somebody removes an execution that waits."""

    async def steal() -> bool:
        with around.stage.client() as client:
            for member in client.zrange(f"{prefix_of('chaos')}due", 0, 0):
                key = member.decode()[13:]
                return bool(client.delete(f"{prefix_of('chaos')}x:{key}"))
        return False

    return {"theft": lambda chance: steal()}


def test_a_campaign_in_which_something_is_lost_fails_and_says_what():
    """Otherwise the campaigns that pass would prove nothing."""
    scenario = Scenario("theft", lambda: SingleStage(proxies=False), _stealing, gap=0.1)
    report = asyncio.run(run_campaign(scenario, SHORT))
    lost = [wrong for wrong in report.wrongs if wrong.kind == "lost"]
    assert lost
    assert lost[0].key in report.histories
    assert "WRONG, with seed 7" in report.table()


def _harmless(around: Around) -> dict[str, Fault]:
    async def nothing_happens() -> bool:
        return False

    return {"nothing": lambda chance: nothing_happens()}


def test_a_campaign_whose_faults_never_happen_fails():
    """That nothing was lost would be no news."""
    scenario = Scenario("harmless", lambda: SingleStage(proxies=False), _harmless, gap=0.1)
    setting = Setting(seconds=0.1, seed=7, workers=1, lease=0.5, overtime=0.1)
    report = asyncio.run(run_campaign(scenario, setting))
    assert [wrong.why for wrong in report.wrongs] == ["the fault 'nothing' has never happened"]


@pytest.mark.parametrize("seconds", [0.1, 60], ids=["at the end", "long before it"])
def test_a_fault_that_breaks_off_breaks_the_campaign_off(seconds):
    """With what was wrong, rather than that the fault has not happened."""

    def faults(around: Around) -> dict[str, Fault]:
        async def breaks() -> bool:
            await asyncio.sleep(0.2)
            raise LookupError("no such server")

        return {"breaks": lambda chance: breaks()}

    scenario = Scenario("broken", lambda: SingleStage(proxies=False), faults, gap=0.1)
    setting = Setting(seconds=seconds, seed=7, workers=1, lease=0.5, overtime=0)
    with pytest.raises(LookupError, match="no such server"):
        asyncio.run(run_campaign(scenario, setting))


def test_the_same_seed_makes_the_same_plan():
    """A campaign that failed can be run again; only its timing differs."""

    def plan(seed: int) -> list[tuple[str, float]]:
        made: list[tuple[str, float]] = []

        def fault(name: str) -> Fault:
            def takes(chance: Random) -> Awaitable[bool]:
                made.append((name, chance.random()))
                return _nothing()

            return takes

        async def trouble() -> None:
            faults = {name: fault(name) for name in ("kill", "cut", "crash")}
            troubling = asyncio.ensure_future(Trouble(faults, Random(seed), gap=0.001).run())
            while len(made) < 9:
                await asyncio.sleep(0.001)
            troubling.cancel()
            await asyncio.wait([troubling])

        asyncio.run(trouble())
        return made[:9]

    async def _nothing() -> bool:
        return True

    assert plan(1) == plan(1)
    assert plan(1) != plan(2)
