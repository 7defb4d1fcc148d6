"""Failures on purpose, without their log."""

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def silenced(work: Callable[P, R]) -> Callable[P, R]:
    """`work` without anything logged."""

    @functools.wraps(work)
    def quietly(*args: P.args, **kwargs: P.kwargs) -> R:
        logging.disable(logging.CRITICAL)
        try:
            return work(*args, **kwargs)
        finally:
            logging.disable(logging.NOTSET)

    return quietly
