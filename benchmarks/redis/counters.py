"""What the server has counted, and who has issued its commands: a client, or a script.

INFO counts what scripts call like what clients send, so only MONITOR tells them apart.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from benchmarks.redis.client import Client

_LINE = re.compile(rb'\+\d+\.\d+ \[\d+ (\S+)\] "([^"]+)"')
_END = "the benchmark looks away"
_OVERHEAD = frozenset({"info", "client", "config", "hello", "auth", "command", "monitor", "select"})
"""What clients send to get to know the server, and what the benchmark itself sends."""


@dataclass(frozen=True, slots=True)
class Counters:
    """What the server has counted so far.

    Attributes:
        reads: how often it has read from a socket: close to the number of round trips.
        memory: how many bytes it has in use.
    """

    reads: int
    memory: int

    @classmethod
    def now(cls, client: Client) -> Self:
        info = client.info()
        return cls(int(info["total_reads_processed"]), int(info["used_memory"]))


@dataclass(frozen=True, slots=True)
class Commands:
    """How many commands there were.

    Attributes:
        client: those that clients have sent, by name.
        script: those that scripts have called, by name.
    """

    client: Counter[str]
    script: Counter[str]


def watched(port: int, work: Callable[[], object]) -> Commands:
    """The commands that the server carries out while `work` runs."""
    watcher = Client(port)
    watcher.ask("MONITOR")
    found = Commands(Counter(), Counter())
    reader = threading.Thread(target=_read, args=(watcher, found))
    reader.start()
    try:
        work()
    finally:
        ending = Client(port)
        ending.ask("ECHO", _END)
        ending.close()
        reader.join()
        watcher.close()
    return found


def _read(watcher: Client, found: Commands) -> None:
    while line := watcher.next_line():
        match = _LINE.match(line)
        if match is None:
            continue
        name = match[2].decode().lower()
        if name == "echo" and _END.encode() in line:
            return
        if name not in _OVERHEAD:
            (found.script if match[1] == b"lua" else found.client)[name] += 1
