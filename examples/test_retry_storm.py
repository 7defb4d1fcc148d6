"""A retry storm, found by a property: `python -m pytest examples/test_retry_storm.py`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from docket_sim import Depends, ExponentialRetry, Retry, simulate
from docket_sim.strategies import durations

SECOND = timedelta(seconds=1)
MOST_IN_A_MINUTE = 30

few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[phase for phase in Phase if phase is not Phase.explain],
)


@dataclass
class Gateway:
    """Refuses everything until it is back."""

    back_at: datetime

    def charge(self, now: datetime) -> None:
        if now < self.back_at:
            raise ConnectionError("503")


async def get_gateway() -> Gateway:
    raise NotImplementedError("the real one")


async def get_now() -> datetime:
    raise NotImplementedError("the time")


async def charge(
    order_id: int,
    gateway: Gateway = Depends(get_gateway),
    now: datetime = Depends(get_now),
    retry: Retry = Retry(),
) -> None:
    gateway.charge(now)


def most_in_a_minute(retry: Retry, orders: int, outage: timedelta) -> int:
    """How often the gateway is asked within a minute, when it is down as orders come in."""
    with simulate(concurrency=50, allow_failures=True) as sim:
        sim.override(get_gateway, value=Gateway(sim.clock.start + outage))
        sim.override(get_now, sim.clock.now)
        sim.override(charge, retry=retry)
        for order_id in range(orders):
            sim.run(sim.docket.add(charge)(order_id))
        sim.run(sim.run_until_idle())
        return sim.timeline.attempts_per("1m", task=charge).max()


outages = durations(0 * SECOND, 300 * SECOND)


@few
@given(orders=st.integers(1, 10), outage=outages)
def test_a_patient_policy_lets_the_gateway_recover(orders: int, outage: timedelta) -> None:
    patient = ExponentialRetry(8, minimum_delay=20 * SECOND, maximum_delay=3600 * SECOND)
    assert most_in_a_minute(patient, orders, outage) <= MOST_IN_A_MINUTE


def test_an_eager_policy_hammers_it() -> None:
    eager = Retry(attempts=8, delay=SECOND)
    failing: list[tuple[int, timedelta]] = []

    @few
    @given(orders=st.integers(1, 10), outage=outages)
    def property_of_the_policy(orders: int, outage: timedelta) -> None:
        most = most_in_a_minute(eager, orders, outage)
        if most > MOST_IN_A_MINUTE:
            failing.append((orders, outage))
        assert most <= MOST_IN_A_MINUTE

    with pytest.raises(AssertionError):
        property_of_the_policy()
    # The fewest orders for which a storm breaks out, and the shortest outage.
    assert failing[-1] == (4, 7 * SECOND)
