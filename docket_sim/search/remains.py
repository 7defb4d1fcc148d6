"""What runs leave behind: variables of user code whose contents are others after a run."""

from collections import deque
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import partial
from itertools import count
from types import FunctionType, MethodType, ModuleType
from typing import Any, cast

_DEPTH = 6
_NODES = 20_000
_PLAIN: tuple[type, ...] = (
    str,
    bytes,
    bytearray,
    int,
    float,
    complex,
    bool,
    type(None),
    Enum,
    count,
)

Node = tuple[str, Any]


class Remains:
    """Remembers what variables hold, and says later which of them hold something else.

    It goes through globals, closures, defaults, attributes of objects and of classes, and through
    containers, as far as user code has made them; the engine's own objects are left alone.
    """

    def __init__(self, scenario: object, modules: Mapping[str, dict[str, Any]]) -> None:
        """
        Args:
            scenario: what is run.
            modules: the globals of the modules whose code was run, by their names.
        """
        self._scenario = scenario
        self._modules = modules
        self._before = self._taken()

    def changed(self) -> list[str]:
        """The names of the variables that hold something else than before."""
        after = self._taken()
        names = [name for name in after if self._before.get(name) != after[name]]
        # `charges` has changed when `charges[0]` has: the shorter name says it.
        return [name for name in names if not any(_is_part(name, of) for of in names)]

    def _taken(self) -> dict[str, object]:
        pictures: dict[str, object] = {}
        seen: set[int] = set()
        waiting: deque[tuple[str, Any, int]] = deque(
            (name, value, 0) for name, value in self._roots()
        )
        while waiting and len(pictures) < _NODES:
            name, value, depth = waiting.popleft()
            if id(value) in seen and not isinstance(value, _PLAIN):
                continue
            seen.add(id(value))
            pictures.setdefault(name, _picture(value))
            if depth < _DEPTH:
                waiting.extend((part, inside, depth + 1) for part, inside in _parts(name, value))
        return pictures

    def _roots(self) -> Iterator[Node]:
        name = getattr(self._scenario, "__qualname__", type(self._scenario).__qualname__)
        yield f"{name}", self._scenario
        for module, variables in self._modules.items():
            for variable, value in list(variables.items()):
                if not variable.startswith(("__", "@")):
                    yield f"{module}.{variable}", value


def _is_part(name: str, of: str) -> bool:
    return name != of and name.startswith((f"{of}.", f"{of}["))


def _picture(value: Any) -> object:
    """What can be compared of a value, its parts apart."""
    if isinstance(value, _PLAIN):
        return type(value).__name__, repr(value)
    kind = cast("Any", type(value))
    if callable(getattr(kind, "cache_info", None)):
        return kind.__name__, repr(value.cache_info())
    if any(one.__module__ == "_random" for one in kind.__mro__) and hasattr(kind, "getstate"):
        return kind.__name__, hash(value.getstate())
    if isinstance(value, list | tuple | dict | set | frozenset | deque):
        sized = cast("list[Any]", value)
        return type(sized).__name__, len(sized)
    return type(value).__name__


def _parts(name: str, value: Any) -> Iterator[Node]:
    if _is_the_engines(value) or isinstance(value, ModuleType | str | bytes | set | frozenset):
        return  # a set has no order in which its members could be compared: only its size is
    if isinstance(value, dict):
        members = list(cast("Any", value).items())
        yield from ((f"{name}[{key!r}]", inside) for key, inside in members)
    elif isinstance(value, list | tuple | deque):
        items = cast("list[Any]", value)
        yield from ((f"{name}[{place}]", inside) for place, inside in enumerate(list(items)))
    elif isinstance(value, FunctionType):
        yield from _parts_of_function(name, value)
    elif isinstance(value, MethodType | partial):
        bound = cast("Any", value)
        yield name, bound.__self__ if isinstance(value, MethodType) else bound.func
    else:
        yield from ((f"{name}.{attribute}", inside) for attribute, inside in _attributes(value))


def _parts_of_function(name: str, function: FunctionType) -> Iterator[Node]:
    code, cells = function.__code__, function.__closure__ or ()
    for variable, cell in zip(code.co_freevars, cells, strict=True):
        try:
            yield f"{variable} (in {name})", cell.cell_contents
        except ValueError:  # nothing is in it yet
            continue
    for number, default in enumerate(function.__defaults__ or ()):
        yield f"{name}, default no. {number + 1}", default
    for keyword, default in (function.__kwdefaults__ or {}).items():
        yield f"{name}, default of {keyword}", default
    for attribute, inside in list(vars(function).items()):
        yield f"{name}.{attribute}", inside


def _attributes(value: Any) -> Iterator[Node]:
    kept: Any = getattr(value, "__dict__", None) or {}
    for attribute, inside in list(kept.items()):
        if not attribute.startswith("__"):
            yield attribute, inside
    for kind in type(value).__mro__:
        slots: Any = vars(kind).get("__slots__", ())
        for slot in [slots] if isinstance(slots, str) else slots:
            if not slot.startswith("__") and hasattr(value, slot):
                yield slot, getattr(value, slot)


def _is_the_engines(value: Any) -> bool:
    kind = cast("type[Any]", value if isinstance(value, type) else type(value))
    module = str(getattr(kind, "__module__", ""))
    if isinstance(value, FunctionType):
        module = value.__module__ or ""
    room = module.partition(".")[0]
    return room in {"docket_sim", "asyncio", "pytest", "_pytest", "pydantic", "typing", "freezegun"}
