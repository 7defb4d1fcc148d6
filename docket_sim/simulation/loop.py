"""`VirtualLoop`: asyncio's own event loop, on virtual time.

It differs from the loop it extends in when it waits. Time moves to the next timer when nothing can
run and no outside work is under way; while there is some, time stands still and the loop waits for
real. Two more differences make a run repeatable in another process: tasks and futures hash by a
counter instead of by their address (asyncio keeps them in sets), and timers of one instant fire in
the order in which they were made.

It relies on these members of asyncio's loops, the same from 3.11 to 3.14: `_run_once`, `_ready`,
`_stopping`, `_selector`, `_process_events`, `_asyncgens`, `_child_watcher_callback` and
`_make_socket_transport`. A test checks them on the Python that runs it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from datetime import datetime
from itertools import count
from typing import Any, TypeVar, TypeVarTuple
from weakref import WeakSet

from docket_sim.clock import VirtualClock
from docket_sim.clock.virtual import LAST_INSTANT
from docket_sim.errors import Deadlock, EndlessRun, Spinning
from docket_sim.simulation.accounting import AccountingLoop, setter
from docket_sim.simulation.bound import Bound
from docket_sim.simulation.collector import Collector
from docket_sim.simulation.handles import Handle, InOrder, VirtualFuture, VirtualTask
from docket_sim.simulation.interrupt import Interrupt
from docket_sim.simulation.timers import Timer, Timers
from docket_sim.simulation.waiting import deadlock_report, endless_report, spin_report

_STRETCH = 64  # rounds: under constant load, real sockets are looked at this often
_HOUSEKEEPING_ROUNDS = 16  # jumps in which nothing but housekeeping happens before giving up

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class VirtualLoop(AccountingLoop):
    """asyncio's event loop on virtual time.

    Attributes:
        clock: the virtual time; `loop.time()` is the seconds since its start.
        spin_limit: how many rounds may pass at one instant before the run counts as spinning.
        bound: how many steps there may be before it counts as endless.
        admits: asked before anything runs whether it may, or `None` when everything may.
    """

    # asyncio's own members, which its stubs leave out.
    _ready: deque[asyncio.Handle]
    _closed: bool
    _stopping: bool
    _task_factory: Callable[..., Any] | None
    _check_thread: Callable[[], None]
    _check_callback: Callable[[Callable[..., object], str], None]
    _debug: bool

    def __init__(
        self, clock: VirtualClock | None = None, *, patience: float = 5.0, spin_limit: int = 100_000
    ) -> None:
        """
        Args:
            clock: the virtual time; one that begins at the default start if not given.
            patience: how many seconds of real time outside work may hold virtual time.
            spin_limit: how many rounds may pass at one instant without progress.
        """
        self.clock = clock or VirtualClock()
        self.spin_limit = spin_limit
        self.bound = Bound()
        self._tasks: WeakSet[VirtualTask] = WeakSet()
        self.admits: Callable[[asyncio.Handle], bool] | None = None
        self._timers = Timers()
        self._due_now: list[Timer] = []
        self._end_of_time = (LAST_INSTANT - self.clock.start).total_seconds()
        self._order = count()
        self._task_number = count(1)
        self._rounds_here = 0
        self._stretch_began = 0
        self._quiet_jumps = 0
        self._quiet_since = 0
        self._collector = Collector()
        self._interrupt = Interrupt()
        self._settled: list[asyncio.Future[None]] = []
        super().__init__(patience)
        self._asyncgens = InOrder()

    # What asyncio asks a loop for.

    def time(self) -> float:
        """Seconds of virtual time since the clock's start."""
        return self.clock.microseconds / 1_000_000

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
        **kwargs: Any,
    ) -> asyncio.Task[T]:
        if self._task_factory is not None:
            return super().create_task(coro, name=name, context=context, **kwargs)
        self._check_closed()
        name = f"Task-{next(self._task_number)}" if name is None else str(name)
        if context is None:
            context = copy_context()
        task = VirtualTask(coro, loop=self, name=name, context=context, **kwargs)
        task.context = context
        self._tasks.add(task)
        return task

    def create_future(self) -> asyncio.Future[Any]:
        return VirtualFuture(loop=self)

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        if self._closed or self._debug:
            self._check(callback, "call_soon")
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._set(when - self.time(), when, callback, args, context)

    def call_later(
        self,
        delay: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        return self._set(delay, self.time() + delay, callback, args, context)

    def close(self) -> None:
        """Close the loop; tasks that could not be ended are dropped."""
        for task in self.unfinished():
            task.forget()
        super().close()

    # What a simulation asks.

    def settled(self) -> asyncio.Future[None]:
        """Done when nothing more happens at this instant, and only time could change that."""
        waiter = self.create_future()
        self._settled.append(waiter)
        return waiter

    def reached(self, when: datetime) -> asyncio.Future[None]:
        """Done when virtual time reaches `when`."""
        waiter = self.create_future()
        self.call_at(self.clock.microseconds_at(when) / 1_000_000, setter(waiter))
        return waiter

    def note_progress(self) -> None:
        """Say that the run gets on: it does not spin, and housekeeping is not all it does."""
        self._rounds_here = 0
        self._quiet_jumps = 0
        self._quiet_since = self.clock.microseconds
        self.bound.note_progress(self.clock.microseconds)

    def unfinished(self) -> list[VirtualTask]:
        """The tasks of this loop that are not done, in the order in which they were made.

        asyncio keeps those of all loops in one place, where it takes long to find some.
        """
        return sorted((task for task in self._tasks if not task.done()), key=hash)

    def next_order(self) -> int:
        """The next number of those that tasks and futures hash by."""
        return next(self._order)

    def note_cancelled(self) -> None:
        """A timer was cancelled before its time."""
        self._timers.note_cancelled()

    def run_soon(self, handles: Iterable[asyncio.Handle]) -> None:
        """Run what was held back, after what is about to run."""
        self._ready.extend(handles)

    def runnable(self) -> list[asyncio.Handle]:
        """What is about to run, in order."""
        return [handle for handle in self._ready if not handle.cancelled()]

    def to_come(self) -> list[asyncio.Handle]:
        """What is about to run, and the timers that are set, in order."""
        return [*self.runnable(), *self._due_now, *self._timers.in_order()]

    # How it runs.

    def run_forever(self) -> None:
        """Run until stopped."""
        self._refuse_endless()  # here, too: many short runs are no stretch
        with self._collector.in_charge(), self._interrupt.noticed(self._wake):
            super().run_forever()

    def _wake(self) -> None:
        self.call_soon_threadsafe(self._interrupt.heed)

    def _run_once(self) -> None:
        """Run a stretch of rounds; asyncio asks for another until the loop is to stop."""
        ready, ran = self._ready, 0
        for _ in range(_STRETCH):
            if self._due_now or not ready:
                self._make_ready()
            ran += len(ready)
            for _ in range(len(ready)):
                handle: Any = ready.popleft()
                if not handle._cancelled and (self.admits is None or self.admits(handle)):
                    try:
                        handle._context.run(handle._callback, *handle._args)
                    except (SystemExit, KeyboardInterrupt):
                        raise
                    except BaseException as error:  # noqa: BLE001 - a callback may raise anything
                        self._report_callback(handle, error)
            handle = None  # a traceback that leads here must not keep a failed task alive
            if self._stopping:
                self.bound.note_callbacks(ran)
                return
        self._end_stretch(ran)

    def _end_stretch(self, ran: int) -> None:
        """Look after what need not be looked after in each round."""
        self._collector.after(ran)
        self.bound.note_callbacks(ran)
        self._refuse_endless()
        self.poll(0)
        now = self.clock.microseconds
        awaited = self.outside.hold() or self.conversations.hold()
        if awaited or now != self._stretch_began:
            self._stretch_began = now
            self._rounds_here = 0
            return
        self._rounds_here += _STRETCH
        if self._rounds_here > self.spin_limit:
            self._rounds_here = 0
            raise Spinning(spin_report(self, self.clock, self.spin_limit))

    def _refuse_endless(self) -> None:
        what = self.bound.exceeded()
        if what is not None:
            raise EndlessRun(endless_report(self, self.clock, what, self.bound.since))

    def _make_ready(self) -> None:
        """Take what has become due meanwhile; where that is nothing, wait."""
        self._ready.extend(self._due_now)
        self._due_now.clear()
        if not self._ready:
            self._wait()

    def _wait(self) -> None:
        """Make something ready: from outside, by telling that all is settled, or by moving time."""
        if self._stopping:
            return
        if self.ever_watched and self.has_sockets:
            self.poll(0)
        while not self._ready:
            outside = self.outside.under_way or self.conversations.awaited
            if outside and (hold := self.outside.hold() or self.conversations.hold()):
                self.poll(hold)
            elif not (self._settle() or self._jump() or self._linger()):
                raise Deadlock(deadlock_report(self, self.clock, self._quiet_since))

    def _settle(self) -> bool:
        """Tell who waits for it that nothing more happens at this instant; false if nobody does."""
        if not self._settled or self._timers.overdue(self.clock.microseconds):
            return False  # after a jump of the clock, what was due meanwhile is late, not gone
        waiters, self._settled = self._settled, []
        for waiter in waiters:
            setter(waiter)()
        return True

    def _jump(self) -> bool:
        """Move to the next timer, and make ready what is due then; false when there is none."""
        ready = self._ready
        instant = self._timers.take_next(ready)
        if instant is None:
            return False
        first: Any = ready[0]
        if first.keeps_house and self._only_housekeeping():
            if self._quiet_jumps >= _HOUSEKEEPING_ROUNDS:
                self._quiet_jumps = 0
                self._timers.put_back(instant, ready)
                return False
            self._quiet_jumps += 1
        else:
            self._quiet_jumps = 0
            self._quiet_since = instant
        if instant > self.clock.microseconds:
            self.clock.advance_to(instant)
        return True

    def _only_housekeeping(self) -> bool:
        """Whether nothing but housekeeping is about to happen, now and later."""
        timers: Any = self._ready
        return all(timer.keeps_house for timer in timers) and self._timers.only_housekeeping()

    def _linger(self) -> bool:
        """Give open sockets one chance to bring something before calling it a deadlock."""
        if not self.has_sockets:
            return False
        self.poll(self.conversations.grace)
        return bool(self._ready)

    def _set(
        self,
        delay: float,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> Timer:
        if self._closed or self._debug:
            self._check(callback, "call_at")
        timer = Timer(when, callback, args, self, context)
        if when > self._end_of_time:
            timer.never_fires()
        elif delay > 0:
            now = self.clock.microseconds
            # Shorter than the clock's resolution is not nothing.
            self._timers.add(max(round(when * 1_000_000), now + 1), timer)
        else:
            timer.never_fires()  # as a timer; it is due now, in the next round
            self._due_now.append(timer)
        return timer

    def _check(self, callback: Callable[..., object], method: str) -> None:
        self._check_closed()
        self._check_thread()
        self._check_callback(callback, method)

    def _report_callback(self, handle: Any, error: BaseException) -> None:
        self.call_exception_handler(
            {"message": f"Exception in callback {handle!r}", "exception": error, "handle": handle}
        )
