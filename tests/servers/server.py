"""One private Redis server: a process, a directory and a port of its own."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .binaries import Binary, find_binaries
from .errors import PortTaken, ServerDidNotStart, ServerNotRunning, TlsMissing, TookTooLong
from .options import Options
from .ports import free_port
from .process import spawn
from .waiting import HOST, PATIENCE, answers, wait_until

_NEVER = Retry(NoBackoff(), 0)
_TRIES = 5
_TAIL = 15
_STARTED = ("Ready to accept connections", "ready to accept connections", "Sentinel ID is")
_KNOWS_NO_TLS = (">>> 'tls-", "Failed finding TLS support")  # before Redis 8, and since
_OPEN: "set[RedisServer]" = set()
_OWNER = os.getpid()


class RedisServer:
    """A Redis server for this process alone.

        with RedisServer(appendonly=True) as server:
            server.ask("SET", "colour", "blue")
            server.kill()
            server.restart()
            assert server.ask("GET", "colour") == b"blue"

    Attributes:
        binary: what it runs.
        options: what it was asked for.
        directory: where it keeps everything; removed by `close()`.
    """

    def __init__(
        self, binary: Binary | None = None, *, port: int | None = None, **options: Any
    ) -> None:
        """
        Args:
            binary: what to run; else the first that is found.
            port: where to listen; else on a free port, chosen at the first start and then kept.
            options: see `Options`.

        Raises:
            NoRedisServer: there is nothing to run.
        """
        self.binary = binary or find_binaries()[0]
        self.options = Options(**options)
        self.directory = Path(tempfile.mkdtemp(prefix="docket-redis-"))
        self._given_port = port
        self._port: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._read_before = 0
        _OPEN.add(self)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> Self:
        """Start, and return when PING is answered. Does nothing to a server that runs.

        What was started before keeps its port and its directory.

        Raises:
            ServerDidNotStart: it exited, or did not answer within 10 seconds.
        """
        if self.running:
            return self
        chosen = self._port or self._given_port
        for port in [chosen] if chosen else [free_port() for _ in range(_TRIES)]:
            try:
                self._launch(port)
            except PortTaken as error:
                taken = error
            else:
                return self
        raise taken

    def stop(self) -> None:
        """End it by SIGTERM, and by SIGKILL if it does not obey. Data on the disk stay."""
        if self._process is None:
            return
        for number in (signal.SIGCONT, signal.SIGTERM):  # a paused one would not hear the second
            self._process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        self.kill()

    def kill(self) -> None:
        """End it by SIGKILL, as a crash of the machine would. Returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Stop it if it runs, and start it at the same port, with what it has on the disk.

        Raises:
            ServerDidNotStart: see `start`; among others, somebody has taken the port.
        """
        self.stop()
        self.start()

    def pause(self) -> None:
        """Let it do nothing until `resume()`; its connections stay. Returns when it has stopped.

        Raises:
            ServerNotRunning: it does not run.
        """
        pid = self.pid
        os.kill(pid, signal.SIGSTOP)
        look = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        wait_until(lambda: os.waitid(os.P_PID, pid, look), f"process {pid} pauses")

    def resume(self) -> None:
        """Let it go on.

        Raises:
            ServerNotRunning: it does not run.
        """
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it, since nothing of it is to stay, and remove its files. May be called again."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)
        _OPEN.discard(self)

    @property
    def running(self) -> bool:
        """Whether its process exists; a paused one does."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id.

        Raises:
            ServerNotRunning: it does not run.
        """
        if self._process is None or not self.running:
            raise ServerNotRunning(f"expected that {self} runs, found that it does not. start() it")
        return self._process.pid

    @property
    def port(self) -> int:
        """Where it listens, on 127.0.0.1; stays the same from the first start on.

        Raises:
            ServerNotRunning: it was never started, and no port was asked for.
        """
        port = self._port or self._given_port
        if port is None:
            raise ServerNotRunning(f"expected a port, found that {self} has none yet. start() it")
        return port

    @property
    def url(self) -> str:
        """The URL of database 0, for the default user."""
        return self.url_for(0)

    def url_for(self, db: int, *, user: str = "", password: str | None = None) -> str:
        """The URL of a database.

        Args:
            db: the number of the database.
            user: who logs in; else the default user.
            password: the password; else that of the default user.
        """
        login = self.options.login(user, password)
        if self.options.secured_by is None:
            return f"redis://{login}{HOST}:{self.port}/{db}"
        authority = quote(str(self.options.secured_by.ca), safe="/")
        return f"rediss://{login}{HOST}:{self.port}/{db}?ssl_ca_certs={authority}"

    @property
    def unix_url(self) -> str:
        """The URL of the Unix socket, for the default user; it is there if it was asked for."""
        return f"unix://{self.options.login()}{self.directory / 'redis.sock'}?db=0"

    def client(self, **options: Any) -> Redis:
        """A client that gives up at the first failure; for the caller to close.

        Args:
            options: of redis-py, besides those of the URL.
        """
        return Redis.from_url(self.url, **{"retry": _NEVER, "protocol": 2, **options})

    def ask(self, *command: str | bytes | float) -> Any:
        """What the server answers to one command, on a connection of its own.

        Raises:
            redis.RedisError: it refuses, or cannot be reached.
        """
        with self.client() as client:
            return client.execute_command(*command)

    def log(self) -> str:
        """All that it has written, over all its starts."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def __repr__(self) -> str:
        port = self._port or self._given_port or "a free port"
        return f"<RedisServer {self.binary} at {port}>"

    @property
    def _log(self) -> Path:
        return self.directory / "server.log"

    def _launch(self, port: int) -> None:
        configuration = self.directory / "redis.conf"
        if self._port is None:  # later it holds what the server itself has written there
            configuration.write_text("\n".join(self.options.lines(self.directory, port)) + "\n")
        self._read_before = len(self.log())
        mode = ["--sentinel"] if self.options.sentinel else []
        self._process = spawn(
            [self.binary.path, configuration, *mode],
            log=self._log,
            directory=self.directory,
            cpu=self.options.cpu,
        )
        try:
            wait_until(lambda: self._has_started(port), f"{self} answers PING at port {port}")
        except TookTooLong as error:
            ending = self._tail()
            self.kill()
            raise ServerDidNotStart(f"{error}\nThe end of its log:\n{ending}") from None
        self._port = port

    def _has_started(self, port: int) -> bool:
        """Whether it serves. That PING is answered is not enough: another server might do that."""
        if not self.running:
            raise self._why_it_exited(port)
        started = any(line in self._news() for line in _STARTED)
        return started and answers(port, self.options.secured_by)

    def _why_it_exited(self, port: int) -> ServerDidNotStart:
        code = self._process.wait() if self._process is not None else None
        self._process = None
        news = self._news()
        ending = f"The end of its log:\n{self._tail()}"
        if "Address already in use" in news:
            return PortTaken(
                f"expected port {port} to be free for {self}, found another process on it. "
                f"End that one, or ask for no particular port.\n{ending}"
            )
        if self.options.tls and any(line in news for line in _KNOWS_NO_TLS):
            return TlsMissing(
                f"expected a redis-server that was built with TLS, found that {self.binary} was "
                f"not. Take binary_with_tls().\n{ending}"
            )
        return ServerDidNotStart(
            f"expected that {self} answers PING at port {port}, found that it exited with code "
            f"{code}. Mend what its log complains of.\n{ending}"
        )

    def _news(self) -> str:
        """What it has logged since this start."""
        return self.log()[self._read_before :]

    def _tail(self) -> str:
        return "\n".join(self._news().splitlines()[-_TAIL:])


def close_all() -> None:
    """Close every server of this process that is still open; done when it ends."""
    if os.getpid() == _OWNER:  # not in a child that was forked
        for server in list(_OPEN):
            server.close()


atexit.register(close_all)
