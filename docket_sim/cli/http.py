"""Just enough of an HTTP server for probes: GET and HEAD, one request to a connection.

Whatever a client sends or fails to send, it costs a bounded amount of memory and time, and slow
clients do not keep others out: when there are too many, the oldest gives way.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

from docket_sim.errors import DocketError

_CLIENTS = 50
_PATIENCE = 5.0  # seconds
_LINE = 8192
_HEADERS = 100
_REQUEST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.\d\r?\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with.

    Attributes:
        status: the status.
        body: to be sent as JSON.
    """

    status: HTTPStatus
    body: Mapping[str, object]


class HttpServer:
    """Answers requests while the context lasts.

    Attributes:
        address: where it listens, as `host:port`.
    """

    def __init__(self, host: str, port: int, answer: Callable[[str], Awaitable[Answer]]) -> None:
        """
        Args:
            host: the name or address to listen at.
            port: the port to listen at; 0 for one that is free.
            answer: answers a GET request for a path.
        """
        self.address = _address(host, port)
        self._host, self._port, self._answer = host, port, answer
        self._clients: dict[asyncio.Task[None], None] = {}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Begin to listen.

        Raises:
            DocketError: that is not possible there.
        """
        try:
            server = await asyncio.start_server(
                self._connected, self._host, self._port, limit=_LINE
            )
        except OSError as error:
            raise DocketError(
                f"the health endpoint cannot listen at {self.address}: "
                f"{error.strerror or error}. Choose another --health-port or --health-host."
            ) from error
        self._server = server
        self.address = _address(self._host, server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for client in self._clients:
            client.cancel()
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= _CLIENTS:
            next(iter(self._clients)).cancel()
        client = asyncio.get_running_loop().create_task(
            self._serve(reader, writer), name="docket health: client"
        )
        self._clients[client] = None
        client.add_done_callback(lambda task: self._clients.pop(task, None))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                writer.write(await self._response(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except OSError:
            pass  # the client has gone, or (TimeoutError is one too) takes too long
        finally:
            writer.transport.abort()

    async def _response(self, reader: asyncio.StreamReader) -> bytes:
        try:
            request = await _head(reader)
        except ValueError as error:
            return _written(Answer(HTTPStatus.BAD_REQUEST, {"error": str(error)}))
        method, target = request
        if method not in {b"GET", b"HEAD"}:
            told = {"error": f"expected GET or HEAD, found {method.decode()}"}
            return _written(Answer(HTTPStatus.METHOD_NOT_ALLOWED, told))
        path = target.partition(b"?")[0].decode("ascii", "replace")
        return _written(await self._answer(path), with_body=method == b"GET")


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _head(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The method and the target of a request, whose headers are read and ignored.

    Raises:
        ValueError: it is none.
    """
    request = _REQUEST.fullmatch(await reader.readline())
    if request is None:
        raise ValueError("expected an HTTP/1 request")
    # Left unread, the headers would reset the connection before the client has the answer.
    for _ in range(_HEADERS):
        if not (await reader.readline()).strip():
            return request[1], request[2]
    raise ValueError(f"expected no more than {_HEADERS} headers")


def _written(answer: Answer, *, with_body: bool = True) -> bytes:
    body = json.dumps(answer.body).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {answer.status.value} {answer.status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *(["Allow: GET, HEAD"] if answer.status is HTTPStatus.METHOD_NOT_ALLOWED else []),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode() + (body if with_body else b"")
