"""What the cases run in: a server, cores, environments."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.case import CaseFailed
from benchmarks.redis import sizes
from benchmarks.redis.catalogue import System
from benchmarks.redis.child import Child
from benchmarks.redis.cores import Cores
from benchmarks.redis.environments import interpreter
from benchmarks.redis.server import Server


@dataclass(frozen=True, slots=True)
class Setting:
    """What the cases run in.

    Attributes:
        server: the private server; flushed before each case.
        cores: who runs where.
        environments: the folder with the peers.
        quick: whether to take far fewer tasks.
    """

    server: Server
    cores: Cores
    environments: Path
    quick: bool

    def scaled(self, tasks: int) -> int:
        """How many tasks to take, when so many would be right if there was time."""
        return sizes.scaled(tasks, quick=self.quick)

    def producer(self, system: System, how: str, count: int) -> Child:
        """A process that will add tasks."""
        return self._child(system.environment, "producer", system.name, self._url, how, str(count))

    def worker(self, system: System, expect: int, *options: str) -> Child:
        """A process that will work until so many tasks have run; forever, if none is expected."""
        arguments = (system.name, self._url, "--expect", str(expect), *options)
        return self._child(system.environment, "worker", *arguments)

    def floor(self, name: str, count: int) -> Child:
        """A process that measures a floor."""
        return self._child("floors", "floors", name, self._url, str(count))

    @property
    def _url(self) -> str:
        return self.server.url

    def _child(self, environment: str, module: str, *arguments: str) -> Child:
        python = interpreter(environment, self.environments)
        if python is None:
            raise CaseFailed(f"{environment} is not installed")
        return Child(python, module, *arguments)
