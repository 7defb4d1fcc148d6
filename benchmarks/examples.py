"""A test with hypothesis whose every example builds a world."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from benchmarks.measure import took


def milliseconds_each(example: Callable[[int], None], count: int) -> float:
    """What one of `count` examples costs, hypothesis's own share included."""
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

    example(1)
    elapsed = took(test)
    assert ran == count, ran
    return 1_000 * elapsed / ran
