"""A test with hypothesis whose every example builds a world, beside one whose body is empty."""

import statistics
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.measure import took


def milliseconds_each(
    example: Callable[[int], None], count: int, batches: int = 1
) -> dict[str, float]:
    """What one of `count` examples costs.

    Returns:
        whole: all of it; own: hypothesis's own share, which is what the same test costs whose body
        is empty, run right before it; ms: the difference of the two. Medians of the batches.
    """
    example(1)
    _milliseconds(_nothing, count)
    pairs = [
        (_milliseconds(_nothing, count), _milliseconds(example, count)) for _ in range(batches)
    ]
    return {
        "ms": statistics.median(whole - own for own, whole in pairs),
        "own": statistics.median(own for own, _ in pairs),
        "whole": statistics.median(whole for _, whole in pairs),
    }


def _nothing(amount: int) -> None:
    """Do nothing: what is left is hypothesis."""


def _milliseconds(example: Callable[[int], None], count: int) -> float:
    ran = 0

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(amount=st.integers(0, 1_000_000))
    def test(amount: int) -> None:
        nonlocal ran
        ran += 1
        example(amount)

    elapsed = took(test)
    assert ran == count, ran
    return 1_000 * elapsed / ran
