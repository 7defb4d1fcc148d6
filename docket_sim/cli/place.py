"""Where a command works: a docket at a URL, the tasks that it knows, and how they are encoded."""

import inspect
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

import typer

from docket_sim.cli.complaints import usage
from docket_sim.cli.loading import register
from docket_sim.cli.masking import Secrets, masked
from docket_sim.cli.options import duration_option
from docket_sim.docket import Docket
from docket_sim.errors import DocketError
from docket_sim.execution import Record

EXECUTION_TTL: timedelta = inspect.signature(Docket).parameters["execution_ttl"].default
_IN_PROCESS = ("memory", "fakeredis")

ExecutionTtl = Annotated[
    timedelta,
    duration_option(
        envvar="DOCKET_EXECUTION_TTL",
        help="How long the record of an execution that has ended is kept.",
    ),
]
"""The option of the commands that end executions."""


class CodecName(StrEnum):
    """How arguments and results travel."""

    JSON = "json"
    PICKLE = "pickle"


@dataclass(frozen=True, slots=True)
class Place:
    """A docket, as options tell of it.

    Attributes:
        url: where it lives.
        docket: its name.
        tasks: the collections of its tasks, as `module:collection`.
        codec: how arguments and results travel.
    """

    url: Annotated[
        str,
        typer.Option(
            envvar="DOCKET_URL",
            help="Where the docket lives, such as redis://localhost:6379/0. A password is better "
            "given by the variable: other users of the machine can read command lines.",
        ),
    ] = "memory://"
    docket: Annotated[str, typer.Option(envvar="DOCKET_NAME", help="The docket's name.")] = "docket"
    tasks: Annotated[
        list[str],
        typer.Option(
            envvar="DOCKET_TASKS",
            metavar="MODULE:COLLECTION",
            help="A list of tasks, to be imported; may be repeated. The variable takes several, "
            "with spaces or commas between them.",
            show_default=False,
        ),
    ] = field(default_factory=list[str])
    codec: Annotated[
        CodecName,
        typer.Option(envvar="DOCKET_CODEC", help="How the docket's arguments and results travel."),
    ] = CodecName.JSON

    @property
    def shown(self) -> str:
        """The place as one reads it, without a password."""
        return f"docket {self.docket!r} at {masked(self.url)}"

    @property
    def secrets(self) -> Secrets:
        """What must not be shown."""
        return Secrets(self.url)

    def make(self, *, execution_ttl: timedelta = EXECUTION_TTL) -> Docket:
        """The docket, with its tasks, to be opened.

        Raises:
            BadParameter: an option that cannot be used, such as a URL that other processes cannot
                reach.
            DocketError: a module of tasks failed to be imported.
        """
        if self.url.partition("://")[0] in _IN_PROCESS:
            raise usage(
                f"{masked(self.url)} lives and dies with one process, so that this command would "
                f"see no work of others, nor they its. Give the URL of a server, such as "
                f"redis://localhost:6379/0, or set DOCKET_URL.",
                of="--url",
            )
        docket = self._made(execution_ttl)
        register(docket, self.tasks)
        return docket

    def _made(self, execution_ttl: timedelta) -> Docket:
        try:
            return Docket(
                self.docket, self.url, codec=self.codec.value, execution_ttl=execution_ttl
            )
        except ValueError as error:
            raise usage(self.secrets.scrub(str(error)), of="--url") from None
        except ImportError as error:
            raise DocketError(f"{masked(self.url)}: {error}") from None


async def known(docket: Docket, key: str) -> Record:
    """What is known of the execution `key`.

    Raises:
        DocketError: nothing.
    """
    record = await docket.store.get(key, now=docket.now())
    if record is None:
        raise DocketError(f"nothing is known of {key!r}: it was never scheduled, or is forgotten")
    return record


@asynccontextmanager
async def reached(place: Place, docket: Docket) -> AsyncGenerator[None]:
    """Open `docket` for as long as the context lasts.

    Raises:
        DocketError: the store does not answer, or an operation failed; without any password.
    """
    try:
        async with docket:
            yield
    except (DocketError, OSError) as error:
        where = f"{place.shown}: " if isinstance(error, OSError) else ""
        raise DocketError(place.secrets.scrub(f"{where}{error}")) from error
