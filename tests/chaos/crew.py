"""The worker processes of a campaign: some places, in each of which a process works."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

from servers.process import spawn

_TESTS = Path(__file__).parents[1]
_STOPPING = 10.0  # seconds


@dataclass(slots=True)
class _Post:
    """A place, and who works there now."""

    process: "subprocess.Popen[bytes]"
    log: Path


class Crew:
    """Worker processes, one in each of some places; whoever is killed is replaced.

    Attributes:
        kills, pauses: how many there were.
        oddities: what went wrong that nobody has caused: a process that ended by itself, or did
            not stop.
    """

    def __init__(
        self, folder: Path, docket: str, urls: list[str], *, lease: float, concurrency: int = 10
    ) -> None:
        """
        Args:
            folder: where the books and the logs go.
            docket: the docket's name.
            urls: where it is, for the worker in each place.
            lease: how many seconds a claim lasts.
            concurrency: how many attempts a worker may run at once.
        """
        self._folder = folder
        self._urls = urls
        self._options = ["--docket", docket, "--lease", f"{lease}"]
        self._options += ["--concurrency", f"{concurrency}"]
        self._numbers = count(1)
        self._posts: list[_Post] = []
        self.kills = self.pauses = 0
        self.oddities: list[str] = []

    @property
    def size(self) -> int:
        """How many places there are."""
        return len(self._urls)

    def start(self) -> None:
        """Fill every place."""
        self._posts = [self._hire(place) for place in range(self.size)]

    def kill(self, place: int) -> bool:
        """SIGKILL whoever works there, if somebody does; the place is empty until `replace()`."""
        process = self._posts[place].process
        if process.poll() is not None:
            return False
        process.send_signal(SIGKILL)
        process.wait()
        self.kills += 1
        return True

    def replace(self, place: int) -> None:
        """Fill a place whose worker was killed."""
        self._posts[place] = self._hire(place)

    def pause(self, place: int) -> Callable[[], None]:
        """SIGSTOP whoever works there; what is returned lets that one go on, if it still lives."""
        process = self._posts[place].process
        process.send_signal(SIGSTOP)
        self.pauses += 1
        return lambda: process.send_signal(SIGCONT)

    def look_after(self) -> None:
        """Replace those who have ended by themselves, which nobody should."""
        for place, post in enumerate(self._posts):
            code = post.process.poll()
            if code is not None and code != -SIGKILL:
                self.oddities.append(f"a worker ended by itself, with {code}: {post.log.name}")
                self.replace(place)

    def stop(self) -> None:
        """SIGTERM all, and wait until they have ended."""
        for post in self._posts:
            post.process.send_signal(SIGCONT)
            post.process.send_signal(SIGTERM)
        for post in self._posts:
            try:
                code = post.process.wait(_STOPPING)
            except subprocess.TimeoutExpired:
                self.oddities.append(f"a worker did not stop: {post.log.name}")
                post.process.send_signal(SIGKILL)
                post.process.wait()
            else:
                if code not in (0, -SIGKILL):
                    self.oddities.append(f"a worker stopped with {code}: {post.log.name}")
        self._posts = []

    def books(self) -> list[Path]:
        """The books that have been written."""
        return sorted(self._folder.glob("*.book"))

    def complaints(self) -> list[str]:
        """What the workers have logged as errors."""
        return [
            f"{log.name}: {line}"
            for log in sorted(self._folder.glob("*.log"))
            for line in log.read_text(errors="replace").splitlines()
            if " ERROR " in line or line.startswith("Traceback")
        ]

    def _hire(self, place: int) -> _Post:
        name = f"worker-{place + 1}-{next(self._numbers)}"
        log = self._folder / f"{name}.log"
        command = [sys.executable, "-m", "chaos.worker_main", "--name", name]
        command += ["--url", self._urls[place], "--book", str(self._folder / f"{name}.book")]
        process = spawn([*command, *self._options], log=log, directory=_TESTS, cpu=None)
        return _Post(process, log)
