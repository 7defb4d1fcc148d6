"""Where modules keep functions and classes of the standard library under names of their own.

`from time import time` gives a module its own `time`, which replacing the one in `time` does not
reach. To find all such names takes milliseconds, and a world is to cost less than one: so modules
are looked through when a module has come, gone, or gained or lost a name since the last look.
"""

import sys
from collections.abc import Collection, Mapping
from itertools import chain
from typing import Any, NamedTuple


class _Place(NamedTuple):
    """One name of one module; `package` is the first part of the module's own."""

    module: Any
    names: Mapping[str, object]
    name: str
    package: str


class _Look(NamedTuple):
    """What was found in each module, and what tells whether that is still so."""

    modules: list[Any]
    names: list[Mapping[str, object]]
    sizes: list[int]
    found: list[list[_Place]]
    places: list[_Place]


class Places:
    """The places where loaded modules keep certain things."""

    def __init__(self, things: Collection[Any]) -> None:
        """
        Args:
            things: functions and classes, to be found under whatever name.
        """
        self._things = {id(thing): thing for thing in things}
        # Places that hold something else now, because a test has patched them, may hold it again.
        self._usual = {thing.__name__ for thing in things}
        self._last = _Look([], [], [], [], [])

    def replace(
        self,
        replacements: Mapping[int, object],
        *,
        outside: Collection[str] = (),
        besides: Collection[str] = (),
    ) -> None:
        """Put other things in their place.

        Args:
            replacements: what to put, by the `id` of what it replaces.
            outside: packages to leave alone.
            besides: names to leave alone.
        """
        for module, names, name, package in self._look(replacements):
            replacement = replacements.get(id(names.get(name)))
            if replacement is not None and package not in outside and name not in besides:
                setattr(module, name, replacement)

    def _look(self, replacements: Mapping[int, object]) -> list[_Place]:
        """The places, from memory where nothing tells that there are others."""
        last = self._last
        modules = list(sys.modules.values())
        if modules != last.modules or list(map(len, last.names)) != last.sizes:
            self._last = last = self._look_again(modules, self._things.keys() | replacements.keys())
        return last.places

    def _look_again(self, modules: list[Any], wanted: Collection[int]) -> _Look:
        """Look through the modules that have changed."""
        last = self._last
        before = {
            id(module): (size, places)
            for module, size, places in zip(last.modules, last.sizes, last.found, strict=True)
        }
        names = [_names(module) for module in modules]
        sizes = list(map(len, names))
        found: list[list[_Place]] = []
        for module, its_names, size in zip(modules, names, sizes, strict=True):
            size_before, places = before.get(id(module), (-1, []))
            if size != size_before:
                places = self._look_through(module, its_names, wanted)
            found.append(places)
        return _Look(modules, names, sizes, found, list(chain.from_iterable(found)))

    def _look_through(
        self, module: Any, names: Mapping[str, object], wanted: Collection[int]
    ) -> list[_Place]:
        # In vars(): dir() and getattr() would have a lazy module import what nobody asked for.
        package = str(names.get("__name__")).partition(".")[0]
        return [
            _Place(module, names, name, package)
            for name, value in list(names.items())
            if id(value) in wanted or name in self._usual
        ]


def _names(module: Any) -> Mapping[str, object]:
    names: Mapping[str, object] | None = getattr(module, "__dict__", None)
    return {} if names is None else names
