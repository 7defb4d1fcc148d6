"""`Invariants`: checks what must hold in one run, and tells of the first that is broken."""

from collections.abc import Callable, Collection
from typing import Any

from docket_sim.docket import Docket
from docket_sim.errors import InvariantBroken
from docket_sim.events import Event
from docket_sim.simulation.boundary import Boundary
from docket_sim.simulation.driver import Driver
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.court import Court
from docket_sim.simulation.invariants.base import Invariant
from docket_sim.simulation.invariants.of_attempts import PolicysDelay, TornDownOnce, WithinBudget
from docket_sim.simulation.invariants.of_the_store import (
    CleanEnd,
    DueIsClaimed,
    Fenced,
    Indexes,
    NoBusyLoop,
    NotEarly,
    NothingLost,
    OneAtATime,
)

_KINDS: tuple[type[Invariant], ...] = (
    NotEarly,
    OneAtATime,
    Fenced,
    NothingLost,
    WithinBudget,
    PolicysDelay,
    DueIsClaimed,
    CleanEnd,
    NoBusyLoop,
    Indexes,
)
IDS = tuple(sorted([*(kind.id for kind in _KINDS), TornDownOnce.id]))
"""The ids of all invariants."""

Watch = Callable[[], Any]
"""An invariant of the user's own: raises an `AssertionError`, or returns `False`, when broken."""


class Invariants:
    """Checks the invariants of one run, and tells of the first that is broken."""

    def __init__(
        self, boundary: Boundary, unchecked: Collection[str], driver: Driver, docket: Docket
    ) -> None:
        """
        Args:
            boundary: where the calls pass that they look at.
            unchecked: the ids of those that are not to be checked; `all` for all of them.
            driver: ends the verb that is under way when something is broken.
            docket: whose attempts they follow.

        Raises:
            ValueError: an id that no invariant has.
        """
        unknown = set(unchecked) - {*IDS, "all"}
        if unknown:
            raise ValueError(
                f"unchecked: expected ids of invariants ({', '.join(IDS)}) or 'all', "
                f"found {', '.join(map(repr, sorted(unknown)))}"
            )
        off = set(IDS) if "all" in unchecked else set(unchecked)
        scene = boundary.scene
        self._tell = tell = driver.break_off
        driver.when_idle = self.idle
        kept: list[Invariant] = [kind(scene) for kind in _KINDS if kind.id not in off]
        self._teardown = TornDownOnce(scene, tell) if TornDownOnce.id not in off else None
        self._asked = [one.asked for one in kept if type(one).asked is not Invariant.asked]
        self._before = [one.before for one in kept if type(one).before is not Invariant.before]
        self._after = [one.after for one in kept if type(one).after is not Invariant.after]
        self._events = [one.event for one in kept if type(one).event is not Invariant.event]
        self._idle = [one.idle for one in kept if type(one).idle is not Invariant.idle]
        self._watches: list[Watch] = []
        self._attach(docket, boundary.court)

    def _attach(self, docket: Docket, court: Court) -> None:
        court.asked.extend(self._asked)
        if self._before:
            court.before.append(self.before)
        if self._after:
            court.after.append(self.after)
        if self._teardown is not None:
            docket.overrides.exit_stack = self._teardown.exit_stack

    def add(self, watch: Watch) -> None:
        """Check `watch` at every event from now on."""
        self._watches.append(watch)

    def before(self, call: StoreCall) -> None:
        """The store is about to apply a call."""
        for check in self._before:
            check(call)

    def after(self, call: StoreCall) -> None:
        """The store has applied a call."""
        try:
            for check in self._after:
                check(call)
        except InvariantBroken as error:
            self._tell(error)

    def event(self, event: Event) -> None:
        """The engine has told of something."""
        try:
            for check in self._events:
                check(event)
        except InvariantBroken as error:
            self._tell(error)
        for watch in self._watches:
            self._look(watch)

    def idle(self) -> None:
        """Nothing is outstanding.

        Raises:
            InvariantBroken: something is wrong all the same.
        """
        for check in self._idle:
            check()

    def _look(self, watch: Watch) -> None:
        name = getattr(watch, "__name__", repr(watch))
        try:
            if watch() is False:
                self._tell(InvariantBroken(name, f"the invariant {name} does not hold"))
        except Exception as error:  # noqa: BLE001 - a user's own code
            broken = InvariantBroken(name, f"{type(error).__name__}: {error}")
            broken.__cause__ = error
            self._tell(broken)
