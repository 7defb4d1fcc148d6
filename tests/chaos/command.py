"""The command `python -m tests.chaos`: campaigns that last as long as one likes."""

import argparse
import asyncio
import logging
import time
from collections.abc import Sequence

from chaos.campaign import Setting, run_campaign
from chaos.figures import Report
from chaos.scenarios import SCENARIOS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run campaigns, print their figures, and return 1 if anything is wrong."""
    options = _options(arguments)
    logging.getLogger("docket_sim").setLevel(logging.CRITICAL)
    names = list(SCENARIOS) if options.scenario == "all" else [options.scenario]
    seconds = 60 * options.minutes / len(names)
    reports: list[Report] = []
    for name in names:
        setting = Setting(
            seconds, options.seed, options.workers, lease=options.lease, rate=options.rate
        )
        report = asyncio.run(run_campaign(SCENARIOS[name], setting, _tell))
        print(report.table(), flush=True)
        reports.append(report)
    failed = [report for report in reports if not report.passed]
    for report in failed:
        print(f"again: python -m tests.chaos --scenario {report.scenario} --seed {report.seed}")
    print("nothing lost" if not failed else f"{len(failed)} of {len(reports)} campaigns failed")
    return 1 if failed else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="for all scenarios together")
    parser.add_argument("--seed", type=int, default=None, help="else one is chosen, and shown")
    parser.add_argument("--workers", type=int, default=3, help="how many processes work")
    parser.add_argument("--lease", type=float, default=2, help="seconds that a claim lasts")
    parser.add_argument("--rate", type=float, default=50, help="orders a second")
    parser.add_argument("--scenario", choices=["all", *SCENARIOS], default="all")
    options = parser.parse_args(arguments)
    if options.seed is None:
        options.seed = int(time.time())
    return options


def _tell(progress: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {progress}", flush=True)
