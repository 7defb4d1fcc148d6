"""A worker in a process of its own, and what it writes."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0


class WorkerProcess:
    """`docket-sim worker`, started as its console script would start it."""

    def __init__(
        self, options: Sequence[str], variables: Mapping[str, str], folder: Path, cwd: Path
    ) -> None:
        folder.mkdir()
        self._log, self._output, self._notes = (folder / name for name in ("log", "out", "notes"))
        self._notes.touch()
        environment = os.environ | dict(variables)
        environment |= {"PYTHONPATH": str(ROOT), "CLI_SHOP_OUT": str(self._notes)}
        # -P leaves the current directory off the path, as it is for a console script.
        command = [sys.executable, "-P", "-m", "docket_sim.cli", "worker", *options]
        with self._log.open("w") as log, self._output.open("w") as output:
            self._process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdout=output, stderr=log
            )

    @property
    def log(self) -> str:
        """What it has written to stderr."""
        return self._log.read_text()

    @property
    def output(self) -> str:
        """What it has written to stdout."""
        return self._output.read_text()

    @property
    def notes(self) -> str:
        """What its tasks have noted."""
        return self._notes.read_text()

    def signal(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it, if it has not ended."""
        self._process.kill()
        self._process.wait()

    def exit_code(self) -> int:
        """Wait for its end."""
        return self._process.wait(PATIENCE)

    def noted(self, text: str) -> None:
        """Wait until a task has noted `text`."""
        self._until(lambda: text in self.notes, text)

    def logged(self, pattern: str) -> re.Match[str]:
        """Wait until something in the log matches `pattern`."""
        self._until(lambda: re.search(pattern, self.log), pattern)
        found = re.search(pattern, self.log)
        assert found is not None
        return found

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        """The status and the body of the health endpoint's answer."""
        port = int(self.logged(r"health at http://127\.0\.0\.1:(\d+)/health")[1])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def _until(self, condition, what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            ended = self._process.poll()
            assert ended is None, f"it ended with {ended} before {what!r}:\n{self.log}"
            assert time.monotonic() < deadline, f"{what!r} did not come:\n{self.log}"
            time.sleep(0.01)
