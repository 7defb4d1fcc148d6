"""Processes of their own, for producers and workers: told when to go, they say what they saw."""

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.case import ROOT, CaseFailed

READY = "READY"
RESULT = "RESULT "
_PATIENCE = 300.0
_SHOWN = 2_000


def say_ready() -> None:
    """In the child: everything is set up. Returns when it may go."""
    print(READY, flush=True)
    sys.stdin.readline()


def say_result(result: Mapping[str, Any]) -> None:
    """In the child: what it has measured."""
    print(RESULT + json.dumps(result), flush=True)


class Child:
    """In the parent: a child process, which does not outlive the context.

    Attributes:
        process: its process id.
    """

    def __init__(self, python: Path, module: str, *arguments: str) -> None:
        self._what = f"{module} {' '.join(arguments)}"
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the child
        self._process = subprocess.Popen(
            [python, "-m", f"benchmarks.redis.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.process = self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def until_ready(self) -> None:
        """Wait until it is set up.

        Raises:
            CaseFailed: it ended instead.
        """
        self._wait_for(READY)

    def go(self) -> None:
        """Let it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def result(self) -> dict[str, Any]:
        """Wait for what it has measured.

        Raises:
            CaseFailed: it ended instead.
        """
        result: dict[str, Any] = json.loads(self._wait_for(RESULT))
        return result

    def expect_alive(self) -> None:
        """Make sure that it still runs.

        Raises:
            CaseFailed: it has ended.
        """
        if self._process.poll() is not None:
            raise self._failure()

    def until_ended(self) -> None:
        """Wait until it has closed everything.

        Raises:
            CaseFailed: it does not come to an end.
        """
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise self._failure() from None

    def _wait_for(self, prefix: str) -> str:
        assert self._process.stdout is not None
        watchdog = threading.Timer(_PATIENCE, self._process.kill)
        watchdog.start()
        try:
            for line in self._process.stdout:
                if line.startswith(prefix):
                    return line.removeprefix(prefix)
        finally:
            watchdog.cancel()
        raise self._failure()

    def _failure(self) -> CaseFailed:
        code = self._process.wait()
        self._errors.seek(0)
        return CaseFailed(f"{self._what} ended with {code}:\n{self._errors.read()[-_SHOWN:]}")
