"""A stream of Redis' protocol, cut into whole requests or replies.

Both versions of it (RESP2 and RESP3), and requests that are written as plain lines.
"""

_BULKS = frozenset("$!=")  # a length, and so many bytes
_AGGREGATES = {"*": 1, "~": 1, ">": 1, "%": 2, "|": 2}  # a count, and so many values for each
_ATTRIBUTE = "|"  # goes before the value that it belongs to
_END = b"\r\n"
_LINES_TO_WORD = 2  # how many elements there are, and how long the first is
_SUBSCRIBE = b"subscribe"
_MESSAGES = frozenset({b"message", b"pmessage", b"smessage"})


class Frames:
    """Cuts what comes in; what is not complete yet is kept for the next time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start_over()

    def feed(self, data: bytes) -> list[bytes]:
        """Add what has come in, and return the frames that are complete now."""
        self._buffer += data
        frames: list[bytes] = []
        while self._is_complete():
            frames.append(bytes(self._buffer[: self._position]))
            del self._buffer[: self._position]
            self._start_over()
        return frames

    def _start_over(self) -> None:
        self._position = 0  # where the next value of the frame begins
        self._missing = 1  # how many values it still needs

    def _is_complete(self) -> bool:
        while self._missing:
            line_end = self._buffer.find(_END, self._position)
            if line_end < 0:
                return False
            position, contained = self._value(line_end)
            if position > len(self._buffer):
                return False
            self._position = position
            self._missing += contained - 1
        return True

    def _value(self, line_end: int) -> tuple[int, int]:
        """Where the value ends whose first line ends there, and how many more it contains."""
        kind, rest = chr(self._buffer[self._position]), self._buffer[self._position + 1 : line_end]
        end = line_end + len(_END)
        if kind in _AGGREGATES:
            contained = _AGGREGATES[kind] * max(0, int(rest))
            return end, contained + (kind == _ATTRIBUTE)
        if kind in _BULKS and int(rest) >= 0:
            end += int(rest) + len(_END)
        return end, 0


def is_unasked(reply: bytes) -> bool:
    """Whether what the server sends answers no request: a message, or another push of its own."""
    word = _word(reply)
    if word.endswith(_SUBSCRIBE):  # says that the request was carried out
        return False
    return reply.startswith(b">") or word in _MESSAGES


def replies_to(request: bytes) -> int:
    """How many frames answer a request: for one that (un)subscribes, one for each channel."""
    channels = int(request[1 : request.index(_END)]) - 1 if request.startswith(b"*") else 1
    return max(1, channels) if _word(request).endswith(_SUBSCRIBE) else 1


def _word(frame: bytes) -> bytes:
    """The first word of a frame that begins with one: a command's name, or a message's kind."""
    lines = frame.split(_END, 3)
    return lines[2].lower() if lines[0][:1] in b"*>" and len(lines) > _LINES_TO_WORD else b""
