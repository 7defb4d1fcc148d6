"""Processes that make the shares of a search: fresh interpreters, each with its own hash seed."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Self, cast

from docket_sim.errors import SimulationError
from docket_sim.search.account import Account
from docket_sim.search.explore import Search
from docket_sim.search.shares import Errand, Maker, Part, Share
from docket_sim.search.silence import unheard
from docket_sim.simulation.choices import Choices
from docket_sim.simulation.faults.rules import Faults

_Line = Any  # the generic arguments of Connection are younger than Python 3.11


class Processes:
    """Some processes, while the context is open."""

    def __init__(self, count: int, errand: Errand) -> None:
        """
        Args:
            count: how many.
            errand: what they are told once.
        """
        context = multiprocessing.get_context("spawn")
        self._busy: dict[_Line, Share] = {}
        self._idle: list[_Line] = []
        self._processes: dict[_Line, BaseProcess] = {}
        for number in range(count):
            here, there = context.Pipe()
            process = context.Process(
                target=_serve, args=(there, errand), name=f"explore-{number + 1}", daemon=True
            )
            process.start()
            there.close()
            self._processes[here] = process
            self._idle.append(here)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End them, whatever they are at."""
        for line, process in self._processes.items():
            process.terminate()
            process.join()
            line.close()

    def parts(self, next_share: Callable[[], Share | None]) -> Iterator[Part]:
        """What came of the shares, in their order; each idle process gets the next one.

        Raises:
            SimulationError: a process has ended.
        """
        handed: deque[Share] = deque()
        made: dict[Share, Part] = {}
        while True:
            while self._idle and (share := next_share()) is not None:
                line = self._idle.pop()
                with self._alive(line):
                    line.send(share)
                self._busy[line] = share
                handed.append(share)
            if not handed:
                return
            made.update(self._received())
            while handed and handed[0] in made:
                yield made.pop(handed.popleft())

    def _received(self) -> Iterator[tuple[Share, Part]]:
        for line in cast("list[_Line]", wait(list(self._busy))):
            share = self._busy.pop(line)
            with self._alive(line):
                part: Part = line.recv()
            yield share, part
            self._idle.append(line)

    @contextmanager
    def _alive(self, line: _Line) -> Generator[None]:
        """Say so if there is nobody any more at the other end of the line."""
        try:
            yield
        except (EOFError, ConnectionError):
            process = self._processes[line]
            process.join()
            raise SimulationError(
                f"expected the process {process.name} to make its runs, but it has ended with code "
                f"{process.exitcode}. Search in one process, to see what the scenario does to it."
            ) from None


def _serve(line: _Line, errand: Errand) -> None:
    """Make shares until nobody wants any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; one decides
    with unheard():
        faults = Faults.of(errand.world.get("faults"))
        search = Search(errand.load(), {**errand.world, "faults": faults})
        first = search.attempt(Choices())
        default: Account | None = Account.of(first)
        maker = Maker(search, errand, first)
        while True:
            try:
                share: Share = line.recv()
            except EOFError:
                return
            line.send(replace(maker.make(share), default=default))
            default = None
