"""`Invariants`: checks what must hold in one run, and tells of the first that is broken."""

import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any

from docket_sim.docket import Docket
from docket_sim.errors import InvariantBroken
from docket_sim.events import Event, Retried
from docket_sim.simulation.boundary import Boundary
from docket_sim.simulation.driver import Driver
from docket_sim.simulation.faults.calls import StoreCall, Verb
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

_ANSWERED: dict[Verb, str] = {
    "submit": "submitted",
    "submit_many": "submitted",
    "claim": "claimed",
    "renew": "renewed",
    "settle": "settled",
    "cancel": "cancelled",
}
"""What an invariant is told when a verb was answered."""

_CHANGING = frozenset({"submit", "submit_many", "claim", "settle", "cancel", "clear"})

Watch = Callable[[], Any]
"""An invariant of the user's own: raises, or returns something false but `None`, when broken."""


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
        driver.when_idle, driver.when_over = self.idle, self.look
        kept: list[Invariant] = [kind(scene) for kind in _KINDS if kind.id not in off]
        self._teardown = TornDownOnce(scene, tell) if TornDownOnce.id not in off else None
        self._settling = _hooks("settling", kept)
        self._about_to_settle = _hooks("about_to_settle", kept)
        self._answered = {verb: _hooks(name, kept) for verb, name in _ANSWERED.items()}
        self._holding = {verb: _hooks(name, [scene.holds]) for verb, name in _ANSWERED.items()}
        self._changed = _hooks("changed", kept)
        self._retried = _hooks("retried", kept)
        self._idle = _hooks("idle", kept)
        self._watches: list[Watch] = []
        self._forgotten = _hooks("forgotten", [*kept, scene])
        boundary.persistence.told.append(self.forgotten)
        self._attach(docket, boundary.court)

    def _attach(self, docket: Docket, court: Court) -> None:
        if self._settling:
            court.asked.append(self.asked)
        if self._about_to_settle:
            court.before.append(self.before)
        court.after.append(self.after)
        if self._teardown is not None:
            docket.overrides.exit_stack = self._teardown.exit_stack

    def add(self, watch: Watch) -> None:
        """Check `watch` at every event from now on.

        Raises:
            TypeError: it is a coroutine function, which nobody would await.
        """
        if inspect.iscoroutinefunction(watch):
            raise TypeError(
                f"an invariant is a plain function, called between two steps of the run; found the "
                f"coroutine function {watch!r}"
            )
        self._watches.append(watch)

    def look(self) -> None:
        """Check the user's own now."""
        for watch in list(self._watches):
            self._look(watch)

    def asked(self, call: StoreCall) -> None:
        """A call of the store is made."""
        if call.verb == "settle":
            for check in self._settling:
                check(call)

    def before(self, call: StoreCall) -> None:
        """The store is about to apply a call."""
        if call.verb == "settle":
            for check in self._about_to_settle:
                check(call)

    def after(self, call: StoreCall) -> None:
        """The store has applied a call."""
        verb = call.verb
        answer = [call.answer] if verb == "submit" else call.answer
        try:
            for check in self._answered.get(verb, ()):
                check(call, answer)
            if verb in _CHANGING and not call.idle:
                for check in self._changed:
                    check(call)
        except InvariantBroken as error:
            self._tell(error)
        for note in self._holding.get(verb, ()):  # last: invariants look at what was before
            note(call, answer)

    def event(self, event: Event) -> None:
        """The engine has told of something."""
        if isinstance(event, Retried):
            try:
                for check in self._retried:
                    check(event)
            except InvariantBroken as error:
                self._tell(error)
        self.look()

    def forgotten(self) -> None:
        """The store has come back without its last writes."""
        for learn in self._forgotten:
            learn()

    def idle(self) -> None:
        """Nothing is outstanding.

        Raises:
            InvariantBroken: something is wrong all the same.
        """
        for check in self._idle:
            check()

    def _look(self, watch: Watch) -> None:
        """Check one of the user's own; one that is broken is told once, and checked no more."""
        name = getattr(watch, "__name__", repr(watch))
        try:
            holds = watch()
            if holds is None or holds:
                return
            broken = InvariantBroken(name, f"the invariant {name} does not hold")
        except Exception as error:  # noqa: BLE001 - a user's own code
            broken = InvariantBroken(name, f"{type(error).__name__}: {error}")
            broken.__cause__ = error
        self._watches.remove(watch)
        self._tell(broken)


def _hooks(name: str, told: Iterable[object]) -> list[Callable[..., None]]:
    """What is told of something, of those that do more about it than nothing."""
    nothing = getattr(Invariant, name)
    return [getattr(one, name) for one in told if getattr(type(one), name, nothing) is not nothing]
