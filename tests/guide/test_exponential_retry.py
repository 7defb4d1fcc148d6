"""ExponentialRetry: delays that double, up to a maximum."""

from datetime import timedelta
from itertools import pairwise

import pytest
from guide_helpers import seconds, starts

from docket_sim import Entropy, ExponentialRetry, Retry, Simulation, simulate

SECOND = timedelta(seconds=1)


def failing(policy: Retry):
    """A task under `policy` that always fails."""

    async def task(retry: Retry = policy) -> int:
        raise ValueError(f"no luck, attempt {retry.attempt}")

    return task


async def test_exponential_delays_double_up_to_their_maximum(sim):
    """From 1 to 64 seconds: 1, 2, 4, 8, 16, 32, 64, 64."""
    policy = ExponentialRetry(attempts=9, minimum_delay=SECOND, maximum_delay=timedelta(seconds=64))
    await sim.docket.add(failing(policy))()

    await sim.run_until_idle()
    began = starts(sim)
    delays = [later - earlier for earlier, later in pairwise(began)]
    assert delays == seconds(1, 2, 4, 8, 16, 32, 64, 64)
    sim.acknowledge_failures()


async def test_the_maximum_holds_for_the_first_delay_too(sim):
    """A minimum above the maximum is capped by it."""
    policy = ExponentialRetry(
        attempts=3, minimum_delay=timedelta(minutes=10), maximum_delay=timedelta(minutes=1)
    )
    await sim.docket.add(failing(policy))()

    await sim.run_until_idle()
    assert starts(sim) == seconds(0, 60, 120)
    sim.acknowledge_failures()


def test_a_maximum_that_is_no_power_of_two_is_kept_exactly():
    """The delay before it is the last that was doubled."""
    policy = ExponentialRetry(minimum_delay=SECOND, maximum_delay=timedelta(seconds=10))

    delays = [policy.delay_after(attempt, NoChance()) for attempt in range(1, 7)]

    assert delays == seconds(1, 2, 4, 8, 10, 10)


@pytest.mark.parametrize("attempt", [64, 1_000, 10_000])
@pytest.mark.parametrize("maximum", [timedelta(minutes=5), timedelta.max])
def test_delays_do_not_overflow(attempt, maximum):
    """At attempt 10,000 the doubled delay would fit no timedelta."""
    policy = ExponentialRetry.forever(minimum_delay=SECOND, maximum_delay=maximum)

    assert policy.attempts is None
    assert policy.delay_after(attempt, NoChance()) == maximum


def _jittered(seed: int) -> Simulation:
    policy = ExponentialRetry(attempts=5, minimum_delay=SECOND, jitter=0.5)
    with simulate(seed=seed) as sim:
        sim.run(sim.docket.add(failing(policy))())
        sim.run(sim.run_until_idle())
        sim.acknowledge_failures()
        return sim


def test_jitter_shortens_each_delay_by_chance_and_the_same_seed_repeats_it():
    """With 0.5, a delay of 8 seconds becomes one of 4 to 8."""
    first, again, other = starts(_jittered(1)), starts(_jittered(1)), starts(_jittered(2))

    assert first == again != other
    delays = [later - earlier for earlier, later in pairwise(first)]
    for delay, full in zip(delays, seconds(1, 2, 4, 8), strict=True):
        assert full / 2 <= delay < full


class NoChance(Entropy):
    """Entropy that must not be asked."""

    def __init__(self) -> None: ...

    def random(self) -> float:
        raise AssertionError("chance was asked, though there is no jitter")


def test_its_repr_tells_the_jitter_where_there_is_some():
    """Messages show policies: two that behave differently should not read the same."""
    assert repr(ExponentialRetry(attempts=2)) == (
        "ExponentialRetry(attempts=2, minimum_delay=0:00:01, maximum_delay=0:01:04)"
    )
    assert repr(ExponentialRetry(jitter=0.25)).endswith("maximum_delay=0:01:04, jitter=0.25)")
