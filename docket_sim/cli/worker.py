"""`docket-sim worker`: runs the tasks of a docket until a signal comes."""

import asyncio
import importlib
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from docket_sim.cli.complaints import OPERATIONAL, usage
from docket_sim.cli.last_resort import leave_with
from docket_sim.cli.log_lines import LogFormat, LogLevel, logging_as
from docket_sim.cli.place import EXECUTION_TTL, ExecutionTtl, Place
from docket_sim.cli.service import Service
from docket_sim.cli.stop import Stop
from docket_sim.errors import DocketError
from docket_sim.settings import WorkerSettings

_logger = logging.getLogger(__name__)

ABANDONED = 3
"""The exit code when work was abandoned, or the process had to be ended by force."""


@dataclass(frozen=True, slots=True)
class Process:
    """The process around a worker, as options tell of it; each says what it is for."""

    name: Annotated[
        str | None,
        typer.Option(
            envvar="DOCKET_WORKER_NAME",
            help="Names the worker; by default host, process and a few random digits.",
        ),
    ] = None
    health_port: Annotated[
        int | None,
        typer.Option(
            envvar="DOCKET_WORKER_HEALTH_PORT",
            min=0,
            max=65535,
            help="Answer GET /health and GET /live at this port; 0 takes one that is free.",
        ),
    ] = None
    health_host: Annotated[
        str,
        typer.Option(envvar="DOCKET_WORKER_HEALTH_HOST", help="The address to answer at."),
    ] = "127.0.0.1"
    log_level: Annotated[
        LogLevel,
        typer.Option(
            envvar="DOCKET_LOG_LEVEL", case_sensitive=False, help="The least level to log."
        ),
    ] = LogLevel.INFO
    log_format: Annotated[
        LogFormat,
        typer.Option(
            envvar="DOCKET_LOG_FORMAT",
            case_sensitive=False,
            help="Log lines for people, or a JSON object on each line.",
        ),
    ] = LogFormat.TEXT
    uvloop: Annotated[
        bool,
        typer.Option(
            envvar="DOCKET_WORKER_UVLOOP", help="Run on uvloop instead of asyncio's loop."
        ),
    ] = False
    until_finished: Annotated[
        bool,
        typer.Option(
            "--until-finished",
            envvar="DOCKET_WORKER_UNTIL_FINISHED",
            help="End once nothing of the docket is outstanding, the future included.",
        ),
    ] = False

    @property
    def listen(self) -> tuple[str, int] | None:
        """Where the health endpoint is, if there is one."""
        return None if self.health_port is None else (self.health_host, self.health_port)


def worker(
    place: Place,
    settings: WorkerSettings,
    process: Process,
    execution_ttl: ExecutionTtl = EXECUTION_TTL,
) -> None:
    """Run the tasks of a docket.

    SIGTERM or SIGINT: no more work is claimed, and what is in hand has until the shutdown deadline.
    A second signal abandons it at once; other workers take it over.
    """
    new_loop = _uvloop() if process.uvloop else None
    docket = place.make(execution_ttl=execution_ttl)
    if not docket.tasks:
        raise usage(
            "a worker without tasks would fail the work of others; expected one collection or "
            "more, such as shop.tasks:tasks",
            of="--tasks",
        )
    with (
        logging_as(process.log_format, process.log_level, place.secrets),
        _logged(process.log_format),
        Stop(settings.shutdown_deadline, leave_with(ABANDONED)) as stop,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        service = Service(place, docket, settings, process.name, stop)
        abandoned = runner.run(service.run(process.listen, until_finished=process.until_finished))
    if abandoned:
        raise typer.Exit(ABANDONED)


@contextmanager
def _logged(form: LogFormat) -> Generator[None]:
    """What ends the worker is a log line, too, where machines read those."""
    try:
        yield
    except Exception as error:
        if form is LogFormat.TEXT:
            raise
        trouble = isinstance(error, DocketError)
        _logger.critical("the worker has ended: %s", error, exc_info=None if trouble else error)
        raise typer.Exit(OPERATIONAL) from error


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        uvloop: Any = importlib.import_module("uvloop")
    except ModuleNotFoundError:
        raise usage("uvloop is not installed: pip install uvloop", of="--uvloop") from None
    new_loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return new_loop
