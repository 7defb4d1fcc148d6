"""Strategies of the policies that come with docket-sim."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from docket_sim.dependencies import ExponentialRetry, Retry, Timeout
from docket_sim.strategies.durations import durations

_PERCENT = 100


def retry_policies(
    *,
    min_attempts: int = 1,
    max_attempts: int | None = 8,
    min_delay: timedelta = timedelta(0),
    max_delay: timedelta = timedelta(hours=1),
    jitter: bool = True,
) -> SearchStrategy[Retry]:
    """Retry policies, `Retry` and `ExponentialRetry`; the simplest is `Retry(min_attempts)`.

    Args:
        min_attempts: the fewest runs that one may allow.
        max_attempts: the most; `None` also draws policies that never give up, and budgets up to
            20 runs more than `min_attempts`.
        min_delay: no delay is shorter, short of what jitter takes off.
        max_delay: no delay is longer.
        jitter: whether an `ExponentialRetry` may have any.

    Raises:
        ValueError: bounds in the wrong order, fewer attempts than 1, or a negative delay.
    """
    Retry(min_attempts)  # refuses what is no number of attempts
    if max_attempts is not None and max_attempts < min_attempts:
        raise ValueError(
            f"max_attempts must be at least min_attempts, {min_attempts}, found {max_attempts}"
        )
    attempts: SearchStrategy[int | None]
    if max_attempts is None:
        attempts = st.integers(min_attempts, min_attempts + 20) | st.none()
    else:
        attempts = st.integers(min_attempts, max_attempts)
    delays = durations(min_delay, max_delay)
    percents = st.integers(0, _PERCENT) if jitter else st.just(0)
    return st.one_of(
        st.builds(Retry, attempts=attempts, delay=delays),
        st.builds(_exponential, attempts, delays, delays, percents),
    )


def timeouts(
    *,
    shortest: timedelta = timedelta(seconds=1),
    longest: timedelta = timedelta(hours=1),
) -> SearchStrategy[Timeout]:
    """Timeouts; the simplest is the shortest.

    Args:
        shortest: the shortest limit, longer than zero.
        longest: the longest.

    Raises:
        ValueError: bounds in the wrong order, or a limit of zero or less.
    """
    Timeout(shortest)  # refuses what is no limit
    return durations(shortest, longest).map(Timeout)


def _exponential(
    attempts: int | None, one: timedelta, other: timedelta, percent: int
) -> ExponentialRetry:
    return ExponentialRetry(attempts, min(one, other), max(one, other), jitter=percent / _PERCENT)
