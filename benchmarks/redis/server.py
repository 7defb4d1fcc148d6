"""A private Redis server: on the loopback, on a free port, without persistence."""

import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

from benchmarks.measure import seconds
from benchmarks.redis.client import Client, Refused
from benchmarks.redis.cores import pinned

_PROGRAM = "redis-server"
_PATIENCE = 10.0


class NoServer(Exception):
    """The server could not be started."""


class Server:
    """A server that lives as long as the context, and that nobody else knows of.

    Attributes:
        port: where it listens.
        process: its process id.
        client: a connection to it.
    """

    def __init__(self, cores: frozenset[int]) -> None:
        """
        Args:
            cores: where it may run.
        """
        self._cores = cores

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            NoServer: it is not installed, or does not come up.
        """
        program = shutil.which(_PROGRAM)
        if program is None:
            raise NoServer(f"expected {_PROGRAM} on the PATH, found none: install Redis or Valkey")
        self._folder = tempfile.TemporaryDirectory(prefix="docket-sim-benchmark-")
        self.port = _free_port()
        with pinned(self._cores):  # before it starts its threads
            self._process = subprocess.Popen(
                [program, *self._settings()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        self.process = self._process.pid
        try:
            self.client = self._reach()
        except NoServer:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.client.close()
        self._stop()

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def flush(self) -> None:
        """Make it as new: no data, no scripts, no statistics."""
        for command in ("FLUSHALL SYNC", "SCRIPT FLUSH SYNC", "CONFIG RESETSTAT"):
            self.client.ask(*command.split())
        with suppress(Refused):  # Redis 6 knows no functions
            self.client.ask("FUNCTION", "FLUSH")

    def version(self) -> str:
        return f"Redis {self.client.info()['redis_version']}"

    def _settings(self) -> list[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "dir": self._folder.name,
        }
        return [part for name, value in settings.items() for part in (f"--{name}", value)]

    def _reach(self) -> Client:
        deadline = seconds() + _PATIENCE
        while self._process.poll() is None and seconds() < deadline:
            try:
                return Client(self.port)
            except OSError:
                time.sleep(0.02)
        raise NoServer(f"{_PROGRAM} does not answer on port {self.port}")

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._folder.cleanup()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
