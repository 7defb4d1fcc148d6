"""The user's clock: freezegun's, made to ask the virtual clock for the time at every call.

`datetime.now()`, `time.time()` and `time.monotonic()` in user code then agree with the virtual
clock at every instant, in coroutines, callbacks and threads alike, and a move of the clock costs
nothing. The fakes are freezegun's own, and it knows that they are in use: `freeze_time` within a
world, and around one, does what it does elsewhere. Only the search for the names to be replaced is
done here, since freezegun's takes several times as long as all the rest of a world.
"""

import copyreg
import importlib
import uuid
from datetime import datetime, timedelta
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from pydantic_core import core_schema

from docket_sim.clock import VirtualClock
from docket_sim.errors import SimulationError
from docket_sim.simulation.places import Places

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
_FREEZEGUN = frozenset({"freezegun"})  # where the real ones and the fakes are at home
_FUNCTIONS = (
    "gmtime",
    "localtime",
    "monotonic",
    "monotonic_ns",
    "perf_counter",
    "perf_counter_ns",
    "strftime",
    "time",
    "time_ns",
)


class FrozenWall:
    """Makes the user's clock show virtual time while the context is open."""

    def __init__(self, clock: VirtualClock) -> None:
        """
        Args:
            clock: the virtual time.
        """
        self._clock = clock
        self._asking = _Asking(clock)

    def __enter__(self) -> Self:
        """
        Raises:
            SimulationError: freezegun is not installed.
        """
        _freezer().start(self._asking)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _freezer().stop(self._asking)

    def check(self) -> None:
        """See to it that it is this clock that user code sees.

        Raises:
            SimulationError: freezegun was started again on top of it.
        """
        shown = _freezer().shown
        if shown is self._asking:
            return
        now = f"{self._clock.now():%Y-%m-%d %H:%M:%S}"
        if isinstance(shown, _Asking):
            raise SimulationError(
                f"another simulation was entered after this one and is still open, so user code "
                f"sees the time there, {shown()}, while here it is {now}. Leave that one first, or "
                f"make them with simulate(freeze=False)."
            )
        raise SimulationError(
            f"freezegun was started inside the simulation, so user code sees {shown()} while "
            f"it is {now}. Begin the simulation at that time "
            f"instead: @pytest.mark.docket(start=...), or simulate(start=...)."
        )


class _Asking:
    """Gives freezegun the time: naive, in UTC."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock

    def __call__(self) -> datetime:
        return self._clock.now().replace(tzinfo=None)


class _Freezer:
    """What freezegun's own `start()` and `stop()` do, with a quicker search."""

    def __init__(self, api: Any) -> None:
        """
        Args:
            api: the module `freezegun.api`.
        """
        self._api = api
        fakes = {api.real_datetime: api.FakeDatetime, api.real_date: api.FakeDate}
        for name in _FUNCTIONS:
            fakes[getattr(api, f"real_{name}")] = getattr(api, f"fake_{name}")
        self._fakes = {id(real): fake for real, fake in fakes.items()}
        self._reals = {id(fake): real for real, fake in fakes.items()}
        self._fake_names = {fake.__name__ for fake in fakes.values()}
        self._places = Places(list(fakes))

    @property
    def shown(self) -> Any:
        """What user code's clock asks."""
        return self._api.freeze_factories[-1]

    def start(self, asking: _Asking) -> None:
        """Have the user's clock ask `asking`."""
        frozen = bool(self._api.freeze_factories)
        # No callers to be ignored: freezegun looks for them in the stack, where asyncio, of which
        # it ignores parts, has called every task's body.
        for stack, own in zip(self._stacks, (asking, (), False, timedelta(0)), strict=True):
            stack.append(own)
        if not frozen:
            self._freeze()

    def stop(self, asking: _Asking) -> None:
        """End what `start` began."""
        if self._api.freeze_factories == [asking]:
            self._thaw()  # before that: the fakes do not work without anything to ask
        position = self._api.freeze_factories.index(asking)
        for stack in self._stacks:
            del stack[position]

    @property
    def _stacks(self) -> tuple[list[Any], ...]:
        api = self._api
        return api.freeze_factories, api.ignore_lists, api.tick_flags, api.tz_offsets

    def _freeze(self) -> None:
        api = self._api
        self._places.replace(self._fakes, outside=_REAL | _FREEZEGUN)
        # Without these, uuid1() asks time.time_ns() and not the system.
        self._set_uuid(None, None)
        copyreg.dispatch_table[api.real_datetime] = api.pickle_fake_datetime
        copyreg.dispatch_table[api.real_date] = api.pickle_fake_date

    def _thaw(self) -> None:
        api = self._api
        # In the packages that keep real time as well: what they imported meanwhile is fake. What
        # has a fake by its own name has imported it from freezegun.
        self._places.replace(self._reals, outside=_FREEZEGUN, besides=self._fake_names)
        self._set_uuid(api.real_uuid_generate_time, api.real_uuid_create)
        copyreg.dispatch_table.pop(api.real_datetime)
        copyreg.dispatch_table.pop(api.real_date)

    def _set_uuid(self, generate_time: Any, create: Any) -> None:
        setattr(uuid, self._api.uuid_generate_time_attr, generate_time)
        for name, value in (("_UuidCreate", create), ("_last_timestamp", None)):
            setattr(uuid, name, value)


def _freezer() -> _Freezer:
    try:
        api: Any = importlib.import_module("freezegun.api")  # it comes with the extra `test`
    except ImportError:
        raise SimulationError(
            "freezegun is not installed, so the user's clock cannot be frozen. "
            "Install docket-sim[test], or say simulate(freeze=False)."
        ) from None
    return _freezer_of(api)


@lru_cache(maxsize=1)
def _freezer_of(api: Any) -> _Freezer:
    _teach_pydantic(api)
    return _Freezer(api)


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
