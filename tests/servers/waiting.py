"""Waiting for what real processes do: in short steps of real time, and never for ever.

Nothing of the project is needed to wait, so that servers start whatever is broken there.
"""

import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TypeVar

from .certificates import Certificates
from .errors import TookTooLong

HOST = "127.0.0.1"
PATIENCE = 10.0
_FIRST_STEP, _LONGEST_STEP = 0.003, 0.05
_ANSWER_WITHIN = 1.0

T = TypeVar("T")


# A simulation freezes time by replacing the attributes of modules. It leaves default arguments
# alone, and real processes take real time.


def real_monotonic(_read: Callable[[], float] = time.monotonic) -> float:
    """Seconds since some fixed point; never frozen."""
    return _read()


def _sleep(seconds: float, _sleep: Callable[[float], None] = time.sleep) -> None:
    _sleep(seconds)


def wait_until(look: Callable[[], T], what: str, *, within: float = PATIENCE) -> T:
    """Look again and again until what is seen is true, and return it.

    Args:
        look: called every 3 to 50 milliseconds; an exception of its own ends the waiting.
        what: for the error: what is expected, as the end of "expected that ...".
        within: how many seconds to wait at most.

    Raises:
        TookTooLong: the time is up.
    """
    end, step = real_monotonic() + within, _FIRST_STEP
    while not (seen := look()):
        if real_monotonic() > end:
            raise TookTooLong(
                f"expected that {what} within {within:g} s, found {seen!r} to the end. Look at the "
                f"server's log(), or wait longer if the machine is slow."
            )
        _sleep(step)
        step = min(step * 1.5, _LONGEST_STEP)
    return seen


def answers(port: int, secured_by: Certificates | None = None) -> bool:
    """Whether a server on this port answers PING, be it that one has to log in first."""
    try:
        with ExitStack() as closing:
            line = closing.enter_context(
                socket.create_connection((HOST, port), timeout=_ANSWER_WITHIN)
            )
            if secured_by is not None:
                context = ssl.create_default_context(cafile=str(secured_by.ca))
                context.load_cert_chain(secured_by.certificate, secured_by.key)
                line = closing.enter_context(context.wrap_socket(line, server_hostname=HOST))
            line.sendall(b"PING\r\n")
            reply = line.recv(64)
    except OSError:
        return False
    return bool(reply) and not reply.startswith(b"-LOADING")
