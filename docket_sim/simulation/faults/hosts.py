"""The machines that a simulation's workers run on: each can lose power, stand still and go on.

What a machine runs is told by a context variable, which tasks, callbacks and timers inherit. A
virtual loop asks `Hosts.admits` before it runs anything, once a machine is not simply running:

- A machine without power runs nothing any more. That is a crash as a power cut makes it: its code
  stops where it stands, and no `finally` block repairs what it leaves behind; to cancel its tasks
  would run them all.
- A machine that stands still runs later, in the same order, what should have run meanwhile: as
  after a long collection of garbage, or a virtual machine that was moved.
"""

import asyncio
import contextlib
import inspect
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from pathlib import PurePath
from types import FrameType
from typing import Any

from docket_sim.simulation.handles import VirtualTask, context_of
from docket_sim.simulation.loop import VirtualLoop

_here: "ContextVar[Host | None]" = ContextVar("docket_sim host", default=None)
_NO_SKEW = timedelta(0)


class Power(Enum):
    """What a machine does."""

    RUNNING = "running"
    STILL = "still"
    CUT = "cut"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a piece of code stood when its machine lost power.

    Attributes:
        what: what ran, such as `charge [order-7]`.
        line: the line of the user's code, such as `tasks.py:19`, or "" if it had not begun.
    """

    what: str
    line: str


class Host:
    """The machine of one worker.

    Attributes:
        name: the worker's name, which no other has had before.
        lane: the place that it has in the crew; a machine that takes over for one that has lost
            power has the same.
        power: what it does.
        skew: how far its clock is ahead of the others'.
        context: the context in which its code runs.
    """

    def __init__(self, name: str, lane: str, hosts: "Hosts") -> None:
        """
        Args:
            name: the worker's name.
            lane: the place that it has in the crew.
            hosts: the machines that it is one of.
        """
        self.name = name
        self.lane = lane
        self.power = Power.RUNNING
        self.skew = _NO_SKEW
        self.context: Context = copy_context()
        self.context.run(_here.set, self)
        self._hosts = hosts
        self._held: deque[asyncio.Handle] = deque()
        self._fuse: int | None = None

    @property
    def usual(self) -> bool:
        """Whether everything that it is to run may run at once."""
        return self.power is Power.RUNNING and self._fuse is None

    def admits(self, handle: asyncio.Handle) -> bool:
        """Whether `handle` may run now; if not, it is kept for later, or never runs."""
        if self.power is Power.STILL:
            self._held.append(handle)
        if self._fuse is not None and self.power is Power.RUNNING:
            self._fuse -= 1
            if self._fuse < 0:
                self._hosts.cut_power(self, "")
        return self.power is Power.RUNNING

    def light_fuse(self, steps: int) -> None:
        """Let it lose power once it has taken `steps` more steps."""
        self._fuse = steps
        self._hosts.note(self)

    def stand_still(self) -> None:
        """Let nothing run until it goes on."""
        if self.power is Power.RUNNING:
            self.power = Power.STILL
            self._hosts.note(self)

    def go_on(self, loop: VirtualLoop) -> None:
        """Run what should have run meanwhile."""
        if self.power is Power.STILL:
            self.power = Power.RUNNING
            self._hosts.note(self)
            loop.run_soon(self._held)
            self._held.clear()

    def lose_power(self) -> None:
        """Run nothing any more."""
        self.power = Power.CUT
        self._fuse = None
        self._held.clear()
        self._hosts.note(self)


Cut = Callable[[Host, str, Sequence[Standing]], None]
"""Is told that a machine has lost power, why, and where its attempts stood."""


class Hosts:
    """The machines of one simulation.

    Attributes:
        all: every machine that there has been.
    """

    def __init__(self, cut: Cut) -> None:
        """
        Args:
            cut: is told of each machine that loses power.
        """
        self.all: list[Host] = []
        self._cut = cut
        self._unusual: dict[Host, None] = {}
        self._dead: list[VirtualTask] = []  # kept, lest Python complains of tasks that never end
        self._loop: VirtualLoop | None = None

    def use(self, loop: VirtualLoop) -> None:
        """Say which loop the machines run on."""
        self._loop = loop

    def add(self, name: str, lane: str) -> Host:
        """A new machine."""
        host = Host(name, lane, self)
        self.all.append(host)
        return host

    def named(self, lane: str) -> Host:
        """The machine that has, or last had, power in that place of the crew.

        Raises:
            LookupError: there is no such place.
        """
        for host in reversed(self.all):
            if lane in {host.lane, host.name}:
                return host
        lanes = ", ".join(dict.fromkeys(host.lane for host in self.all)) or "none yet"
        raise LookupError(f"expected the name of a worker ({lanes}), found {lane!r}")

    def cut_power(self, host: Host, why: str) -> None:
        """Let a machine lose power, now."""
        if host.power is not Power.CUT:
            standing = self._standing(host)
            self._dead += self.tasks(host)
            host.lose_power()
            self._cut(host, why, standing)

    def tasks(self, host: Host) -> list[VirtualTask]:
        """The tasks on a machine that are not done, in the order in which they were made."""
        assert self._loop is not None
        return [task for task in self._loop.unfinished() if host_of(task) is host]

    def owns_dead(self, task: "asyncio.Task[Any]") -> bool:
        """Whether a task is on a machine without power."""
        host = host_of(task) if isinstance(task, VirtualTask) else None
        return host is not None and host.power is Power.CUT

    def note(self, host: Host) -> None:
        """A machine has become unusual, or usual again."""
        self._unusual.pop(host, None)
        if not host.usual:
            self._unusual[host] = None
        if self._loop is not None:
            self._loop.admits = self.admits if self._unusual else None

    def admits(self, handle: asyncio.Handle) -> bool:
        """Whether the loop may run `handle` now."""
        host = context_of(handle).get(_here)
        return host is None or host.admits(handle)

    def bury(self) -> None:
        """Let go of the code that stands on machines without power; the simulation is over.

        To drop a suspended coroutine, Python has to unwind it, so its `finally` blocks run here, as
        far as they do not wait. Nothing can come of it: everything is closed.
        """
        for task in self._dead:
            task.forget()
            with contextlib.suppress(BaseException):
                coroutine: Any = task.get_coro()
                coroutine.close()
        self._dead.clear()

    def _standing(self, host: Host) -> list[Standing]:
        return [
            Standing(task.get_name(), _line_of(task))
            for task in self.tasks(host)
            if task.get_name().endswith("]")  # an attempt, by the name that its worker gives it
        ]


def present_host() -> Host | None:
    """The machine that the running code is on, or `None` for the test's own code."""
    return _here.get()


