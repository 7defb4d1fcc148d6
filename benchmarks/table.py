"""The table as text: medians of the rounds with the least and the most, ratios and goals."""

import statistics
from collections.abc import Sequence

from benchmarks import workload
from benchmarks.rows import Measured, Results, Row

LINEAR = 1.25
"""By how much the cost of one task may grow over a hundredfold work before it counts as growth."""

_HEADER = ("work", "docket-sim", "peer", "its figure", "ratio", "goal", "met")


def table(rows: Sequence[Row], results: Results) -> str:
    """The rows, aligned, in the form of a Markdown table."""
    lines = [_HEADER, *(_line(row, results) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    text = [_joined(line, widths) for line in lines]
    rule = "|".join("-" * (width + 2) for width in widths)
    return "\n".join([text[0], f"|{rule}|", *text[1:]])


def growth_note(results: Results) -> str:
    """How the cost of one task grows with the number of tasks, or nothing if that was not run."""
    notes: list[str] = []
    for name, suffix, sizes in (
        ("docket-sim", "", ("1k", "10k", "100k")),
        ("pydocket", "-pydocket", ("1k", "10k")),
    ):
        cases = [f"growth-{size}{suffix}" for size in sizes]
        if all(results.get(case) for case in cases):
            costs = [1 / median(Measured(case, "both"), results) for case in cases]
            times = ", ".join(
                f"{size} {cost / costs[0]:.2f}" for size, cost in zip(sizes, costs, strict=True)
            )
            verdict = "linear" if costs[-1] / costs[0] <= LINEAR else "NOT LINEAR"
            notes.append(f"{name}: cost of a task relative to that of 1k: {times}: {verdict}")
    return "\n".join(notes)


def yardstick_note(results: Results) -> str:
    """How fast the machine was, by what asyncio itself did on it."""
    spread = _spread(Measured("yardstick", "per_second"), "/s", results)
    return f"yardstick: {workload.SLEEPERS:,} no-op tasks gathered on asyncio's own loop: {spread}"


def median(measured: Measured, results: Results) -> float:
    """The median over the rounds."""
    return statistics.median(_values(measured, results))


def _line(row: Row, results: Results) -> tuple[str, ...]:
    ours = median(row.ours, results)
    theirs = median(row.theirs, results) if row.theirs else None
    return (
        row.work,
        _spread(row.ours, row.unit, results),
        row.peer,
        _spread(row.theirs, row.unit, results) if row.theirs else row.instead,
        "-" if theirs is None else _ratio(row, ours, theirs),
        _goal(row),
        _met(row, ours),
    )


def _values(measured: Measured, results: Results) -> list[float]:
    return [numbers[measured.metric] for numbers in results[measured.case]]


def _spread(measured: Measured, unit: str, results: Results) -> str:
    values = _values(measured, results)
    middle = _amount(statistics.median(values), unit)
    return f"{middle} ({_number(min(values))}-{_number(max(values))})"


def _ratio(row: Row, ours: float, theirs: float) -> str:
    if min(ours, theirs) <= 0:
        return "-"
    times = ours / theirs if row.more_is_better else theirs / ours
    better = {"/s": "more", "bytes": "less"}.get(row.unit, "faster")
    return f"{_number(times)} x {better}"


def _goal(row: Row) -> str:
    if row.goal is None:
        return "-"
    sign = "≥" if row.more_is_better else "≤"
    return f"{sign} {_amount(row.goal, row.unit)}"


def _met(row: Row, ours: float) -> str:
    if row.goal is None:
        return "-"
    met = ours >= row.goal if row.more_is_better else ours <= row.goal
    return "yes" if met else "NO"


def _amount(value: float, unit: str) -> str:
    return f"{_number(value)} {unit}"


def _number(value: float) -> str:
    size = abs(value)  # a difference that is lost in the noise may come out negative
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if size >= 0.1 else f"{value:.4f}"


def _joined(line: tuple[str, ...], widths: list[int]) -> str:
    cells = (f" {cell:<{width}} " for cell, width in zip(line, widths, strict=True))
    return f"|{'|'.join(cells)}|"
