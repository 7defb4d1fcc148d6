"""Processes that do not outlive this one, however it ends."""

import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from .errors import ToolMissing

# Linux sends the parent's-death signal when the *thread* that started a process ends. A test may
# start a server in a short-lived thread, so that one thread, which lasts, starts them all.
_STARTER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="starts servers")


def spawn(
    command: Sequence[str | Path], *, log: Path, directory: Path, cpu: int | None
) -> "subprocess.Popen[bytes]":
    """Start a process that is killed when this one ends, even by SIGKILL (on Linux).

    Args:
        command: the program and its arguments.
        log: the file at whose end its output is written.
        directory: where it runs.
        cpu: the number of the one CPU that it may use, or None for all.

    Raises:
        ToolMissing: it is to be pinned to a CPU, and there is no `taskset`.
    """
    whole = [*_leash(), *_pin(cpu), *command]
    with log.open("ab") as output:
        return _STARTER.submit(
            subprocess.Popen,
            whole,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ).result()


@cache
def _leash() -> tuple[str, ...]:
    """What to put before a command so that it dies with us; nothing where there is no such tool.

    A program does this rather than `preexec_fn`, which may deadlock in a process with threads and
    is warned about there since Python 3.12.
    """
    leash = ("setpriv", "--pdeathsig", "KILL", "--")
    try:
        subprocess.run([*leash, "true"], check=True, capture_output=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return leash


def _pin(cpu: int | None) -> tuple[str, ...]:
    if cpu is None:
        return ()
    if not shutil.which("taskset"):
        raise ToolMissing(
            f"expected the command `taskset`, to pin a server to CPU {cpu}, found none on the "
            f"PATH. Install util-linux, or leave `cpu` out."
        )
    return ("taskset", "-c", str(cpu))
