"""The messages for a number of matches that is not the expected one."""

from collections.abc import Sequence

from docket_sim.assertions.evidence import Evidence
from docket_sim.assertions.expectation import RETRIED, Expectation
from docket_sim.assertions.history import Run
from docket_sim.assertions.values import raised
from docket_sim.assertions.wording import Lines, composed, listed, times_in_words
from docket_sim.entropy import short_key


def too_many(
    expectation: Expectation, evidence: Evidence, matches: Sequence[Run], times: int | None
) -> str:
    """The message for more, or fewer, matches than were expected."""
    kind, call = expectation.kind, repr(expectation.call)
    expected = "once" if times is None else times_in_words(times)
    verdict = f"{call} {kind.says} {times_in_words(len(matches))}, expected {expected}"
    if kind is RETRIED:  # how often each of them was is another number
        verdict = f"{len(matches)} executions of {call} {_retried(expectation)}, expected one"
    rows = [
        f"{evidence.describe(run)}   {evidence.status(run)}, key {short_key(run.call.key)}, "
        f"{evidence.scheduler(run)}"
        for run in matches
    ]
    way_out = (
        f"times={len(matches)} expects that many, and returns a list;\nor narrow it down: "
        f"call({expectation.call.name}, ...), key=..."
        if kind is not RETRIED
        else f"narrow it down: call({expectation.call.name}, ...), key=..."
    )
    lines: Lines = [
        ("now", evidence.present()),
        ("found", listed(rows)),
        ("next due", evidence.next_due()),
    ]
    if times is None:
        lines.append(("say", way_out))
    return composed(verdict, lines)


def unexpected(expectation: Expectation, evidence: Evidence, matches: Sequence[Run]) -> str:
    """The message for runs that were not to be there."""
    verdict = f"{expectation.call!r} {expectation.kind.says}, expected that it is not"
    return _there(verdict, evidence, matches)


def undecided(
    expectation: Expectation, evidence: Evidence, runs: Sequence[Run], error: Exception
) -> str:
    """The message for runs of which nobody knows whether they are what is looked for."""
    kind, call = expectation.kind, expectation.call
    verdict = f"whether {call!r} {kind.says} cannot be told: {raised(error)}"
    rows = [
        f"{evidence.describe(run)}   {evidence.status(run)}\n"
        + "".join(f"  {one}\n" for one in call.differences(evidence.arguments(run.call)))
        + f"  key {short_key(run.call.key)}, {evidence.scheduler(run)}"
        for run in runs
    ]
    return composed(verdict, [("now", evidence.present()), ("found", listed(rows))])


def something(evidence: Evidence, matches: Sequence[Run]) -> str:
    """The message for work that waits although nothing was to."""
    count = "an execution is" if len(matches) == 1 else f"{len(matches)} executions are"
    return _there(f"{count} scheduled, expected nothing", evidence, matches)


def _there(verdict: str, evidence: Evidence, matches: Sequence[Run]) -> str:
    rows = [
        f"{evidence.describe(run)}   {evidence.status(run)}\n"
        f"  key {short_key(run.call.key)}, {evidence.scheduler(run)}"
        for run in matches
    ]
    return composed(
        verdict,
        [
            ("now", evidence.present()),
            ("found", listed(rows)),
            ("next due", evidence.next_due()),
        ],
    )


def _retried(expectation: Expectation) -> str:
    if expectation.unretried:
        return "were not retried"
    if expectation.retries is not None:
        return f"were retried {times_in_words(expectation.retries)}"
    return "were retried"
