"""Runs the cases in interleaved rounds, and prints one table."""

import argparse
import sys
from collections.abc import Sequence

from benchmarks.case import CASES, CaseFailed, measure
from benchmarks.machine import facts
from benchmarks.profiling import profile
from benchmarks.rows import ROWS, Row
from benchmarks.table import growth_note, table, yardstick_note

_GROUPS = list(dict.fromkeys(row.group for row in ROWS))


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    if options.profile is not None:
        profile(options.profile)
        return
    rows = [row for row in ROWS if not options.only or row.group in options.only]
    print(facts(), flush=True)
    try:
        results = _run(rows, options.rounds)
    except CaseFailed as failure:
        raise SystemExit(str(failure)) from None
    print(f"medians of {options.rounds} rounds (least-most), a fresh process for each case\n")
    print(table(rows, results))
    print(f"\n{yardstick_note(results)}")
    if growth := growth_note(results):
        print(growth)


def _run(rows: Sequence[Row], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Each case once in each round, so that a slow minute of the machine meets all of them."""
    cases = ["yardstick", *dict.fromkeys(case for row in rows for case in row.cases)]
    results: dict[str, list[dict[str, float]]] = {case: [] for case in cases}
    for number in range(rounds):
        # Every other round backwards: who goes first takes turns.
        for case in cases if number % 2 == 0 else reversed(cases):
            _progress(f"round {number + 1} of {rounds}: {case}")
            results[case].append(measure(case))
    _progress("")
    return results


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=_at_least_one, default=3, help="rounds (default 3)")
    parser.add_argument(
        "--only", nargs="+", choices=_GROUPS, metavar="ROW", help=f"of {', '.join(_GROUPS)}"
    )
    parser.add_argument(
        "--profile", choices=list(CASES), metavar="CASE", help=f"of {', '.join(CASES)}"
    )
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number
