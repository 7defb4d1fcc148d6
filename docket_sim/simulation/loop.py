"""`VirtualLoop`: asyncio's own event loop, on virtual time.

It differs from the loop it extends in when it waits. Time moves to the next timer when nothing can
run and no outside work is under way; while there is some, time stands still and the loop waits for
real. Two more differences make a run repeatable in another process: tasks and futures hash by a
counter instead of by their address (asyncio keeps them in sets), and timers of one instant fire in
the order in which they were made.

It relies on these members of asyncio's loops, the same from 3.11 to 3.14: `_run_once`, `_ready`,
`_stopping`, `_selector`, `_process_events`, `_asyncgens`, `_child_watcher_callback` and
`_make_socket_transport`; `tests/simulation/test_loop_contract.py` checks them.
"""

# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportIncompatibleMethodOverride=false

import asyncio
import concurrent.futures
import gc
import heapq
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context, copy_context
from datetime import datetime
from itertools import count
from typing import Any
from weakref import ref

from docket_sim.clock import VirtualClock, housekeeping
from docket_sim.errors import Deadlock, Spinning
from docket_sim.simulation.outside import Conversations, OutsideWork, transport_on
from docket_sim.simulation.waiting import describe_runnable, describe_waiting

_POLL_EVERY = 64  # rounds: under constant load, real sockets are looked at this often
_HOUSEKEEPING_ROUNDS = 64  # jumps in which nothing but housekeeping happens before giving up
_CANCELLED_SHARE = 0.5  # of all timers, before the heap is rebuilt without the cancelled ones
_CANCELLED_MINIMUM = 100
_COLLECT_YOUNG_AFTER = 100_000  # callbacks
_COLLECT_ALL_AFTER = 2_000_000


