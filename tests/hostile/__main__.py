"""A long campaign against the engine: `cd tests && python -m hostile --runs 20000`."""

import argparse
import sys

from docket_sim import FailureFound, explore
from docket_sim.search.report import summary
from hostile.scenarios import everything
from hostile.test_hostile import KINDS, LONG


def main() -> int:
    """Search, print what was seen, and say whether each kind of fault has happened."""
    parser = argparse.ArgumentParser(prog="python -m hostile", description=__doc__)
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--store", default="memory", help="memory, fakeredis, or a URL")
    parser.add_argument("--workers", type=int, default=2)
    said = parser.parse_args()
    try:
        seen = explore(
            everything,
            runs=said.runs,
            seed=said.seed,
            store=said.store,
            workers=said.workers,
            faults="hostile",
            execution_ttl=LONG,
        )
    except FailureFound as failure:
        print(failure)
        return 1
    print(summary(seen))
    print(seen.coverage)
    missing = KINDS - set(seen.faults)
    if missing:
        print(f"never happened: {', '.join(sorted(missing))}: nothing was shown of these")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
