"""Requests of one kind that are made at about the same time travel together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from docket_sim.store.base import begin

Q = TypeVar("Q")
A = TypeVar("A")


class Gathering(Generic[Q, A]):
    """Collects requests while others are on their way, and sends those that have come together.

    A single request leaves in the same turn of the loop. Whoever stops waiting for an answer does
    not take anything from the others.
    """

    def __init__(
        self, send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], *, most: int = 200
    ) -> None:
        """
        Args:
            send: sends requests and returns their answers in order.
            most: how many travel together at most.
        """
        self._send = send
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def ask(self, request: Q) -> A:
        """Send `request` with others, and return its answer.

        Raises: what sending raises.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append((request, answer))
        if self._sending is None:
            self._sending = begin(self._work_off(), "requests")
        return await answer

    async def _work_off(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
                await self._send_group(group)
        finally:
            self._sending = None

    async def _send_group(self, group: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._send([request for request, _ in group])
        except BaseException as error:  # noqa: BLE001 - each is told; this goes on with the others
            for _, waiter in group:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for (_, waiter), answer in zip(group, answers, strict=True):
            if not waiter.done():
                waiter.set_result(answer)
