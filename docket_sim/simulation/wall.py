"""The user's clock: freezegun, made to ask the virtual clock for the time at every call.

`datetime.now()`, `time.time()` and `time.monotonic()` in user code then agree with the virtual
clock at every instant, in coroutines, callbacks and threads alike, and a move of the clock costs
nothing.
"""

import importlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from types import ModuleType, TracebackType
from typing import Any, Self

from pydantic_core import core_schema

from docket_sim.clock import VirtualClock
from docket_sim.errors import SimulationError

_REAL = frozenset(
    {
        # Packages that keep the machine's time: what waits for real, and what measures tests.
        "_pytest",
        "asyncio",
        "concurrent",
        "coverage",
        "docket_sim",
        "execnet",
        "hypothesis",
        "multiprocessing",
        "pluggy",
        "pytest",
        "pytest_docket",
        "queue",
        "subprocess",
        "threading",
        "xdist",
    }
)
# Modules that import something when they are looked at; freezegun is to pass them by.
_LAZY = ("six.moves", "django.utils.six.moves", "google.gax", "gi.repository")


class FrozenWall:
    """Makes the user's clock show virtual time while the context is open."""

    def __init__(self, clock: VirtualClock) -> None:
        """
        Args:
            clock: the virtual time.

        Raises:
            SimulationError: freezegun is not installed.
        """
        self._clock = clock
        self._frozen: Any = None
        self._asking = _Asking(clock)

    def __enter__(self) -> Self:
        api = _freezegun()
        self._frozen = api.freeze_time(self._clock.start)
        # freezegun ignores modules by the beginning of their names, and so some of the user's:
        # it is to freeze all, and those that keep real time get it back.
        self._frozen.ignore = _LAZY
        with _quick_look(api):
            self._frozen.start()
        for module, attribute, original in self._frozen.undo_changes:
            if module.__name__.partition(".")[0] in _REAL:
                setattr(module, attribute, original)
        # In place of a factory that has to be moved, one that asks; and no looking through the
        # stack for ignored callers, since a task's body is called by one.
        api.freeze_factories[-1] = self._asking
        api.ignore_lists[-1] = ()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._frozen.stop()

    def check(self) -> None:
        """See to it that it is this clock that user code sees.

        Raises:
            SimulationError: freezegun was started again on top of it.
        """
        shown = _freezegun().freeze_factories[-1]
        if shown is not self._asking:
            raise SimulationError(
                f"freezegun was started inside the simulation, so user code sees {shown()} while "
                f"it is {self._clock.now():%Y-%m-%d %H:%M:%S}. Begin the simulation at that time "
                f"instead: @pytest.mark.docket(start=...), or simulate(start=...)."
            )


@contextmanager
def _quick_look(api: Any) -> Generator[None]:
    """Let freezegun tell more quickly which modules have changed since it last looked at them.

    It sorts the names of every loaded module for that, which is most of what a world costs.
    """
    own = getattr(api, "_get_module_attributes_hash", None)
    if own is None:  # another version, which may do otherwise
        yield
        return
    api._get_module_attributes_hash = attributes_hash
    try:
        yield
    finally:
        api._get_module_attributes_hash = own


def attributes_hash(module: Any) -> str:
    """What freezegun's own function gives for a module, without sorting its names."""
    names: Any = vars(module) if type(module) is ModuleType else None
    if names is None or "__dir__" in names:
        try:
            names = dir(module)
        except (ImportError, TypeError):
            names = ()
    return f"{id(module)}-{hash(frozenset(names))}"


class _Asking:
    """Gives freezegun the time: naive, in UTC."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def __call__(self) -> datetime:
        return self._clock.now().replace(tzinfo=None)


def _freezegun() -> Any:
    try:
        api: Any = importlib.import_module("freezegun.api")  # it comes with the extra `test`
    except ImportError:
        raise SimulationError(
            "freezegun is not installed, so the user's clock cannot be frozen. "
            "Install docket-sim[test], or say simulate(freeze=False)."
        ) from None
    _teach_pydantic(api)
    return api


def _teach_pydantic(api: Any) -> None:
    """Let annotations that are looked up while time is frozen mean what they mean otherwise."""
    if "__get_pydantic_core_schema__" in vars(api.FakeDatetime):
        return

    def as_datetime(_cls: Any, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.datetime_schema()

    def as_date(_cls: Any, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        return core_schema.date_schema()

    api.FakeDatetime.__get_pydantic_core_schema__ = classmethod(as_datetime)
    api.FakeDate.__get_pydantic_core_schema__ = classmethod(as_date)
