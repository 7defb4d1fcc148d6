"""What happens outside of virtual time: threads, child processes, and bytes on real sockets.

Virtual time stands still while outside work is under way, so that no virtual timer can beat a real
answer. An open connection is not work: only one on which something was sent and nothing has come
back yet, and that for a short grace only, since not everything that is sent is answered.
"""

# pyright: reportPrivateUsage=false, reportAttributeAccessIssue=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUntypedBaseClass=false

import functools
import selectors
from asyncio import selector_events
from collections.abc import Callable
from itertools import count
from typing import Any

from docket_sim.clock.system import real_monotonic
from docket_sim.errors import ClockHeld


class OutsideWork:
    """What is under way outside, and for how long it may hold virtual time.

    Attributes:
        under_way: what is under way, by number.
        patience: seconds of real time for which virtual time may be held at a stretch.
    """

    def __init__(self, patience: float) -> None:
        """
        Args:
            patience: seconds of real time for which virtual time may be held at a stretch.
        """
        self.patience = patience
        self.under_way: dict[int, str] = {}
        self._numbers = count()
        self._held_since: float | None = None

    def begin(self, what: str) -> Callable[[], None]:
        """Note that `what` is under way; call the answer, on the loop's thread, when it is over."""
        number = next(self._numbers)
        self.under_way[number] = what

        def done() -> None:
            self.under_way.pop(number, None)
            self._held_since = None

        return done

    def begin_thread(self, function: Callable[..., Any]) -> Callable[[], None]:
        """Note that a thread runs `function`."""
        return self.begin(f"a thread running {_name(function)}")

    def hold(self) -> float:
        """For how many seconds of real time virtual time must stand still yet; 0 if it need not.

        Raises:
            ClockHeld: it has stood still for longer than the patience; the message names what for.
        """
        if not self.under_way:
            self._held_since = None
            return 0.0
        now = real_monotonic()
        if self._held_since is None:
            self._held_since = now
        left = self._held_since + self.patience - now
        if left > 0:
            return left
        self._held_since = None
        held_for = "\n".join(f"  {what}" for what in self.under_way.values())
        raise ClockHeld(
            f"virtual time has stood still for {self.patience:g} s of real time, waiting for\n"
            f"{held_for}\n"
            f"If that may take longer, give the simulation more patience=; if it waits for virtual "
            f"time itself, it waits for ever: let it wait on the loop instead."
        )


class Conversations:
    """The connections on which something was sent and nothing has come back yet.

    Attributes:
        grace: for how many seconds of real time an answer is waited for.
        awaited: until which moment of real time, by the socket's descriptor.
    """

    grace = 1.0

    def __init__(self) -> None:
        self.awaited: dict[int, float] = {}
        self._ends: dict[int, Any] = {}

    def said(self, sock: Any) -> None:
        """Something was sent on `sock`."""
        descriptor = sock.fileno()
        if descriptor >= 0:
            self.awaited[descriptor] = real_monotonic() + self.grace
            self._ends[descriptor] = sock

    def heard(self, descriptor: int, mask: int) -> None:
        """Something has come in on `descriptor`: its conversation is over, and so is that of the
        one who sent it, if that was a socket of this same loop.
        """
        if not mask & selectors.EVENT_READ or not self.awaited:
            return
        self.awaited.pop(descriptor, None)
        if not self.awaited:
            return
        here = self._ends.get(descriptor)
        if here is None:
            return
        sender = _addresses(here)[::-1]
        for other in list(self.awaited):
            if _addresses(self._ends[other]) == sender:
                del self.awaited[other]

    def joined(self, sock: Any) -> None:
        """`sock` may take part from now on."""
        self._ends[sock.fileno()] = sock

    def left(self, descriptor: int) -> None:
        """The socket was closed."""
        self.awaited.pop(descriptor, None)
        self._ends.pop(descriptor, None)

    def hold(self) -> float:
        """For how many seconds of real time an answer is waited for yet; 0 if for none."""
        if not self.awaited:
            return 0.0
        now = real_monotonic()
        for descriptor, until in list(self.awaited.items()):
            if until <= now:
                del self.awaited[descriptor]
        return max((until - now for until in self.awaited.values()), default=0.0)


class ConversingTransport(selector_events._SelectorSocketTransport):  # type: ignore[name-defined, misc]
    """asyncio's socket transport, which tells its loop's conversations what it sends."""

    def __init__(self, loop: Any, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._conversations: Conversations = loop.conversations
        self._conversations.joined(sock)
        super().__init__(loop, sock, *args, **kwargs)

    def write(self, data: Any) -> None:
        self._conversations.said(self._sock)
        super().write(data)

    def writelines(self, list_of_data: Any) -> None:
        self._conversations.said(self._sock)
        super().writelines(list_of_data)

    def _force_close(self, exc: BaseException | None) -> None:
        self._conversations.left(self._sock_fd)
        super()._force_close(exc)

    def close(self) -> None:
        self._conversations.left(self._sock_fd)
        super().close()


def _addresses(sock: Any) -> tuple[Any, Any]:
    try:
        return (sock.getsockname(), sock.getpeername())
    except OSError:
        return (None, sock)


def _name(function: Callable[..., Any]) -> str:
    """The function's name and place; `to_thread` hides it in a partial."""
    while isinstance(function, functools.partial):
        inner = [a for a in function.args if callable(a)]
        function = inner[0] if function.func.__name__ == "run" and inner else function.func
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", repr(function))
    return f"{name} ({code.co_filename}:{code.co_firstlineno})" if code else str(name)
