"""What a search keeps from being heard: hundreds of runs a second have a lot to say."""

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path


@contextmanager
def silenced() -> Generator[None]:
    """Keep the engine's warnings out of the logs: in a search, faults are the usual case."""
    logger = logging.getLogger("docket_sim")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def unheard() -> Generator[None]:
    """Keep what scenarios print, hundreds of times a second, off stdout; and warnings as well."""
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), silenced():
        yield
