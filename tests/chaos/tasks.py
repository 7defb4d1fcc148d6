"""What the workers of a campaign run. Each body notes when it begins and how it ends."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count

from chaos.book import Book
from docket_sim import CurrentDocket, CurrentExecution, Docket, Execution, Retry

_DELAY = timedelta(milliseconds=80)
_numbers = count(1)
_books: list[Book] = []


class Unlucky(Exception):
    """What a body raises whose lot it is to fail."""


def write_to(book: Book) -> None:
    """From now on, bodies in this process note what they do there."""
    _books[:] = [book]


@contextmanager
def body(execution: Execution, asked: float) -> Iterator[str]:
    """Note the run of a body, which gets a name that no other run has."""
    [book] = _books
    run = f"{os.getpid()}-{next(_numbers)}"
    call, worker = execution.call, execution.worker or "?"
    book.note("begin", call, worker, run=run, due=call.when.timestamp(), asked=asked)
    try:
        yield run
    except asyncio.CancelledError:
        book.note("cut off", call, worker, run=run)
        raise
    except Exception as error:
        book.note("raised", call, worker, run=run, error=repr(error))
        raise
    book.note("returned", call, worker, run=run)


async def quick(asked: float, execution: Execution = CurrentExecution()) -> str:
    """Return at once.

    Like all others, it is told when it was asked to run, and returns the name of this run.
    """
    with body(execution, asked) as run:
        return run


async def slow(asked: float, seconds: float, execution: Execution = CurrentExecution()) -> str:
    """Take some time, which may be longer than a lease."""
    with body(execution, asked) as run:
        await asyncio.sleep(seconds)
        return run


async def flaky(
    asked: float,
    failures: int,
    execution: Execution = CurrentExecution(),
    retry: Retry = Retry(attempts=4, delay=_DELAY),
) -> str:
    """Fail so many times, and succeed then."""
    with body(execution, asked) as run:
        if execution.attempt <= failures:
            raise Unlucky(f"failure {execution.attempt} of {failures}")
        return run


async def hopeless(
    asked: float,
    execution: Execution = CurrentExecution(),
    retry: Retry = Retry(attempts=3, delay=_DELAY),
) -> str:
    """Fail as often as it may."""
    with body(execution, asked):
        raise Unlucky("always")


async def parent(
    asked: float,
    child: str,
    execution: Execution = CurrentExecution(),
    docket: Docket = CurrentDocket(),
    retry: Retry = Retry.forever(delay=_DELAY),
) -> str:
    """Schedule a call with a key of its own; without an answer from the store, try again."""
    with body(execution, asked) as run:
        await docket.add(quick, key=child)(asked=0.0)
        return run


TASKS = (quick, slow, flaky, hopeless, parent)
BUDGETS = {"quick": 1, "slow": 1, "flaky": 4, "hopeless": 3, "parent": None}
"""How many attempts there may be at each task; `None` for any number."""
