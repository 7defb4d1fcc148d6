"""`check_retry_policy`: the properties of a retry policy, tried out under many scripts."""

import copy
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar, cast

import hypothesis
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from docket_sim.clock.durations import short
from docket_sim.dependencies import Retry
from docket_sim.simulation import ScriptedOutcome
from docket_sim.strategies.properties import Terms, Violation, violations
from docket_sim.strategies.scripts import failure_scripts
from docket_sim.strategies.trial import LIMIT, Trial, Try, put_through

_REACHED = 10
"""How many attempts a trial goes through one by one; those further on are looked at singly."""

_FAR = 10_000
_CHANCES = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1 - 2**-53])
_T = TypeVar("_T")
_SETTINGS = hypothesis.settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
    print_blob=False,
    report_multiple_bugs=False,
)


class _Broken(AssertionError):
    """A property does not hold."""


def check_retry_policy(
    policy: Retry | SearchStrategy[Retry],
    *,
    attempts: int | None = None,
    maximum_delay: timedelta | None = None,
    total_delay: timedelta | None = None,
    jitter: float | None = None,
    monotone: bool = True,
    gives_up: bool = False,
    errors: Sequence[type[Exception]] = (ConnectionError,),
    settings: hypothesis.settings | None = None,
) -> None:
    """Check that a retry policy keeps what it promises, on the real engine and in virtual time.

        def test_fibonacci():
            check_retry_policy(Fibonacci(attempts=6), maximum_delay=timedelta(minutes=5))

    Hypothesis makes up the scripts: attempts that fail at once, late, or hang until they are
    timed out, until one succeeds or the budget is used up. The simplest that breaks the policy is
    reported, as a value and as a run.
    These must hold, in this order:

    - `decides`: it raises nothing, not after attempt 10,000 either, and no delay is negative.
    - `independent`: executions that go through the same wait equally long. One instance serves them
      all, so a policy must keep nothing of an attempt in itself, and take its chances from the
      `entropy` that it is given.
    - `ends_on_success`: after an attempt that succeeds, there is no other.
    - `budget`: there are no more attempts than it allows.
    - `persistent`: an execution that keeps failing uses the whole budget.
    - `not_early`: a retry does not begin before the delay decided on, the `delay` that the task's
      body sees, has passed since the failure.
    - `capped`: no delay is longer than `maximum_delay`.
    - `monotone`: with the same chances, no delay is shorter than the one before.
    - `total`: the delays of an execution add up to no more than `total_delay`.
    - `jitter`: chance takes no more off the longest delay of an attempt than `jitter` says.

    Args:
        policy: the policy, which is copied for each script, or a strategy of policies.
        attempts: its budget; by default what its `attempts` says, where `None` is no limit.
        maximum_delay: its longest delay; by default its attribute of that name. If it has none,
            delays are not `capped`.
        total_delay: the longest that all delays of an execution may be together; by default they
            are not looked at.
        jitter: how much of an attempt's longest delay is left to chance, from 0 to 1; by default
            its attribute of that name, or 0: it depends on nothing but the attempt.
        monotone: whether delays never shrink.
        gives_up: whether it may give up early, say because of an error: then it need not be
            `persistent`.
        errors: classes of what attempts fail with, made without arguments, the simplest first.
        settings: hypothesis's; by default 40 scripts, the same in every run.

    Raises:
        AssertionError: a property does not hold. The message names it and says what was expected,
            what was found, and what the run was.
        TypeError: `policy` is neither a `Retry` nor a strategy of them, or cannot be copied.
        SimulationError: it was called on a running event loop, as in an async test.
        ValueError: a jitter outside of 0 to 1, a budget below 1, a negative duration, no errors.
    """
    __tracebackhide__ = True
    _refuse_nonsense(attempts, maximum_delay, total_delay, jitter, errors)

    def terms_of(one: Retry) -> Terms:
        return Terms(
            attempts=one.attempts if attempts is None else attempts,
            maximum_delay=_own(one, "maximum_delay", maximum_delay, timedelta),
            total_delay=total_delay,
            jitter=_own(one, "jitter", jitter, float) or 0.0,
            monotone=monotone,
            gives_up=gives_up,
            expected_errors=(*errors, TimeoutError),
        )

    manners = failure_scripts(max_size=3, errors=errors, succeeds=False, longest=1.5 * LIMIT)

    @hypothesis.settings(settings or _SETTINGS)
    @hypothesis.given(trial=_trials(_policies(policy), attempts, manners))
    def keeps_its_promises(trial: Trial) -> None:
        terms = terms_of(trial.policy)
        name = repr(trial.policy)  # before it is put to work
        for violation in violations(terms, put_through(trial, errors[0])):
            raise _Broken(_told(name, violation))

    try:
        keeps_its_promises()
    except _Broken as error:
        raise AssertionError(str(error)) from None  # what hypothesis adds repeats it in its words


