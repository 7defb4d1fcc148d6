"""Requests of one kind that are made at about the same time travel together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from docket_sim.store.base import begin

Q = TypeVar("Q")
A = TypeVar("A")


class Gathering(Generic[Q, A]):
    """Sends requests in groups: those that come in one turn of the loop, and those that come while
    others are on their way.

    A single request leaves in the same turn. More than one group may be on its way, so that the
    server works on one while the next is made up. Whoever stops waiting for an answer does not take
    anything from the others.
    """

    def __init__(
        self,
        send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int = 50,
        at_once: int = 2,
    ) -> None:
        """
        Args:
            send: sends requests and returns their answers in order.
            most: how many make up a group at most.
            at_once: how many groups may be on their way.
        """
        self._send = send
        self._most = most
        self._at_once = at_once
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._under_way: set[asyncio.Task[None]] = set()
        self._collecting = False

    async def ask(self, request: Q) -> A:
        """Send `request` with others, and return its answer.

        Raises: what sending raises.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[A] = loop.create_future()
        self._waiting.append((request, answer))
        if not self._collecting and len(self._under_way) < self._at_once:
            self._collecting = True
            loop.call_soon(self._dispatch)
        return await answer

    def _dispatch(self) -> None:
        """Send what has been collected, as far as groups may leave."""
        self._collecting = False
        while self._waiting and len(self._under_way) < self._at_once:
            group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            task = begin(self._send_group(group), "requests")
            self._under_way.add(task)
            task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._dispatch()

    async def _send_group(self, group: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._send([request for request, _ in group])
        except BaseException as error:  # noqa: BLE001 - whoever asked is told, whatever it is
            for _, waiter in group:
                if not waiter.done():
                    waiter.set_exception(error)
            return
        for (_, waiter), answer in zip(group, answers, strict=True):
            if not waiter.done():
                waiter.set_result(answer)
