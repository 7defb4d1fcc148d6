"""A retry policy of your own, and its tests: `python -m pytest examples/test_retry_policy.py`."""

from datetime import timedelta

import pytest
from hypothesis import given, settings

from docket_sim import Entropy, Retry, ScriptedOutcome, Timeout, simulate
from docket_sim.strategies import check_retry_policy, failure_scripts, retry_policies

MINUTE = timedelta(minutes=1)
MOST_IN_A_MINUTE = 6


class Patient(Retry):
    """Waits 1, 4, 9, 16, ... seconds, a little less by chance, and never longer than 5 minutes."""

    maximum_delay = 5 * MINUTE
    jitter = 0.1

    def delay_after(self, attempt: int, entropy: Entropy) -> timedelta:
        delay = min(timedelta(seconds=attempt**2), self.maximum_delay)
        return delay * (1 - self.jitter * entropy.random())


class FirstDraft(Patient):
    """Adds the jitter to what the maximum has just been applied to."""

    def delay_after(self, attempt: int, entropy: Entropy) -> timedelta:
        delay = min(timedelta(seconds=attempt**2), self.maximum_delay)
        return delay * (1 + self.jitter * entropy.random())


async def charge(
    order_id: int, retry: Retry = Patient(attempts=6), timeout: Timeout = Timeout(MINUTE)
) -> int:
    return order_id


def test_the_policy_keeps_its_promises() -> None:
    check_retry_policy(Patient(attempts=25), total_delay=100 * MINUTE)


def test_the_first_draft_waited_too_long() -> None:
    with pytest.raises(AssertionError, match="breaks 'capped'"):
        check_retry_policy(FirstDraft(attempts=25))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(policy=retry_policies(min_delay=timedelta(seconds=10)), script=failure_scripts())
def test_whatever_the_policy_the_gateway_is_not_hammered(
    policy: Retry, script: list[ScriptedOutcome]
) -> None:
    with simulate(allow_failures=True) as sim:
        sim.docket.register(charge)
        sim.override(charge, retry=policy)
        sim.script(charge, script)
        sim.run(sim.docket.add(charge)(7))
        sim.run(sim.run_until_idle())
        starts = [moment.elapsed for moment in sim.timeline if moment.what == "started"]
    for first in starts:
        assert sum(first <= start < first + MINUTE for start in starts) <= MOST_IN_A_MINUTE
