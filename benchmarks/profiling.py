"""Where the time of one case goes, by cProfile."""

import cProfile
import pstats

from benchmarks.case import load

_SHOWN = 40


def profile(name: str) -> None:
    """Run a case twice in this process, the second time under the profiler, and print its findings.

    The profiler makes calls dear: trust the order and the counts, not the seconds.
    """
    run = load(name)
    print(f"{name}, unprofiled: {run()}\n")
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        run()
    finally:
        profiler.disable()
    stats = pstats.Stats(profiler)
    for order in ("tottime", "cumulative"):
        print(f"--- {name}, by {order}")
        stats.sort_stats(order).print_stats(_SHOWN)