def present_skew() -> timedelta:
    """How far the clock is ahead where the running code is."""
    host = _here.get()
    return _NO_SKEW if host is None else host.skew


def host_of(task: VirtualTask) -> Host | None:
    """The machine that a task is on."""
    return None if task.context is None else task.context.get(_here)


def outside_hosts(loop: VirtualLoop, coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Run `coroutine` on no machine: what is under way there goes on without its caller."""
    context = copy_context()
    context.run(_here.set, None)
    return loop.create_task(coroutine, context=context)


def _line_of(task: VirtualTask) -> str:
    """The innermost line of a task that is not this package's or the standard library's."""
    if task is asyncio.current_task(task.get_loop()):
        lines = (_users_line(frame) for frame in _running_frames())
        return next((line for line in lines if line), "")
    line = ""
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "ag_frame", None)
        line = _users_line(frame) or line
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return line


def _running_frames() -> Iterator[FrameType]:
    """The frames of the running task, the innermost first; a coroutine that runs names none."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != "_run_once":
        yield frame
        frame = frame.f_back


def _users_line(frame: FrameType | None) -> str:
    if frame is None or not _is_the_users(frame.f_code.co_filename):
        return ""
    return f"{PurePath(frame.f_code.co_filename).name}:{frame.f_lineno}"


_OURS = str(PurePath(__file__).parents[2])
_LIBRARY = str(PurePath(asyncio.__file__).parents[1])


def _is_the_users(filename: str) -> bool:
    return not filename.startswith((_OURS, _LIBRARY, "<"))