def _policies(policy: object) -> SearchStrategy[Retry]:
    if isinstance(policy, Retry):
        _refuse_uncopyable(policy)
        return st.just(policy).map(copy.deepcopy)
    if isinstance(policy, SearchStrategy):
        return cast("SearchStrategy[Retry]", policy)
    raise TypeError(f"expected a Retry, or a strategy of them, found {policy!r}")


def _refuse_uncopyable(policy: Retry) -> None:
    try:
        copy.deepcopy(policy)
    except Exception as error:
        raise TypeError(
            f"expected a policy that can be copied, so that no script sees what another has left "
            f"in it, found one that cannot: {error}. Give a strategy that makes one: "
            f"st.builds({type(policy).__name__}, ...)"
        ) from error


@st.composite
def _trials(
    draw: DrawFn,
    policies: SearchStrategy[Retry],
    attempts: int | None,
    manners: SearchStrategy[list[ScriptedOutcome]],
) -> Trial:
    policy = draw(policies)
    if not isinstance(policy, Retry):
        raise TypeError(f"expected a strategy of Retry policies, one of them is {policy!r}")
    budget = policy.attempts if attempts is None else attempts
    reached = _reached(budget)
    edges = _edges(budget, reached)
    if edges:
        edges = (draw(st.integers(reached + 1, edges[0])), *edges)
    return Trial(
        policy=policy,
        failing=draw(st.integers(0, reached)),
        manners=tuple(draw(manners)),
        chance=draw(_CHANCES),
        other_chance=draw(_CHANCES),
        edges=edges,
    )


def _reached(budget: int | None) -> int:
    """How many attempts fail at most: one more than there may be, if that is not too many."""
    return _REACHED if budget is None or budget > _REACHED + 1 else budget + 1


def _edges(budget: int | None, reached: int) -> tuple[int, ...]:
    """The attempts at which a policy that is out of reach shows whether it keeps its budget."""
    if budget is None:
        return (_FAR,)
    return (budget - 1, budget) if budget > reached else ()


def _own(policy: Retry, name: str, given: _T | None, kind: type[_T]) -> _T | None:
    """What was said of a policy, or what it says itself."""
    if given is not None:
        return given
    value = getattr(policy, name, None)
    return value if isinstance(value, kind) else None


def _refuse_nonsense(
    attempts: int | None,
    maximum_delay: timedelta | None,
    total_delay: timedelta | None,
    jitter: float | None,
    errors: Sequence[type[Exception]],
) -> None:
    Retry(attempts)  # refuses what is no budget
    for name, value in (("maximum_delay", maximum_delay), ("total_delay", total_delay)):
        if value is not None and value < timedelta(0):
            raise ValueError(f"{name} must not be negative, found {value}")
    if jitter is not None and not 0 <= jitter <= 1:
        raise ValueError(f"jitter must be from 0 to 1, found {jitter}")
    if not errors:
        raise ValueError("attempts need an error to fail with; errors is empty")


def _told(policy: str, violation: Violation) -> str:
    lines = [
        f"{policy} breaks {str(violation.broken)!r}: {violation.broken.value}.",
        "",
        f"  expected  {violation.expected}",
        f"  found     {violation.found}",
    ]
    for run in violation.runs:
        lines += ["", f"  a run in which every draw gives {run.chance:g}"]
        width = max((len(short(one.began)) for one in run.tries), default=0) + 1
        lines += [
            f"    {'+' + short(one.began):>{width}}  attempt {one.number} {_end(one)}"
            for one in run.tries
        ]
        lines += [f"    by itself, attempt {one.number} {_end(one)}" for one in run.edges]
    return "\n".join(lines)


def _end(one: Try) -> str:
    if one.ended is None:
        return "did not end"
    if one.succeeded:
        return "succeeded"
    after = f"failed after {short(one.ended - one.began)}" if one.ended > one.began else "failed"
    return after if one.wait is None else f"{after}, then {short(one.wait)} passed"
