"""Who waits, and where: what a report on a stuck run says of the tasks on a loop."""

import asyncio
import contextlib
import linecache
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Protocol, cast

from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import short

_SHOWN = 20
_OURS = (
    str(Path(__file__).parents[1]),
    str(Path(asyncio.__file__).parent),
    contextlib.__file__,
)  # code that only passes on what the user's own waits for


class RunnableLoop(Protocol):
    """What a report asks of a loop."""

    def runnable(self) -> list[asyncio.Handle]: ...
    def to_come(self) -> list[asyncio.Handle]: ...


def deadlock_report(loop: asyncio.AbstractEventLoop, clock: VirtualClock, since: int) -> str:
    """What to say when nothing can ever happen again.

    Args:
        loop: the loop whose tasks wait.
        clock: the virtual time.
        since: the microseconds after the start since which nothing has happened but housekeeping.
    """
    elapsed = timedelta(microseconds=since)
    return (
        f"nothing can ever happen again, since {(clock.start + elapsed).isoformat()} "
        f"(+{short(elapsed)}): no timer is set, and no thread or socket is at work. Waiting:\n"
        f"{describe_waiting(loop)}"
    )


def spin_report(loop: RunnableLoop, clock: VirtualClock, rounds: int) -> str:
    """What to say when the loop runs on, and time does not."""
    return (
        f"{rounds:,} rounds of the loop have passed at {clock.now().isoformat()} "
        f"(+{short(clock.elapsed)}) without time moving or a task ending. A loop that waits with "
        f"`await asyncio.sleep(0)` never lets time move: sleep for longer, or wait for an event. "
        f"Running:\n{describe_runnable(loop)}"
    )


def endless_report(loop: Any, clock: VirtualClock, taken: str, since: int) -> str:
    """What to say when time goes on, and nothing comes of it.

    Args:
        loop: the loop whose tasks wait.
        clock: the virtual time.
        taken: how many steps it has taken, and what is wrong with that.
        since: the microseconds after the start since which nothing has come of it.
    """
    last = timedelta(microseconds=since)
    callbacks = describe_callbacks(loop)
    return (
        f"a run without end: it has taken {taken}, and it is {clock.now().isoformat()} "
        f"(+{short(clock.elapsed)}); the last that came of it was at +{short(last)}.\n"
        f"Let what waits in a loop give up, by asyncio.timeout() for example; where so many steps "
        f"are meant, steps=n of simulate() or explore() allows more. "
        f"Waiting:\n{describe_waiting(loop)}"
        + (f"\nTo be called:\n{callbacks}" if callbacks else "")
    )


def describe_waiting(loop: asyncio.AbstractEventLoop) -> str:
    """One entry for each task of `loop` that has not ended: its name, and the line it waits at."""
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    theirs = [task for task in tasks if _own_frames(task.get_coro())]
    return _listed(_entry(task) for task in theirs or tasks) or "  no task at all"


def describe_runnable(loop: RunnableLoop) -> str:
    """One entry for each task that is about to run."""
    owners = dict.fromkeys(_owner(handle) for handle in loop.runnable())
    return _listed(_entry(task) for task in owners if task is not None) or "  plain callbacks only"


def describe_callbacks(loop: RunnableLoop) -> str:
    """One entry for each of the user's own functions that is to be called; "" for none."""
    codes = dict.fromkeys(_code(handle) for handle in loop.to_come())
    return _listed(
        f"  {code.co_name}\n      {code.co_filename}:{code.co_firstlineno}"
        for code in codes
        if code is not None and not _is_ours(code)
    )


def _code(handle: asyncio.Handle) -> CodeType | None:
    return getattr(getattr(handle, "_callback", None), "__code__", None)


def _owner(handle: asyncio.Handle) -> "asyncio.Task[Any] | None":
    callback: Any = getattr(handle, "_callback", None)
    owner: Any = getattr(callback, "__self__", None)
    return cast("Any", owner) if isinstance(owner, asyncio.Task) else None


def _entry(task: "asyncio.Task[Any]") -> str:
    place = _place(task.get_coro())
    return f"  {task.get_name()}\n      {place}"


def _listed(entries: Iterable[str]) -> str:
    lines = list(entries)
    more = len(lines) - _SHOWN
    return "\n".join(lines[:_SHOWN] + ([f"  … and {more} more"] if more > 0 else []))


def _place(coroutine: Any) -> str:
    """The innermost line of the user's own code that `coroutine` waits at, else the innermost."""
    frames = _own_frames(coroutine) or _frames(coroutine)
    if not frames:
        return "at its beginning"
    frame = frames[-1]
    filename, line = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(filename, line).strip()
    return f"{filename}:{line} in {frame.f_code.co_name}: {text}"


def _own_frames(coroutine: Any) -> list[FrameType]:
    return [frame for frame in _frames(coroutine) if not _is_ours(frame.f_code)]


def _frames(coroutine: Any) -> list[FrameType]:
    """The frames of a suspended coroutine and of all that it awaits, the outermost first."""
    frames: list[FrameType] = []
    while coroutine is not None:
        frame = _of(coroutine, "frame")
        if frame is not None:
            frames.append(frame)
        coroutine = _of(coroutine, "await") or _of(coroutine, "yieldfrom")
    return frames


def _of(coroutine: Any, what: str) -> Any:
    for prefix in ("cr_", "gi_", "ag_"):
        found = getattr(coroutine, prefix + what, None)
        if found is not None:
            return found
    return None


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS)
