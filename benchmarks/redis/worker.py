"""A worker in a process of its own: `python -m benchmarks.redis.worker SYSTEM URL`."""

import argparse
import asyncio
import logging
import threading
from functools import partial

from benchmarks.redis.child import say_ready, say_result
from benchmarks.redis.sink import Sink
from benchmarks.redis.systems import adapter_of


def main() -> None:
    options = _parser().parse_args()
    logging.basicConfig(level=logging.WARNING)
    sink = Sink(options.expect, warm_up=options.warm_up)

    def ready() -> None:
        say_ready()
        sink.start()

    async def work() -> None:
        adapter = adapter_of(options.system, options.url, sink)
        await adapter.work(ready, until_finished=options.until_finished)

    report = partial(sink.report_and_exit, say_result, finishes=options.until_finished)
    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    asyncio.run(work())
    sink.returned()
    reporter.join()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system")
    parser.add_argument("url")
    parser.add_argument("--expect", type=int, default=0, help="how many tasks will run")
    parser.add_argument("--warm-up", type=int, default=0)
    parser.add_argument("--until-finished", action="store_true", help="end when nothing is left")
    return parser


if __name__ == "__main__":
    main()
