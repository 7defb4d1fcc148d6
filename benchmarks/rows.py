"""The rows of the table: what is compared with what, and what is to be reached."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks import workload

Results = Mapping[str, Sequence[Mapping[str, float]]]
"""What each case has measured, once for each round."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of one case.

    Attributes:
        case: the case's name.
        metric: which of its numbers.
    """

    case: str
    metric: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        group: what `--only` selects it by.
        work: what is done, in words.
        unit: `ms`, `s`, `/s` or `bytes`.
        ours: what docket-sim needs for it.
        peer: who else does it, in words.
        theirs: what the peer needs for it, or `None` where that cannot be measured.
        goal: what is to be reached: at most so much, or at least so much where more is better.
        instead: what stands in the peer's place when nothing was measured.
    """

    group: str
    work: str
    unit: str
    ours: Measured
    peer: str = "pydocket"
    theirs: Measured | None = None
    goal: float | None = None
    instead: str = field(default="-", kw_only=True)

    @property
    def more_is_better(self) -> bool:
        """Whether this is a rate."""
        return self.unit == "/s"

    @property
    def cases(self) -> list[str]:
        """The cases that the row needs."""
        return [self.ours.case, *([self.theirs.case] if self.theirs else [])]


def _growth(work: str, unit: str, metric: str) -> list[Row]:
    return [
        Row(
            "growth",
            work.format(size),
            unit,
            Measured(f"growth-{short}", metric),
            theirs=Measured(f"growth-{short}-pydocket", metric) if compared else None,
            instead="not run: minutes",
        )
        for size, short, compared in (
            ("1,000", "1k", True),
            ("10,000", "10k", True),
            ("100,000", "100k", False),
        )
    ]


_FIXTURE = Measured("fixture-pydocket", "ms")
_EXAMPLES = Measured("examples-pydocket", "ms")
_THROUGHPUT = f"{workload.TASKS:,} no-op tasks, concurrency {workload.CONCURRENCY}"
_SLEEPERS = f"{workload.SLEEPERS:,} concurrent sleepers on the loop"

ROWS: list[Row] = [
    Row("fixture", "fixture + one task", "ms", Measured("fixture", "ms"), theirs=_FIXTURE, goal=2),
    Row(
        "fixture",
        "fixture + one task, the user's clock frozen",
        "ms",
        Measured("fixture-frozen", "ms"),
        theirs=_FIXTURE,
        goal=5,
    ),
    *(
        Row(
            "throughput",
            f"{_THROUGHPUT}: {verb}",
            "/s",
            Measured("throughput", metric),
            theirs=Measured("throughput-pydocket", metric),
            goal=goal,
        )
        for verb, metric, goal in (
            ("add", "add", None),
            ("run", "run", None),
            ("add and run", "both", 15_000),
        )
    ),
    Row(
        "retry",
        f"Retry(attempts={workload.ATTEMPTS}, delay=1 s) to its end",
        "s",
        Measured("retry", "seconds"),
        theirs=Measured("retry-pydocket", "seconds"),
        goal=0.005,
    ),
    Row(
        "perpetual",
        f"an hourly perpetual for a year ({workload.RUNS:,} runs)",
        "s",
        Measured("perpetual", "seconds"),
        goal=1,
        instead="a year: not run",
    ),
    Row(
        "sleepers",
        _SLEEPERS,
        "/s",
        Measured("sleepers", "per_second"),
        "looptime",
        Measured("sleepers-looptime", "per_second"),
        100_000,
    ),
    Row(
        "sleepers",
        _SLEEPERS,
        "/s",
        Measured("sleepers", "per_second"),
        "async-solipsism",
        Measured("sleepers-async-solipsism", "per_second"),
        100_000,
    ),
    *_growth("{} tasks, add and run", "/s", "both"),
    *_growth("{} tasks, peak memory for each", "bytes", "bytes"),
    Row(
        "examples",
        "an example in @given: hypothesis's own share, left out below",
        "ms",
        Measured("examples-empty", "own"),
        "-",
    ),
    Row(
        "examples",
        "a fresh world per example, the user's clock frozen",
        "ms",
        Measured("examples-empty", "ms"),
        "-",
        goal=1,
    ),
    Row(
        "examples",
        "the same, and one task",
        "ms",
        Measured("examples-frozen", "ms"),
        theirs=_EXAMPLES,
    ),
    Row(
        "examples",
        "the same, and one task, freeze=False",
        "ms",
        Measured("examples", "ms"),
        theirs=_EXAMPLES,
    ),
    Row(
        "plugin",
        "plugin: added to pytest's start",
        "ms",
        Measured("plugin", "ms"),
        "-",
        goal=10,
    ),
]
