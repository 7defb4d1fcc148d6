"""asyncio's event loop, keeping account of what is under way outside of it.

Threads, child processes and conversations on sockets are noted as they begin and end. What to make
of them is the business of the loop that builds on this one.
"""

# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportIncompatibleMethodOverride=false

import asyncio
import concurrent.futures
import selectors
import threading
from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, cast

from docket_sim.simulation.outside import Conversations, ConversingTransport, OutsideWork

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AccountingLoop(asyncio.SelectorEventLoop):
    """asyncio's event loop, keeping account of outside work.

    Attributes:
        outside: threads and child processes that are at work.
        conversations: sockets on which an answer is awaited.
        ever_watched: whether any file was ever watched, besides the loop's own.
    """

    # asyncio's own members, which its stubs leave out.
    _selector: selectors.BaseSelector
    _default_executor: concurrent.futures.Executor | None
    _executor_shutdown_called: bool
    _check_closed: Callable[[], None]
    _check_default_executor: Callable[[], None]
    _process_events: Callable[[list[tuple[selectors.SelectorKey, int]]], None]

    def __init__(self, patience: float) -> None:
        """
        Args:
            patience: how many seconds of real time outside work may take at a stretch.
        """
        self.outside = OutsideWork(patience)
        self.conversations = Conversations()
        self._children: dict[int, Callable[[], None] | None] = {}
        super().__init__()
        self._files = self._selector.get_map()
        self._own_files = len(self._files)
        self.ever_watched = False

    @property
    def has_sockets(self) -> bool:
        """Whether any file is watched, besides the loop's own."""
        return len(self._files) > self._own_files

    def _add_reader(self, *args: Any) -> Any:
        self.ever_watched = True
        return cast("Any", super())._add_reader(*args)

    def _add_writer(self, *args: Any) -> Any:
        self.ever_watched = True
        return cast("Any", super())._add_writer(*args)

    def poll(self, timeout: float) -> None:
        """See to what has come in, waiting for up to `timeout` seconds of real time."""
        happened = self._selector.select(timeout)
        for key, mask in happened:
            self.conversations.heard(key.fd, mask)
        self._process_events(happened)

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Run `func` in a thread; virtual time stands still until it is done."""
        self._check_closed()
        if executor is None:
            self._check_default_executor()
            if self._default_executor is None:
                self._default_executor = concurrent.futures.ThreadPoolExecutor(
                    thread_name_prefix="virtual"
                )
            executor = self._default_executor
        work = executor.submit(func, *args)
        done = self.outside.begin_thread(func)
        future = asyncio.wrap_future(work, loop=self)
        # After wrap_future: the result is to arrive before time may move on.
        work.add_done_callback(lambda _: self._from_outside(done))
        return future

    async def shutdown_default_executor(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - asyncio's own signature
    ) -> None:
        """Wait for the executor's threads in real time; a virtual limit would pass at once."""
        del timeout
        self._executor_shutdown_called = True
        if self._default_executor is None:
            return
        executor = self._default_executor
        finished = self.create_future()
        done = self.outside.begin("the default executor's shutdown")

        def finish() -> None:
            done()
            setter(finished)()

        def shut_down() -> None:
            executor.shutdown(wait=True)
            self._from_outside(finish)

        thread = threading.Thread(target=shut_down, daemon=True)
        thread.start()
        await finished
        thread.join()

    async def sock_sendall(self, sock: Any, data: Any) -> None:
        self.conversations.said(sock)
        await super().sock_sendall(sock, data)

    async def sock_recv(self, sock: Any, nbytes: int) -> bytes:
        return self._heard(sock, await super().sock_recv(sock, nbytes))

    async def sock_recv_into(self, sock: Any, buf: Any) -> int:
        return self._heard(sock, await super().sock_recv_into(sock, buf))

    async def sock_connect(self, sock: Any, address: Any) -> None:
        self.conversations.said(sock)
        try:
            await super().sock_connect(sock, address)
        finally:
            self.conversations.left(sock.fileno())

    def _heard(self, sock: Any, received: T) -> T:
        self.conversations.heard(sock.fileno(), selectors.EVENT_READ)
        return received

    def _make_socket_transport(self, sock: Any, *args: Any, **kwargs: Any) -> Any:
        return ConversingTransport(self, sock, *args, **kwargs)

    async def _make_subprocess_transport(
        self, protocol: Any, args: Any, *rest: Any, **kwargs: Any
    ) -> Any:
        command = args if isinstance(args, str | bytes) else " ".join(map(str, args))
        done = self.outside.begin(f"the child process {command!r}")
        try:
            make = cast("Any", super())._make_subprocess_transport
            transport = await make(protocol, args, *rest, **kwargs)
        except BaseException:
            done()
            raise
        pid = transport.get_pid()
        if pid in self._children:  # it has ended while it was being set up
            del self._children[pid]
            self.call_soon(done)
        else:
            self._children[pid] = done
        return transport

    def _child_watcher_callback(self, pid: int, returncode: int, transport: Any) -> None:
        cast("Any", super())._child_watcher_callback(pid, returncode, transport)
        done = self._children.pop(pid, None)
        if done is None:
            self._children[pid] = None
        else:
            self.call_soon(done)

    def _from_outside(self, callback: Callable[[], object]) -> None:
        """Have `callback` called on the loop's thread, unless the loop is closed by then."""
        try:
            self.call_soon_threadsafe(callback)
        except RuntimeError:
            if not self.is_closed():
                raise


def setter(future: asyncio.Future[None]) -> Callable[[], None]:
    """A callback that ends `future`, unless it has ended."""

    def set_it() -> None:
        if not future.done():
            future.set_result(None)

    return set_it
