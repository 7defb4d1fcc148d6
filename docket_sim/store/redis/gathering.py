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

    As long as requests come one at a time, each leaves at once. More than one group may be on its
    way, so that the server works on one while the next is made up. Whoever stops waiting for an
    answer takes nothing from the others.
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
        self._under_way = 0
        self._about_to_leave = 0
        self._crowded = False

    async def ask(self, request: Q) -> A:
        """Send `request` with others, and return its answer.

        Raises: what sending raises.
        """
        if self._under_way == 0 and not self._crowded:
            return await self._send_alone(request)
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        self._dispatch()
        return await answer

    async def _send_alone(self, request: Q) -> A:
        self._under_way += 1
        try:
            [answer] = await self._send([request])
        finally:
            self._under_way -= 1
            self._dispatch()
        return answer

    def _dispatch(self) -> None:
        """Let a group leave in the next turn, with what has come until then."""
        if self._under_way < self._at_once and len(self._waiting) > self._about_to_leave:
            self._under_way += 1
            self._about_to_leave += self._most
            begin(self._send_group(), "requests")

    async def _send_group(self) -> None:
        group, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        self._about_to_leave -= self._most
        self._crowded = len(group) > 1
        try:
            self._dispatch()
            answers = await self._send([request for request, _ in group])
        except BaseException as error:  # noqa: BLE001 - whoever asked is told, whatever it is
            for _, waiter in group:
                if not waiter.done():
                    waiter.set_exception(error)
        else:
            for (_, waiter), answer in zip(group, answers, strict=True):
                if not waiter.done():
                    waiter.set_result(answer)
        finally:
            self._under_way -= 1
            self._dispatch()
