"""The court: every call of a simulation's store passes here, and may be disturbed on its way.

It follows the rules of `Faults`, in this order: what lasts (a line that is cut, a store that is
away), what happens before the store has the call, the call itself, what happens after. With no
rules, no latencies and no troubles, a call passes straight through.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import instant_of
from docket_sim.entropy import short_key
from docket_sim.errors import StoreUnavailable
from docket_sim.execution import ExecutionState, Finish, Reason
from docket_sim.simulation.choices import Choices
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.effects import (
    Crash,
    Delay,
    Fail,
    Fuse,
    LoseReply,
    Pause,
    Redeliver,
    Resend,
    RestartStore,
    Rule,
)
from docket_sim.simulation.faults.hosts import outside_hosts
from docket_sim.simulation.faults.rulebook import InForce, Rulebook
from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.faults.troubles import Troubles
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.store import Claim, Settled

T = TypeVar("T")
Send = Callable[[datetime], Awaitable[Any]]
"""Sends a call to the store, with the store's time."""


class Court:
    """Lets the store calls of one simulation pass, or does to them what the rules say.

    Attributes:
        choices: what decides where rules with odds strike, and how long calls take.
        troubles: what is done to machines and to the store.
        redelivers: gives up a claim, so that the store delivers its call once more.
        asked, before, after: told of every call: when it is made; right before it is applied, where
            that is known; and once it is applied.
        broken: told of an assertion of the store's that failed: its worker would log it and go on.
    """

    def __init__(
        self,
        clock: VirtualClock,
        faults: Faults,
        choices: Choices,
        redelivers: Callable[[Claim, datetime], Awaitable[Any]],
    ) -> None:
        """
        Args:
            clock: the virtual time.
            faults: the rules.
            choices: what decides.
            redelivers: gives up a claim.
        """
        self.choices = choices
        self.troubles = Troubles(clock)
        self.redelivers = redelivers
        self.asked: list[Callable[[StoreCall], None]] = []
        self.before: list[Callable[[StoreCall], None]] = []
        self.after: list[Callable[[StoreCall], None]] = []
        self.broken: Callable[[AssertionError], object] = _nothing
        self._clock = clock
        self._faults = faults
        self._loop: VirtualLoop | None = None
        self._direct = True
        self._rules = Rulebook(faults, choices, self.troubles, clock)

    def use(self, loop: VirtualLoop, *, direct: bool) -> None:
        """Say which loop the simulation runs on, and plant what is to happen at an instant.

        Args:
            loop: the loop.
            direct: whether the store answers within the task that asks it, and begins none.
        """
        self._loop = loop
        self._direct = direct
        self.troubles.use(loop)
        for rule in self._faults.rules:
            if rule.at is not None:
                instant = instant_of(rule.at, self._clock.start)
                loop.call_at(self._clock.microseconds_at(instant) / 1_000_000, self._strike, rule)

    @property
    def disturbed(self) -> bool:
        """Whether anything has gone wrong, or calls take their time."""
        return bool(self._faults.latencies or self.troubles.journal.faults)

    def strike(self, faults: Faults) -> None:
        """Let something go wrong at once; what happens at a call of the store, at the next ones.

        Raises:
            TypeError: a rule with odds.
        """
        for rule in faults.rules:
            if rule.odds is not None:
                raise TypeError(f"to strike is no matter of chance, found odds={rule.odds}")
            if rule.verb is None and not isinstance(rule.effect, _OF_CALLS):
                self._strike(rule)
            else:
                self._rules.enact(rule)

    def adjourn(self) -> None:
        """End what lasts, and let everything pass from now on: the simulation is being left."""
        self._faults = Faults()
        self._rules.repeal()
        self.troubles.journal.close()
        self.troubles.heal()

    # One call.

    async def hear(self, call: StoreCall, send: Callable[[datetime], Awaitable[T]]) -> T:
        """Let `call` pass, or do to it what the rules say.

        Raises:
            StoreUnavailable: what a caller sees when the store does not answer, or seems not to.
        """
        self.troubles.journal.add(call)
        for watch in self.asked:
            watch(call)
        answer: T
        if self._undisturbed(call):
            answer = await self._apply(call, send)
            return answer
        if self.troubles.any:
            await asyncio.sleep(0)
            self.troubles.refuse(call)
        rule = self._rules.by_lot(call)
        await self._on_the_way_there(call, rule)
        answer = await self._at_the_store(call, send, rule)
        await self._on_the_way_back(call, send, rule)
        return answer

    def _undisturbed(self, call: StoreCall) -> bool:
        """Whether nothing can happen to `call` on its way."""
        if self.troubles.any or self._rules.is_sure_of(call.verb):
            return False
        return call.host is None or not self._faults

    async def _on_the_way_there(self, call: StoreCall, by_lot: InForce | None) -> None:
        await self._take_time(call, "latency")
        rule = self._rules.at("before", call, by_lot)
        if rule is not None:
            await self._follow(call, rule)
        if self.troubles.any:
            self.troubles.refuse(call)

    async def _at_the_store(self, call: StoreCall, send: Send, by_lot: InForce | None) -> Any:
        rule = self._rules.at("before", call, by_lot, redelivering=True)
        if rule is None or not _succeeded_first(call):
            return await self._apply(call, send)
        self._count(rule)
        call.fate.append("not acknowledged, to be delivered once more")
        await self.redelivers(call.claims[0], self._clock.true_now())
        call.given_up = True
        call.answer, call.answered_at = Settled.LOST, self._clock.microseconds
        for watch in self.after:
            watch(call)
        return Settled.LOST

    async def _on_the_way_back(self, call: StoreCall, send: Send, by_lot: InForce | None) -> None:
        if by_lot is None and call.idle:
            self._rules.note_idle(call)
        rule = self._rules.at("after", call, by_lot)
        if rule is not None and isinstance(rule.rule.effect, Resend):
            self._count(rule)
            call.fate.append("sent twice")
            call.answer = await self._apply(call, send)
        elif rule is not None:
            await self._follow(call, rule)
        await self._take_time(call, "answer's latency")
        if self.troubles.any:
            self.troubles.refuse(call)

    async def _apply(self, call: StoreCall, send: Send) -> Any:
        if self._direct:
            await asyncio.sleep(0)
            return await self._record(call, send)
        if call.host is None:
            return await self._record(call, send)
        # What is under way over a shared connection goes on when one worker's machine stops.
        return await outside_hosts(self._running, self._record(call, send))

    async def _record(self, call: StoreCall, send: Send) -> Any:
        """Let the store apply a call, and tell who watches."""
        for watch in self.before:
            watch(call)
        try:
            call.answer = answer = await send(self._clock.true_now())
        except AssertionError as error:
            self.broken(error)
            raise
        call.answered_at = self._clock.microseconds
        for watch in self.after:
            watch(call)
        return answer

    async def _take_time(self, call: StoreCall, which: str) -> None:
        latencies = self._faults.latencies
        if latencies and call.host is not None:
            value = self.choices.draw(f"{call.lane} {call.verb}: {which}", 1 + len(latencies))
            if value:
                await asyncio.sleep(self.troubles.seconds(latencies[value - 1]))

    # What is done.

    async def _follow(self, call: StoreCall, in_force: InForce) -> None:
        rule = in_force.rule
        if call.host is None and not isinstance(
            rule.effect, Fail | LoseReply | Delay | RestartStore
        ):
            return
        self._count(in_force)
        match rule.effect:
            case Fail():
                call.fate.append("never arrived")
                raise StoreUnavailable(f"{call.verb} did not arrive: a fault of the simulation")
            case LoseReply():
                call.fate.append("answer lost")
                raise StoreUnavailable(f"{call.verb} has no answer: a fault of the simulation")
            case Delay(by=by):
                call.fate.append(f"{'answer ' if rule.position == 'after' else ''}late")
                await asyncio.sleep(self.troubles.seconds(by))
            case Fuse() as fuse:
                self._light(fuse, call)
            case effect:
                place = f"{rule.position} {call.verb}{_whose(call)}"
                self.troubles.strike(effect, call.host, place)
                await self._stand(effect)

    async def _stand(self, effect: object) -> None:
        """Be where the machine has lost power, or stands still."""
        if isinstance(effect, Crash):
            await self._running.create_future()
        elif isinstance(effect, Pause):
            await asyncio.sleep(0)

    def _light(self, fuse: Fuse, call: StoreCall) -> None:
        assert call.host is not None
        self.troubles.expect_cut(call.host, fuse.restart_after)
        call.host.light_fuse(fuse.steps)

    def _strike(self, rule: Rule) -> None:
        """Do what is to be done at this instant."""
        if isinstance(rule.effect, RestartStore):
            self.troubles.strike(rule.effect, None)
            return
        for host in list(self.troubles.hosts.all):
            if host.usual and rule.scope.worker in {None, host.lane, host.name}:
                self.troubles.strike(rule.effect, host)

    def _count(self, in_force: InForce) -> None:
        self._rules.count(in_force)
        kind = _COUNTED_HERE.get(type(in_force.rule.effect))
        if kind is not None:
            self.troubles.journal.faults[kind] += 1

    @property
    def _running(self) -> VirtualLoop:
        assert self._loop is not None
        return self._loop


_COUNTED_HERE: dict[type, str] = {
    Fail: "fail",
    LoseReply: "lose_reply",
    Resend: "resend",
    Redeliver: "duplicate",
    Delay: "delay",
}


_OF_CALLS = Fail | LoseReply | Resend | Redeliver | Delay
"""What happens to a store call, and not to a worker or the store."""


def _whose(call: StoreCall) -> str:
    """Whose settlement it is; other calls are about many."""
    return f" of {short_key(call.claims[0].call.key)}" if call.verb == "settle" else ""


def _succeeded_first(call: StoreCall) -> bool:
    """Whether an attempt has succeeded that has not been delivered before."""
    if not call.claims or call.claims[0].delivery > 1:
        return False
    settlement = call.settlement
    if isinstance(settlement, Finish):
        return settlement.state is ExecutionState.COMPLETED
    return settlement is not None and settlement.reason is Reason.PERPETUAL


def _nothing(_: object) -> None:
    """Nobody is to be told."""
