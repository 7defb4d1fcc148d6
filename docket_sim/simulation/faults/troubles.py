"""The troubles of a simulation: what is done to its machines and its store, and for how long."""

from collections.abc import Callable, Sequence
from contextvars import copy_context
from datetime import timedelta
from typing import Any

from docket_sim.clock import VirtualClock
from docket_sim.clock.durations import duration_of, short
from docket_sim.errors import StoreUnavailable
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.effects import (
    Crash,
    Effect,
    Partition,
    Pause,
    RestartStore,
    Skew,
    Span,
)
from docket_sim.simulation.faults.hosts import Host, Hosts, Power, Standing, present_skew
from docket_sim.simulation.faults.journal import Incident, Journal
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.store import Listener

_MARGIN = 1.1
_DEFAULT_LEASE = timedelta(minutes=5)
_RESTART = timedelta(seconds=1)
_MICROSECOND = timedelta(microseconds=1)


class Troubles:
    """Cuts power, stops machines, cuts lines, sets clocks, and takes the store away for a while.

    Attributes:
        hosts: the machines that the workers run on.
        journal: where it is noted.
        lines: who is told what the store tells.
        lease: how long workers claim for.
        restart: lets a worker take the place of one whose machine has lost power.
        changed: is told when a machine has lost power, or goes on.
        lost: is told of a machine that has lost power, at once.
        forget: lets the store forget what was written in the last so much time.
    """

    def __init__(self, clock: VirtualClock) -> None:
        """
        Args:
            clock: the virtual time.
        """
        self.hosts = Hosts(self._power_was_cut)
        self.journal = Journal(clock)
        self.lines: list[Listener] = []
        self.lease = _DEFAULT_LEASE
        self.restart: Callable[[Host], object] = _nothing
        self.changed: Callable[[], object] = _nothing
        self.lost: Callable[[Host], object] = _nothing
        self.forget: Callable[[timedelta], object] = _nothing
        self._clock = clock
        self._loop: VirtualLoop | None = None
        self._outside = copy_context()
        self._away_until = 0
        self._cut_off: dict[Host, int | None] = {}
        self._for_ever: set[Host] = set()
        self._restarts: dict[Host, timedelta | None] = {}

    def use(self, loop: VirtualLoop) -> None:
        """Say which loop the simulation runs on."""
        self._loop = loop
        self.hosts.use(loop)

    # What there is.

    @property
    def any(self) -> bool:
        """Whether something may still last that refuses calls."""
        return bool(self._away_until or self._cut_off)

    @property
    def returning(self) -> bool:
        """Whether a machine stands still that is to go on."""
        return any(
            host.power is Power.STILL and host not in self._for_ever for host in self.hosts.all
        )

    def reachable(self, worker: str) -> bool:
        """Whether a worker is told what the store has to tell."""
        host = self._named(worker) if self.any else None
        if host is None:
            return True
        return self._clock.microseconds >= self._away_until and not self._is_cut_off(host)

    def skew_of(self, worker: str) -> timedelta:
        """How far a worker's clock is ahead."""
        host = None if self._clock.skew is None else self._named(worker)
        return timedelta() if host is None else host.skew

    def gone(self, worker: str) -> bool:
        """Whether a worker will never be heard of again."""
        host = self._named(worker)
        return host is not None and (
            host.power is Power.CUT
            or host in self._for_ever
            or (host in self._cut_off and self._cut_off[host] is None)
        )

    def refuse(self, call: StoreCall) -> None:
        """Refuse a call that cannot reach the store, or whose answer cannot reach its caller.

        The test's own code reaches it at all times: what a test asks is not what is tested.

        Raises:
            StoreUnavailable: it cannot.
        """
        host = call.host
        if host is None or not self.refuses(call):
            return
        if self._is_cut_off(host):
            call.fate.append("cut off")
            raise StoreUnavailable(f"{host.name} is cut off: a fault of the simulation")
        call.fate.append("the store is away")
        raise StoreUnavailable("the store is away: a fault of the simulation")

    def refuses(self, call: StoreCall) -> bool:
        """Whether a call cannot reach the store now."""
        host = call.host
        away = self._clock.microseconds < self._away_until
        return host is not None and (away or self._is_cut_off(host))

    # What is done.

    def strike(self, effect: Effect, host: Host | None, place: str = "") -> None:
        """Do something to a machine, or to the store, now.

        Args:
            effect: what is done.
            host: the machine.
            place: where its code stands, such as `before settle`.
        """
        match effect:
            case RestartStore(span=span, losing=losing):
                self._take_store_away(span, losing)
            case _ if host is None:
                pass
            case Crash(restart_after=restart):
                self.expect_cut(host, restart)
                self.hosts.cut_power(host, place)
            case Pause(span=span):
                self._stop(host, span, place)
            case Partition(span=span):
                self._cut_line(host, span)
            case Skew(by=by):
                self._set_clock(host, by)
            case _:
                raise TypeError(f"{effect} happens to a store call, and not to a worker")

    def expect_cut(self, host: Host, restart_after: timedelta | None) -> None:
        """Say when another machine takes the place of `host`, once that has lost power."""
        self._restarts[host] = restart_after

    def heal(self) -> None:
        """End what lasts."""
        self._away_until = 0
        self._cut_off.clear()
        self._for_ever.clear()
        for host in self.hosts.all:
            host.go_on(self._running)
        self._reconnect()

    def seconds(self, span: Span) -> float:
        """How long a span is."""
        match span:
            case "lease":
                return self.lease.total_seconds() * _MARGIN
            case "heartbeat":
                return self.lease.total_seconds() / 3 * _MARGIN
            case _:
                return duration_of(span).total_seconds()

    def note_lease(self, lease: timedelta) -> None:
        """Take note of how long workers claim for; what claims for no time only asks."""
        if lease:
            self.lease = lease

    def note(self, lane: str, what: str, kind: str | None) -> None:
        """Note what was done; a fault is counted under its kind."""
        incident = Incident(self._clock.microseconds, lane, what, fault=kind is not None)
        self.journal.note(incident, kind)

    # How it is done.

    @property
    def _running(self) -> VirtualLoop:
        assert self._loop is not None
        return self._loop

    def _later(self, seconds: float, action: Callable[..., object], *parts: Any) -> None:
        """Do something later, on no machine: on one that has stopped, it would not happen."""
        self._running.call_later(seconds, action, *parts, context=self._outside)

    def _named(self, worker: str) -> Host | None:
        return next((host for host in self.hosts.all if host.name == worker), None)

    def _is_cut_off(self, host: Host) -> bool:
        if host not in self._cut_off:
            return False
        until = self._cut_off[host]
        return until is None or self._clock.microseconds < until

    def _stop(self, host: Host, span: Span | None, place: str) -> None:
        shown = self._shown(span)
        self.note(host.lane, f"stands still {shown}{place and ' '}{place}", "pause")
        if span is None:
            self._for_ever.add(host)
        else:
            self._later(self.seconds(span), self._go_on, host)
        host.stand_still()

    def _go_on(self, host: Host) -> None:
        if host.power is Power.STILL:
            self.note(host.lane, "goes on", None)
            host.go_on(self._running)
            self.changed()

    def _cut_line(self, host: Host, span: Span | None) -> None:
        self.note(host.lane, f"cut off from the store {self._shown(span)}", "partition")
        until = None
        if span is not None:
            seconds = self.seconds(span)
            until = self._clock.microseconds + round(seconds * 1_000_000)
            self._later(seconds, self._reconnect)
        self._cut_off[host] = self._later_end(host, until)

    def _later_end(self, host: Host, until: int | None) -> int | None:
        """When a cut ends that comes to one that may still last; `None` for never."""
        before = self._cut_off.get(host, 0)
        return None if until is None or before is None else max(until, before)

    def _set_clock(self, host: Host, by: timedelta) -> None:
        self._clock.skew = present_skew
        host.skew = by
        ahead = f"{short(by)} ahead" if by > timedelta() else f"{short(-by)} behind"
        self.note(host.lane, f"clock set {ahead}", "skew")

    def _take_store_away(self, span: timedelta, losing: timedelta) -> None:
        if losing:
            self.forget(losing)
        without = f", without the last {short(losing)}" if losing else ""
        self.note("store", f"away for {short(span)}{without}", "restart_store")
        until = self._clock.microseconds + span // _MICROSECOND
        self._away_until = max(until, self._away_until)
        self._later(span.total_seconds(), self._reconnect)

    def _reconnect(self) -> None:
        """Tell who may have missed something to look again, as a new connection does."""
        for line in self.lines:
            if line.worker and self.reachable(line.worker):
                line.work_due(self._clock.start)

    def _power_was_cut(self, host: Host, place: str, standing: Sequence[Standing]) -> None:
        stood = [one.what + (f" at {one.line}" if one.line else "") for one in standing]
        details = f"; {', '.join(stood)}" if stood and "settle" not in place else ""
        self.note(host.lane, f"power cut{place and ' '}{place}{details}", "crash_worker")
        self._cut_off.pop(host, None)
        self._running.bound.note_power_cut()
        self.lost(host)
        self._later(0, self.changed)
        restart = self._restarts.get(host, _RESTART)
        if restart is not None:
            self._later(restart.total_seconds(), self.restart, host)

    def _shown(self, span: Span | None) -> str:
        return "for ever" if span is None else f"for {short(timedelta(seconds=self.seconds(span)))}"


def _nothing(*parts: object) -> None:
    """Nobody is to be told."""
