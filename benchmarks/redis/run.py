"""Runs the cases in interleaved rounds, and prints the tables."""

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.case import CaseFailed
from benchmarks.machine import facts
from benchmarks.redis.bystanders import Usage
from benchmarks.redis.cases import Case, cases_of, floor_cases
from benchmarks.redis.catalogue import OURS, SYSTEMS, System
from benchmarks.redis.cores import pinned, share_out
from benchmarks.redis.environments import folder, interpreter, versions
from benchmarks.redis.extras import extra_cases
from benchmarks.redis.goals import goal_rows
from benchmarks.redis.report import floors_table, systems_table
from benchmarks.redis.server import NoServer, Server
from benchmarks.redis.setting import Setting
from benchmarks.table import table

_CASES = [
    *(case for system in SYSTEMS for case in cases_of(system)),
    *floor_cases(),
    *extra_cases(),
]
_SUBJECTS = list(dict.fromkeys(case.subject for case in _CASES))
_ABSENT = "not installed: python -m benchmarks.redis.environments"
_PEERS = {system.name for system in SYSTEMS} - {OURS}


@dataclass(slots=True)
class Findings:
    """What has been measured.

    Attributes:
        results: what each case has measured, once for each round.
        failures: why others have measured nothing, by the name of the case.
    """

    results: dict[str, list[dict[str, float]]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    subjects = options.only or [
        name for name in _SUBJECTS if not (options.no_peers and name in _PEERS)
    ]
    cores = share_out(pin=not options.no_pin)
    signal.signal(signal.SIGTERM, _end)  # as by hand: the server and the children do not stay
    try:
        with Server(cores.server) as server, pinned(cores.python):
            setting = Setting(server, cores, folder(), options.quick)
            print(f"{facts()}\n{server.version()}, {cores.describe()}", flush=True)
            findings = measure(setting, subjects, options.rounds)
    except NoServer as error:
        raise SystemExit(str(error)) from None
    print(f"\nmedians of {options.rounds} rounds (least-most), fresh processes for each case")
    if options.quick:
        print("--quick: few tasks, so that the figures say nothing")
    _show(setting, subjects, findings)
    if findings.failures:
        raise SystemExit(1)


def measure(setting: Setting, subjects: Sequence[str], rounds: int) -> Findings:
    """Each case once in each round, so that a slow minute of the machine meets all of them."""
    cases = [
        case
        for case in _CASES
        if case.subject in subjects and interpreter(case.environment, setting.environments)
    ]
    findings = Findings()
    for number in range(rounds):
        before = Usage.now(setting.server.process)
        round_trip = 1e6 * setting.server.client.round_trip()
        # Every other round backwards: who goes first takes turns.
        for case in cases if number % 2 == 0 else reversed(cases):
            if (case.once and number > 0) or case.name in findings.failures:
                continue
            _progress(f"round {number + 1} of {rounds}: {case.name}")
            _run(case, setting, findings)
        _progress("")
        after = Usage.now(setting.server.process)
        others = f"; {after.others_since(before)}" if before and after else ""
        print(f"round {number + 1}: a blocking round trip takes {round_trip:.1f} us{others}")
    return findings


def _run(case: Case, setting: Setting, findings: Findings) -> None:
    try:
        measured = case.run(setting)
    except CaseFailed as failure:
        findings.failures[case.name] = str(failure)
        findings.results.pop(case.name, None)
    else:
        findings.results.setdefault(case.name, []).append(measured)


def _show(setting: Setting, subjects: Sequence[str], findings: Findings) -> None:
    systems = [system for system in SYSTEMS if system.name in subjects]
    missing = {
        system.name: "not installed"
        for system in systems
        if interpreter(system.environment, setting.environments) is None
    }
    tables = [
        systems_table(systems, findings.results, missing) if systems else "",
        floors_table(findings.results),
    ]
    if rows := goal_rows(findings.results):
        tables.append(table(rows, findings.results))
    for text in filter(None, tables):
        print(f"\n{text}")
    print()
    for system in systems:
        print(_described(system, setting))
    if "floors" in subjects and interpreter("floors", setting.environments) is None:
        print(f"floors: {_ABSENT}")
    for name, why in findings.failures.items():
        print(f"\nFAILED: {name}: {why}")


def _described(system: System, setting: Setting) -> str:
    python = interpreter(system.environment, setting.environments)
    if python is None:
        return f"{system.name}: {_ABSENT}"
    packages = ", ".join(f"{name} {version}" for name, version in versions(python).items())
    return f"{system.name} ({packages}): {system.configuration}"


def _end(*_: object) -> None:
    raise SystemExit("terminated")


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.redis", description=__doc__)
    parser.add_argument("--rounds", type=_at_least_one, default=3, help="rounds (default 3)")
    parser.add_argument("--quick", action="store_true", help="few tasks: to see whether it runs")
    parser.add_argument(
        "--only", nargs="+", choices=_SUBJECTS, metavar="NAME", help=f"of {', '.join(_SUBJECTS)}"
    )
    parser.add_argument("--no-peers", action="store_true", help="docket-sim and the floors only")
    parser.add_argument(
        "--no-pin",
        action="store_true",
        help="let the server and Python share cores: to see why not",
    )
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number
