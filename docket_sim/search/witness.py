"""A witness: sees, while a run is made, what user code asks of the machine.

It looks at every call, by the hook that profilers use, which makes a run several times slower.
"""

import dis
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, Self

from docket_sim.entropy import is_anybodys

_STANDARD = sysconfig.get_paths()["stdlib"]
_INSTALLED = sysconfig.get_paths()["purelib"]
_OURS = Path(__file__).parents[1]
_PLUGINS = _OURS.with_name("pytest_docket")
# What takes user code's calls to the machine: behind it stands who has asked.
_GO_BETWEENS = {str(_OURS / "simulation" / name) for name in ("loop.py", "outside.py", "sleep.py")}

_CLOCK = "the machine's own clock"
_CHANCE = "the machine's own randomness"
_IDENTITY = "id()"
_HASH = "hash()"
_OUTSIDE = "real input or output"
_THREAD = "a thread of its own"

_ADVICE = {
    _CLOCK: "ask sim.clock, or datetime.now() without freeze=False",
    _CHANCE: "draw from the module random, or from a generator seeded in the scenario",
    _IDENTITY: "an address differs from run to run",
    _HASH: "hashes differ from process to process, those of objects from run to run",
    _OUTSIDE: "put a stand-in in its place",
    _THREAD: "threads take turns as the machine likes",
}

_KINDS: dict[tuple[str, str], str] = {
    **{
        ("time", name): _CLOCK
        for name in (
            *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
            *("process_time", "process_time_ns", "thread_time", "thread_time_ns", "clock_gettime"),
            *("localtime", "gmtime", "strftime", "ctime"),
        )
    },
    **{("datetime", name): _CLOCK for name in ("now", "utcnow", "today")},
    ("posix", "times"): _CLOCK,
    ("posix", "urandom"): _CHANCE,
    ("nt", "urandom"): _CHANCE,
    ("posix", "getrandom"): _CHANCE,
    ("_uuid", "generate_time_safe"): _CHANCE,
    ("builtins", "id"): _IDENTITY,
    ("builtins", "hash"): _HASH,
    **{("_io", name): _OUTSIDE for name in ("open", "read", "readline", "write", "readinto")},
    ("builtins", "open"): _OUTSIDE,
    **{("posix", name): _OUTSIDE for name in ("open", "listdir", "scandir", "stat", "getpid")},
    **{("_socket", name): _OUTSIDE for name in ("connect", "connect_ex", "recv", "send")},
    **{("_socket", name): _OUTSIDE for name in ("sendall", "getaddrinfo", "bind", "gethostname")},
    ("_posixsubprocess", "fork_exec"): _OUTSIDE,
    ("_thread", "start_new_thread"): _THREAD,
    ("_thread", "start_joinable_thread"): _THREAD,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Something that was asked of the machine.

    Attributes:
        kind: what kind of thing.
        asked: the function that was called.
        where: the line of user code behind the call.
    """

    kind: str
    asked: str
    where: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.asked} at {self.where}; {_ADVICE[self.kind]}"


class Witness:
    """Watches what is run while the context is open.

    Attributes:
        evidence: what was asked of the machine, each once.
        codes: the user code that has run.
        modules: the globals of the modules that it lies in, by their names.
    """

    def __init__(self) -> None:
        self.evidence: dict[Evidence, None] = {}
        self.codes: set[CodeType] = set()
        self.modules: dict[str, dict[str, Any]] = {}
        self._before: Any = None

    def __enter__(self) -> Self:
        self._before = sys.getprofile()
        threading.setprofile(self._see)
        sys.setprofile(self._see)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.setprofile(self._before)
        threading.setprofile(self._before)

    def _see(self, frame: FrameType, event: str, arg: Any) -> None:
        if event == "call" and _is_the_users(frame.f_code):
            self.codes.add(frame.f_code)
            name = str(frame.f_globals.get("__name__"))
            self.modules.setdefault(name, frame.f_globals)
        elif event == "c_call":
            kind = _kind(frame, arg)
            asking = None if kind is None else _asking(frame)
            if kind is not None and asking is not None:
                where = place(asking.f_code, asking.f_lineno)
                self.evidence.setdefault(Evidence(kind, _called(arg), where))


def place(code: CodeType, line: int) -> str:
    """A line as messages show it."""
    return f"{Path(code.co_filename).name}:{line}"


def lines_with_sets(code: CodeType) -> Iterator[int]:
    """The lines at which `code` makes sets."""
    seen: set[int] = set()
    line = code.co_firstlineno
    for one in dis.get_instructions(code):
        line = one.starts_line if isinstance(one.starts_line, int) else line
        at = (one.positions.lineno if one.positions is not None else None) or line
        made = one.opname == "BUILD_SET" or (
            one.opname in {"LOAD_GLOBAL", "LOAD_NAME"} and one.argval in _SETS
        )
        if made and at not in seen:
            seen.add(at)
            yield at
    for constant in code.co_consts:
        if isinstance(constant, CodeType) and constant.co_name == "<setcomp>":
            yield from lines_with_sets(constant)


_SETS = {"set", "frozenset", "WeakSet"}


def _kind(frame: FrameType, called: Any) -> str | None:
    """Which kind of thing a call of a built-in asks of the machine, if any."""
    owner = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    if owner is None or isinstance(owner, ModuleType):
        return _KINDS.get((getattr(called, "__module__", None) or "", name))
    kind = owner if isinstance(owner, type) else type(owner)
    if any(one.__module__ == "_random" for one in kind.__mro__):
        return _CHANCE if _is_by_chance(frame, name, owner) else None
    return next(
        (_KINDS[one.__module__, name] for one in kind.__mro__ if (one.__module__, name) in _KINDS),
        None,
    )


def _is_by_chance(frame: FrameType, name: str, generator: object) -> bool:
    """Whether a generator is seeded by the machine, or draws on from where it was."""
    if name == "seed":
        return frame.f_locals.get("a", 0) is None
    return name in {"random", "getrandbits"} and not is_anybodys(generator)


def _asking(frame: FrameType | None) -> FrameType | None:
    """The user code that a call comes from; none if it is the engine's own."""
    while frame is not None:
        code = frame.f_code
        if _is_the_users(code):
            return frame
        if code.co_filename not in _GO_BETWEENS and not _is_standard(code):
            return None
        frame = frame.f_back
    return None


def _is_the_users(code: CodeType) -> bool:
    file = code.co_filename
    return not (
        file.startswith(("<", str(_OURS), str(_PLUGINS), _INSTALLED))
        or _is_standard(code)
        or "_pytest" in file
    )


def _is_standard(code: CodeType) -> bool:
    file = code.co_filename
    return file.startswith("<frozen") or (
        file.startswith(_STANDARD) and not file.startswith(_INSTALLED)
    )


def _called(called: Callable[..., object]) -> str:
    owner = getattr(called, "__self__", None)
    if owner is None or isinstance(owner, ModuleType):
        module = (getattr(called, "__module__", None) or "").lstrip("_")
        module = {"posix": "os", "nt": "os", "builtins": ""}.get(module, module)
        return f"{module}.{called.__name__}()".lstrip(".")
    kind = owner if isinstance(owner, type) else type(owner)
    return f"{kind.__name__}.{called.__name__}()"
