"""One worker process of a campaign: `python -m chaos.worker_main --help`."""

import argparse
import asyncio
import logging
import signal
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from chaos.book import Book
from chaos.tasks import TASKS, write_to
from docket_sim import Docket, StoreUnavailable, Worker

_AGAIN = 0.1  # seconds, after the store could not be reached at first


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--docket", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--book", type=Path, required=True)
    parser.add_argument("--lease", type=float, required=True)
    parser.add_argument("--concurrency", type=int, default=10)
    return parser.parse_args()


async def _work(options: argparse.Namespace, book: Book) -> None:
    docket = Docket(options.docket, options.url, execution_ttl=timedelta(days=1), observers=[book])
    for task in TASKS:
        docket.register(task)
    async with docket:
        worker = Worker(
            docket,
            options.name,
            concurrency=options.concurrency,
            redelivery_timeout=timedelta(seconds=options.lease),
            reconnection_delay=timedelta(seconds=0.1),
            # A claim whose answer was lost counts as a delivery; here many are.
            max_deliveries=1_000,
        )
        async with worker:
            await worker.run_forever()


async def _work_until_stopped(options: argparse.Namespace) -> None:
    working = asyncio.current_task()
    assert working is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
    with Book(options.book) as book, suppress(asyncio.CancelledError):
        write_to(book)
        while True:
            try:
                await _work(options, book)
            except StoreUnavailable as error:
                logging.getLogger("chaos").warning("there is no store yet: %s", error)
                await asyncio.sleep(_AGAIN)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    # Of attempts the book tells; the loggers below this one have their say.
    logging.getLogger("docket_sim").addFilter(lambda _: False)
    asyncio.run(_work_until_stopped(_options()))
