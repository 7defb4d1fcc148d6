"""Who waits, and where: what a report on a stuck run says of the tasks on a loop."""

import asyncio
import linecache
from collections.abc import Iterable
from types import CodeType, FrameType
from typing import Any, Protocol

_SHOWN = 20
_OURS = ("docket_sim/", "asyncio/", "contextlib.py", "concurrent/futures/")


class Loop(Protocol):
    """What a report asks of a loop."""

    def runnable(self) -> list[asyncio.Handle]: ...


def describe_waiting(loop: asyncio.AbstractEventLoop) -> str:
    """One entry for each task of `loop` that has not ended: its name, and the line it waits at."""
    tasks = sorted(asyncio.all_tasks(loop), key=hash)
    theirs = [task for task in tasks if _own_frames(task.get_coro())]
    return _listed(_entry(task) for task in theirs or tasks) or "  no task at all"


def describe_runnable(loop: Loop) -> str:
    """One entry for each task that is about to run."""
    owners = dict.fromkeys(_owner(handle) for handle in loop.runnable())
    return _listed(_entry(task) for task in owners if task is not None) or "  plain callbacks only"


def _owner(handle: asyncio.Handle) -> "asyncio.Task[Any] | None":
    callback: Any = getattr(handle, "_callback", None)
    owner = getattr(callback, "__self__", None)
    return owner if isinstance(owner, asyncio.Task) else None


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
    path = code.co_filename.replace("\\", "/")
    return any(part in path for part in _OURS)
