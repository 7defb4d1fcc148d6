"""The benchmark's own client of its server: blocking, and without any library."""

import socket
from typing import Any

from benchmarks.measure import seconds

_PINGS = 3_000
_SERIES = 3


class Refused(Exception):
    """The server answered with an error."""


class Client:
    """A connection to a server on this machine."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def ask(self, *command: str) -> Any:
        """Send a command, and return the answer.

        Raises:
            Refused: the answer is an error.
        """
        parts = [part.encode() for part in command]
        framed = b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self._socket.sendall(b"*%d\r\n%s" % (len(parts), framed))
        return self._answer()

    def next_line(self) -> bytes:
        """The next line, from a server that goes on to send them."""
        return self._answers.readline()

    def info(self) -> dict[str, str]:
        """Everything that the server tells about itself."""
        text: str = self.ask("INFO", "everything").decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def round_trip(self) -> float:
        """How many seconds one request takes: the best of some series of PING, each averaged."""
        return min(self._pings() for _ in range(_SERIES))

    def _pings(self) -> float:
        started = seconds()
        for _ in range(_PINGS):
            self.ask("PING")
        return (seconds() - started) / _PINGS

    def _answer(self) -> Any:
        line = self._answers.readline()
        kind, rest = line[:1], line[1:-2]
        match kind:
            case b"+":
                return rest
            case b":":
                return int(rest)
            case b"$":
                return self._bulk(int(rest))
            case b"*":
                return [self._answer() for _ in range(int(rest))]
            case _:
                raise Refused(rest.decode() or "the server hung up")

    def _bulk(self, length: int) -> bytes | None:
        return None if length < 0 else self._answers.read(length + 2)[:-2]
