"""The store's protocol and the values that its verbs take and give."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Protocol, TypeVar

from docket_sim.execution import Disposition, Record, Settlement, TaskCall

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Submitted:
    """The answer to `submit`.

    Attributes:
        disposition: whether the call was accepted.
        record: what the key stands for now: the new call, or the one that has the key.
    """

    disposition: Disposition
    record: Record


@dataclass(frozen=True, slots=True)
class Claim:
    """A worker's lease on one call.

    Attributes:
        call: the call to run.
        worker: the worker that has it.
        fence: a number that no other claim of this docket has or will have.
        delivery: how often this attempt has been claimed, this time included. A claim that was
            released does not count.
        claimed_at: when.
        released_since: the fence of the first claim since which every worker has released this run
            of the call, or `None` when nobody has.
    """

    call: TaskCall
    worker: str
    fence: int
    delivery: int
    claimed_at: datetime
    released_since: int | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The answer to `claim`.

    Attributes:
        claims: what was claimed, in the order of due times.
        next_due: when the earliest call that waits is due, or `None` when none waits.
        next_expiry: when the earliest lease expires unless it is renewed, or `None`.
        outstanding: how many executions of this docket have not ended.
    """

    claims: Sequence[Claim]
    next_due: datetime | None
    next_expiry: datetime | None
    outstanding: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """The answer to `renew`.

    Attributes:
        lost: the fences of the claims that are no longer this worker's.
        cancelled: the fences of those whose execution was cancelled meanwhile.
    """

    lost: Sequence[int]
    cancelled: Sequence[int]


class Settled(Enum):
    """The answer to `settle`."""

    APPLIED = "applied"
    """The settlement is in force."""

    SUPERSEDED = "superseded"
    """The key was replaced while the attempt ran; the settlement changed nothing."""

    CANCELLED = "cancelled"
    """The execution was cancelled meanwhile: it ended cancelled instead of going on."""

    LOST = "lost"
    """The claim was not in force, and not ended by this settlement, which changed nothing."""


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """Everything in a docket at one moment.

    Attributes:
        taken: when.
        records: every record that is kept, in the order of due times.
    """

    taken: datetime
    records: Sequence[Record]


LOOK_AGAIN = datetime(1970, 1, 1, tzinfo=UTC)
"""What a listener is told is due when the store is back: there may be work, or nothing any more."""


class Listener(Protocol):
    """What a worker wants to be told. Notices may be lost or repeated: they are hints.

    Called on the event loop on which the listener began to listen.

    Attributes:
        worker: the name of the worker that listens, or "" for somebody else.
    """

    @property
    def worker(self) -> str: ...

    def work_due(self, when: datetime) -> None:
        """A call was made due at `when`; at `LOOK_AGAIN`, it is not known what was missed."""
        ...

    def cancel_requested(self, key: str) -> None:
        """The execution `key` was cancelled while it runs."""
        ...

    def drained(self) -> None:
        """Nothing is outstanding any more."""
        ...


_TASKS = "docket store: "


def begin(coroutine: Coroutine[Any, Any, T], what: str) -> "asyncio.Task[T]":
    """Begin a task of a store's own: it lasts until the store is closed, and nobody awaits it."""
    return asyncio.get_running_loop().create_task(coroutine, name=_TASKS + what)


def is_the_stores_own(task: "asyncio.Task[Any]") -> bool:
    """Whether a store has begun `task` for its own purposes."""
    return task.get_name().startswith(_TASKS)


class Store(Protocol):
    """Where the calls of one docket live.

    Each verb is atomic, and may be sent again when its answer was lost. `now` is the caller's
    clock, an aware datetime in UTC; a store that has a better clock may use that.

    Raises (every verb):
        StoreUnavailable: the store did not answer; whether the verb was applied is unknown.
    """

    async def open(self) -> None:
        """Reach the store once, so that an unreachable one is an error here and now."""
        ...

    async def close(self) -> None:
        """Let go of what `open` holds; what is stored stays."""
        ...

    async def submit(self, call: TaskCall, *, now: datetime, replace: bool = False) -> Submitted:
        """Schedule `call`.

        A key that has not ended keeps the call it has, unless `replace`: then a waiting call gives
        way at once, and a running one is superseded: its settlement will be void, and the new call
        becomes claimable when the attempt has ended or its lease has expired.
        """
        ...

    async def submit_many(
        self, calls: Sequence[TaskCall], *, now: datetime, replace: bool = False
    ) -> Sequence[Submitted]:
        """Schedule `calls`, each as `submit` does, and answer in their order.

        Each is atomic; where the store goes away on the way, some may have been accepted.
        """
        ...

    async def claim(self, worker: str, *, limit: int, lease: timedelta, now: datetime) -> Claimed:
        """Claim up to `limit` calls that are due, those of expired leases included.

        Of several due calls the one that has been due longest is claimed first. The same `worker`
        claims again what it holds only after that lease has expired.
        """
        ...

    async def renew(self, claims: Sequence[Claim], *, lease: timedelta, now: datetime) -> Renewal:
        """Extend the leases of `claims` to `now + lease`."""
        ...

    async def settle(self, claim: Claim, settlement: Settlement, *, now: datetime) -> Settled:
        """End the claim and apply `settlement`, if the claim is still in force.

        A claim whose lease has expired, but that nobody has taken over, is still in force.

        When an execution goes on, that is an instant on the caller's clock, as `claimed_at` is: a
        delay is as long as the worker meant it to be, however wrong its clock.

        A settlement that is sent again is answered as the first time, and changes nothing: as long
        as the execution's record is kept, a minute at the least, and unless its key was settled
        four times since. One that asks for another end of a claim that is settled is `LOST`.
        """
        ...

    async def cancel(self, key: str, *, now: datetime) -> Record | None:
        """Cancel the execution `key`, and return what it was before.

        A waiting execution ends cancelled and never runs. For a running one its worker is told;
        when that worker dies, the execution ends cancelled instead of being taken over. A key that
        is unknown or has ended is left as it is.
        """
        ...

    async def get(self, key: str, *, now: datetime) -> Record | None:
        """What is known of `key`, or `None`."""
        ...

    def watch(self, key: str, *, now: datetime) -> AsyncGenerator[Record | None, None]:
        """What is known of `key` now, and again at each change; `None` when it is unknown."""
        ...

    def listen(self, listener: Listener) -> AbstractContextManager[None]:
        """Tell `listener` what happens, until the context is left."""
        ...

    async def snapshot(self, *, now: datetime) -> StoreSnapshot:
        """Everything in the docket at one moment."""
        ...

    async def clear(self, *, now: datetime, limit: int = 1_000) -> Sequence[Record]:
        """Cancel up to `limit` executions that wait, and return what they were; running ones go on.

        Fewer than `limit` come back when nothing more is left to cancel.
        """
        ...