class Handle(asyncio.Handle):
    """A callback to run. A run makes several for each step of a task, so it is lean to make."""

    __slots__ = ()
    _repr = None
    _source_traceback = None

    def __init__(
        self,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = None
        self._args = None


class Timer(asyncio.TimerHandle):
    """A callback to run at an instant; lean to make and to cancel."""

    __slots__ = ()
    _repr = None
    _source_traceback = None

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: Context | None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop = loop
        self._callback = callback
        self._args = args
        self._cancelled = False
        self._when = when
        self._scheduled = True

    def cancel(self) -> None:
        if not self._cancelled:
            if self._scheduled:
                self._loop._timer_handle_cancelled(self)
            self._cancelled = True
            self._callback = None
            self._args = None


class VirtualTask(asyncio.Task[Any]):
    """A task that hashes by the order in which its loop first hashed it."""

    def __hash__(self) -> int:
        try:
            return self._order
        except AttributeError:
            self._order: int = next(self.get_loop().orders)
            return self._order


class VirtualFuture(asyncio.Future[Any]):
    """A future that hashes by the order in which its loop first hashed it."""

    def __hash__(self) -> int:
        try:
            return self._order
        except AttributeError:
            self._order: int = next(self.get_loop().orders)
            return self._order


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop on virtual time.

    Attributes:
        clock: the virtual time; `loop.time()` is the seconds since its start.
        outside: what happens outside of virtual time and holds it.
        spin_limit: how many rounds may pass at one instant before the run counts as spinning.
        orders: gives tasks and futures their hashes.
    """

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
        self.orders = count()
        self.outside = OutsideWork(patience)
        self.spin_limit = spin_limit
        self._conversations = Conversations()
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._timer_order = count()
        self._cancelled_timers = 0
        self._task_number = count(1)
        self._rounds = 0
        self._rounds_here = 0
        self._quiet_jumps = 0
        self._until_young = _COLLECT_YOUNG_AFTER
        self._until_all = _COLLECT_ALL_AFTER
        self._settled: list[asyncio.Future[None]] = []
        super().__init__()
        self._asyncgens = _InOrder()
        self._own_files = len(self._selector.get_map())

    # What asyncio asks a loop for.

    def time(self) -> float:
        """Seconds of virtual time since the clock's start."""
        return self.clock.microseconds / 1_000_000

    def create_task(  # noqa: D102 - asyncio's own
        self,
        coro: Coroutine[Any, Any, Any],
        *,
        name: str | None = None,
        context: Context | None = None,
        **kwargs: Any,
    ) -> asyncio.Task[Any]:
        if self._task_factory is not None:
            return super().create_task(coro, name=name, context=context, **kwargs)
        self._check_closed()
        name = name or f"Task-{next(self._task_number)}"
        return VirtualTask(coro, loop=self, name=name, context=context, **kwargs)

    def create_future(self) -> asyncio.Future[Any]:  # noqa: D102 - asyncio's own
        return VirtualFuture(loop=self)

    def call_at(  # noqa: D102 - asyncio's own
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        delay = when - self.clock.microseconds / 1_000_000
        return self._set_timer(round(when * 1_000_000), delay, when, callback, args, context)

    def call_later(  # noqa: D102 - asyncio's own
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        due = self.clock.microseconds + round(delay * 1_000_000)
        return self._set_timer(due, delay, due / 1_000_000, callback, args, context)

    def call_soon(  # noqa: D102 - asyncio's own
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        if self._closed:
            self._check_closed()
        handle = Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def run_in_executor(  # noqa: D102 - asyncio's own
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._check_closed()
        if executor is None:
            self._check_default_executor()
            if self._default_executor is None:
                self._default_executor = concurrent.futures.ThreadPoolExecutor(
                    thread_name_prefix="virtual"
                )
            executor = self._default_executor
        done = self.outside.begin_thread(func)
        work = executor.submit(func, *args)
        future = asyncio.wrap_future(work, loop=self)
        # After wrap_future: the result is to arrive before time may move on.
        work.add_done_callback(lambda _: self._from_outside(done))
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the executor's threads in real time; a virtual limit would pass at once."""
        del timeout
        self._executor_shutdown_called = True
        if self._default_executor is None:
            return
        executor = self._default_executor
        finished = self.create_future()
        done = self.outside.begin("the default executor's shutdown")

        def shut_down() -> None:
            executor.shutdown(wait=True)
            self._from_outside(done)
            self._from_outside(lambda: finished.done() or finished.set_result(None))

        thread = threading.Thread(target=shut_down, daemon=True)
        thread.start()
        await finished
        thread.join()

    # What a simulation asks.

    def settled(self) -> asyncio.Future[None]:
        """Done when nothing more happens at this instant, and only time could change that."""
        waiter = self.create_future()
        self._settled.append(waiter)
        return waiter

    def reached(self, when: datetime) -> asyncio.Future[None]:
        """Done when virtual time reaches `when`."""
        waiter = self.create_future()
        due = self.clock.microseconds_at(when) / 1_000_000
        self.call_at(due, lambda: waiter.done() or waiter.set_result(None))
        return waiter

    def note_progress(self) -> None:
        """Say that the run gets on: what follows is not a spin, nor a deadlock with housekeeping."""
        self._rounds_here = 0
        self._quiet_jumps = 0

    # How it runs.

    def run_forever(self) -> None:
        """Run until stopped.

        The garbage collector is called at fixed points of the run instead of whenever memory was
        asked for: finalizers then run at the same instant each time, and a run of many tasks is not
        slowed down by collections that find nothing.
        """
        collecting = gc.isenabled()
        gc.disable()
        try:
            super().run_forever()
        finally:
            if collecting:
                gc.enable()

    def _run_once(self) -> None:
        self._rounds += 1
        if not self._ready:
            self._wait()
        elif self._rounds % _POLL_EVERY == 0:
            self._poll(0)
        self._rounds_here += 1
        if self._rounds_here > self.spin_limit:
            self._rounds_here = 0
            raise Spinning(self._spinning())
        ready = self._ready
        self._collect(len(ready))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                try:
                    handle._context.run(handle._callback, *handle._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - a callback may raise anything
                    self._report_callback(handle, error)

    def _collect(self, callbacks: int) -> None:
        self._until_young -= callbacks
        if self._until_young < 0:
            self._until_young = _COLLECT_YOUNG_AFTER
            self._until_all -= _COLLECT_YOUNG_AFTER
            gc.collect(2 if self._until_all < 0 else 1)
            if self._until_all < 0:
                self._until_all = _COLLECT_ALL_AFTER

    def _report_callback(self, handle: asyncio.Handle, error: BaseException) -> None:
        self.call_exception_handler(
            {"message": f"Exception in callback {handle!r}", "exception": error, "handle": handle}
        )

    def _wait(self) -> None:
        """Make something ready: from outside, by telling that all is settled, or by moving time."""
        if self._stopping:
            return
        if self.outside.waiting or len(self._selector.get_map()) > self._own_files:
            self._poll(0)
        while not self._ready:
            hold = self.outside.hold() or self._conversations.hold()
            if hold:
                self._poll(hold)
            elif self._settled:
                for waiter in self._settled:
                    if not waiter.done():
                        waiter.set_result(None)
                self._settled.clear()
            elif not self._jump() and not self._linger():
                raise Deadlock(self._deadlock())

    def _jump(self) -> bool:
        """Move to the next timer, and make ready what is due then; false when there is none."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            self._drop(heapq.heappop(timers)[2])
        if not timers:
            return False
        instant = timers[0][0]
        if self._only_housekeeping(timers[0][2]):
            self._quiet_jumps += 1
            if self._quiet_jumps > _HOUSEKEEPING_ROUNDS:
                self._quiet_jumps = 0
                return False
        if instant > self.clock.microseconds:
            self.clock.advance_to(instant)
            self._rounds_here = 0
        while timers and timers[0][0] <= instant:
            timer = heapq.heappop(timers)[2]
            timer._scheduled = False
            if timer._cancelled:
                self._drop(timer)
            else:
                self._ready.append(timer)
        return True

    def _only_housekeeping(self, first: asyncio.TimerHandle) -> bool:
        """Whether nothing but housekeeping will ever happen by itself."""
        if not _keeps_house(first):
            self._quiet_jumps = 0
            return False
        return all(timer._cancelled or _keeps_house(timer) for _, _, timer in self._timers)

    def _linger(self) -> bool:
        """Give open sockets one chance to bring something before calling it a deadlock."""
        if len(self._selector.get_map()) <= self._own_files:
            return False
        self._poll(self._conversations.grace)
        return bool(self._ready)

    def _poll(self, timeout: float) -> None:
        happened = self._selector.select(timeout)
        for key, mask in happened:
            self._conversations.heard(key.fd, mask)
        self._process_events(happened)

    def _from_outside(self, callback: Callable[[], object]) -> None:
        """Have `callback` called on the loop's thread, unless the loop is closed by then."""
        try:
            self.call_soon_threadsafe(callback)
        except RuntimeError:
            if not self.is_closed():
                raise

    def _set_timer(
        self,
        due: int,
        delay: float,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        context: Context | None,
    ) -> asyncio.TimerHandle:
        if self._closed:
            self._check_closed()
        if delay > 0 and due <= self.clock.microseconds:
            due = self.clock.microseconds + 1  # shorter than the clock's resolution, not nothing
        timer = Timer(when, callback, args, self, context)
        heapq.heappush(self._timers, (due, next(self._timer_order), timer))
        return timer

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        self._cancelled_timers += 1
        total = len(self._timers)
        if total > _CANCELLED_MINIMUM and self._cancelled_timers > total * _CANCELLED_SHARE:
            alive = [item for item in self._timers if not item[2]._cancelled]
            heapq.heapify(alive)
            self._timers = alive
            self._cancelled_timers = 0

    def _drop(self, timer: asyncio.TimerHandle) -> None:
        timer._scheduled = False
        self._cancelled_timers -= 1

    def _make_socket_transport(self, sock: Any, *args: Any, **kwargs: Any) -> Any:
        return transport_on(self._conversations)(self, sock, *args, **kwargs)

    async def _make_subprocess_transport(self, protocol: Any, args: Any, *rest: Any, **kw: Any) -> Any:
        command = args if isinstance(args, str | bytes) else " ".join(map(str, args))
        done = self.outside.begin(f"the child process {command!r}")
        try:
            transport = await super()._make_subprocess_transport(protocol, args, *rest, **kw)
        except BaseException:
            done()
            raise
        transport._virtual_done = done
        return transport

    def _child_watcher_callback(self, pid: int, returncode: int, transport: Any) -> None:
        super()._child_watcher_callback(pid, returncode, transport)
        done = getattr(transport, "_virtual_done", None)
        if done is not None:
            self._from_outside(done)

    def _deadlock(self) -> str:
        return (
            f"nothing can ever happen again, at {self.clock.now().isoformat()} "
            f"(+{self.clock.elapsed}): no timer is set, and no thread or socket is at work. "
            f"Waiting:\n{describe_waiting(self)}"
        )

    def _spinning(self) -> str:
        return (
            f"{self.spin_limit:,} rounds of the loop have passed at "
            f"{self.clock.now().isoformat()} (+{self.clock.elapsed}) without time moving or a task "
            f"ending. A loop that waits with `await asyncio.sleep(0)` never lets time move: "
            f"sleep for longer, or wait for an event. Running:\n{describe_runnable(self)}"
        )

    def runnable(self) -> list[asyncio.Handle]:
        """What is about to run, in order; for reports."""
        return [handle for handle in self._ready if not handle._cancelled]


class _InOrder:
    """The set of a loop's async generators, in the order in which they began."""

    def __init__(self) -> None:
        self._items: dict[int, ref[Any]] = {}

    def add(self, item: Any) -> None:
        key = id(item)
        self._items[key] = ref(item, lambda _: self._items.pop(key, None))

    def discard(self, item: Any) -> None:
        self._items.pop(id(item), None)

    def clear(self) -> None:
        self._items.clear()

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        return (item for reference in list(self._items.values()) if (item := reference()) is not None)


def _keeps_house(timer: asyncio.TimerHandle) -> bool:
    context: Context = timer._context
    return context.get(housekeeping, False)
