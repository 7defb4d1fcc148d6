"""The store on a Redis server: each verb is one script, or one pipeline.

Requests of one kind that are made at about the same time travel together (`gathering`), on one
connection (`line`); a second one brings the notices (`notices`). What a script does stands in
`lua/`, how its arguments are written in `wire`.
"""

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from redis.exceptions import ResponseError

from docket_sim.errors import StoreUnavailable
from docket_sim.execution import (
    Disposition,
    Finish,
    Reason,
    Record,
    Reschedule,
    Settlement,
    TaskCall,
)
from docket_sim.store.base import (
    Claim,
    Claimed,
    Listener,
    Renewal,
    Settled,
    StoreSnapshot,
    Submitted,
    begin,
)
from docket_sim.store.redis import scripts, wire
from docket_sim.store.redis.clocks import Clocks
from docket_sim.store.redis.dialling import Address
from docket_sim.store.redis.gathering import Gathering
from docket_sim.store.redis.line import Hold, Late, Line, WrittenOver, holds_nothing
from docket_sim.store.redis.mending import MEND_FIRST, SETS, log_what_was_set_aside, mend
from docket_sim.store.redis.notices import Notices

_logger = logging.getLogger(__name__)
_DAY = timedelta(days=1)
_PAGE = 500  # executions that are read at once
_ZERO = timedelta(0)
_LONGEST = timedelta(days=36_500)


class RedisStore:
    """The calls of one docket, on a Redis server.

    Belongs to the event loop on which it was opened.
    """

    def __init__(
        self,
        address: Address,
        name: str,
        *,
        execution_ttl: timedelta = timedelta(minutes=15),
        servers_clock: bool = True,
        hold: Hold = holds_nothing,
        scratch: bool = False,
    ) -> None:
        """
        Args:
            address: where the server is.
            name: the docket's name, by which its keys are told from those of others.
            execution_ttl: how long the record of an ended execution is kept; zero keeps none.
            servers_clock: whether the server's clock decides what is due, instead of the `now` of
                each call. It does in production, where the clocks of workers drift; it cannot where
                time is virtual: there each verb also waits until its notices have arrived.
            hold: is told what is under way at the server, so that virtual time can wait for it.
            scratch: whether all that is kept of the docket is removed on closing.
        """
        self._prefix = wire.encoded(prefix_of(name))
        self._ttl = b"" if execution_ttl >= timedelta.max else wire.duration(execution_ttl)
        self._servers_clock = servers_clock
        self._scratch = scratch
        self._server_ttl = _server_ttl(execution_ttl, servers_clock=servers_clock)
        self._clocks = Clocks()
        self._mending = asyncio.Lock()
        self._line = Line(address.dial, patience=address.patience, hold=hold)
        self.notices = Notices(
            address.dial,
            self._prefix,
            arm=self._arm,
            here=self._clocks.here,
            hold=hold,
            keep_alive=self._last_number if servers_clock else None,
        )
        self._submits: Gathering[tuple[TaskCall, datetime, bool], Submitted] = Gathering(
            self._send_submits
        )
        self._settles: Gathering[tuple[Claim, Settlement, datetime], Settled] = Gathering(
            self._send_settles
        )
        self._handing_back: list[asyncio.Task[None]] = []
        self._gets: Gathering[str, list[bytes]] = Gathering(self._send_gets)

    async def open(self) -> None:
        """Reach the server once."""
        await self._line.open()

    async def close(self) -> None:
        """Hang up; what is stored stays, unless this is a scratch store."""
        if self._handing_back:
            await asyncio.wait(self._handing_back)
        if self._scratch:
            with contextlib.suppress(StoreUnavailable):
                await self.erase()
        await self.notices.close()
        await self._line.close()

    async def submit(self, call: TaskCall, *, now: datetime, replace: bool = False) -> Submitted:
        """Schedule `call`."""
        await self._listening()
        return await self._submits.ask((call, now, replace))

    async def submit_many(
        self, calls: Sequence[TaskCall], *, now: datetime, replace: bool = False
    ) -> Sequence[Submitted]:
        """Schedule `calls`, in groups; two are on their way at any time."""
        await self._listening()
        requests = [(call, now, replace) for call in calls]
        answers: list[Submitted] = []
        for start in range(0, len(requests), 2 * _PAGE):
            page, next_page = requests[start:][:_PAGE], requests[start + _PAGE :][:_PAGE]
            sending = [self._send_submits(group) for group in (page, next_page) if group]
            for submitted in await asyncio.gather(*sending):
                answers.extend(submitted)
        return answers

    async def claim(self, worker: str, *, limit: int, lease: timedelta, now: datetime) -> Claimed:
        """Claim up to `limit` calls that are due."""
        await self._listening()
        arguments = (wire.encoded(worker), limit, wire.duration(lease))
        sent = asyncio.get_running_loop().time()

        def unheard(answers: asyncio.Future[list[Any]]) -> None:
            self._handing_back.append(begin(self._hand_back(answers, worker, now), "hand back"))

        answer = await self._send(scripts.CLAIM, self._now(now), *arguments, late=unheard)
        _, _, _, claims, due, expiry, outstanding = answer
        if self._servers_clock:
            self._clocks.compare(wire.instant(answer[0]), now, sent)
        return Claimed(
            [wire.claim_of(fields, worker, now) for fields in claims],
            self._here(due),
            self._here(expiry),
            outstanding,
        )

    async def renew(self, claims: Sequence[Claim], *, lease: timedelta, now: datetime) -> Renewal:
        """Extend the leases of `claims`."""
        pairs = [part for one in claims for part in (wire.encoded(one.call.key), one.fence)]
        answer = await self._run(scripts.RENEW, now, wire.duration(lease), *pairs)
        lost, cancelled = answer[3:]
        return Renewal([int(fence) for fence in lost], [int(fence) for fence in cancelled])

    async def settle(self, claim: Claim, settlement: Settlement, *, now: datetime) -> Settled:
        """End the claim and apply `settlement`, if the claim is still in force."""
        await self._listening()
        if isinstance(settlement, Reschedule):
            settlement = dataclasses.replace(settlement, when=self._clocks.there(settlement.when))
        return await self._settles.ask((claim, settlement, now))

    async def cancel(self, key: str, *, now: datetime) -> Record | None:
        """Cancel the execution `key`, and return what it was before."""
        await self._listening()
        answer = await self._run(scripts.CANCEL, now, wire.encoded(key))
        return wire.record_of(key, answer[3], wire.instant(answer[0]))

    async def get(self, key: str, *, now: datetime) -> Record | None:
        """What is known of `key`."""
        fields = await self._gets.ask(key)
        return wire.record_of(key, fields, self._clocks.there(now))

    async def watch(self, key: str, *, now: datetime) -> AsyncGenerator[Record | None, None]:
        """What is known of `key` now, and again at each change."""
        with self.notices.watch(key) as watching:
            await self.notices.ready()
            yield await self.get(key, now=now)
            while True:
                fields = await watching.get()
                if fields is None:
                    yield await self.get(key, now=now)
                else:
                    yield wire.record_of(key, fields, self._clocks.there(now))

    def listen(self, listener: Listener) -> AbstractContextManager[None]:
        """Tell `listener` what happens, until the context is left."""
        return self.notices.listen(listener)

    async def snapshot(self, *, now: datetime) -> StoreSnapshot:
        """Everything in the docket, read in pages: what changes meanwhile may show as changed."""
        keys = await self._keys(now)
        records: list[Record] = []
        for start in range(0, len(keys), _PAGE):
            page = keys[start : start + _PAGE]
            found = await self._read([self._place(key) for key in page])
            for key, fields in zip(page, found, strict=True):
                record = wire.record_of(wire.decoded(key), fields, self._clocks.there(now))
                if record is not None:
                    records.append(record)
        records.sort(key=lambda record: record.call.when)
        return StoreSnapshot(now, records)

    async def clear(self, *, now: datetime, limit: int = 1_000) -> Sequence[Record]:
        """Cancel up to `limit` executions that wait, and return what they were."""
        await self._listening()
        answer = await self._run(scripts.CLEAR, now, limit)
        pairs, at = iter(answer[3]), wire.instant(answer[0])
        cleared = [
            wire.record_of(wire.decoded(key), fields, at)
            for key, fields in zip(pairs, pairs, strict=True)
        ]
        return [record for record in cleared if record is not None]

    async def erase(self) -> None:
        """Remove all that is kept of this docket, as if it had never been.

        What was set aside, for a person to look at, is not.
        """
        keys = await self._keys(None)
        own = [self._prefix + name for name in (*SETS, b"meta")]
        places = [*map(self._place, keys), *own]
        for start in range(0, len(places), _PAGE):
            await self._all([("UNLINK", *places[start : start + _PAGE])])

    # How it is done.

    async def _listening(self) -> None:
        if self.notices.pending:
            await self.notices.ready()

    async def _hand_back(
        self, answers: asyncio.Future[list[Any]], worker: str, now: datetime
    ) -> None:
        """Leave to others what was claimed for a worker that did not wait for the answer."""
        with contextlib.suppress(StoreUnavailable):
            [answer] = await answers
            if isinstance(answer, ResponseError) or answer == MEND_FIRST:
                return  # and nothing was claimed
            for fields in answer[3]:
                claim = wire.claim_of(fields, worker, now)
                call = claim.call
                release = Reschedule(call.when, call.attempt, Reason.RELEASE)
                await self._settles.ask((claim, release, now))  # its instant is the server's

    async def _arm(self) -> None:
        await self._line.ask("HSET", self._prefix + b"meta", "b", "inf")

    async def _last_number(self) -> int:
        """The last fence or ticket. A write: only a server that the docket lives on takes it."""
        number: int = await self._line.ask("HINCRBY", self._prefix + b"meta", "c", 0)
        return number

    def _place(self, key: bytes) -> bytes:
        return self._prefix + b"x:" + key

    def _here(self, written: bytes) -> datetime | None:
        """An instant of the server on the clock of the caller."""
        return self._clocks.here(wire.instant(written)) if written else None

    def _now(self, now: datetime) -> int | bytes:
        return b"" if self._servers_clock else wire.microseconds(now)

    async def _run(self, script: scripts.Script, now: datetime, *arguments: Any) -> Any:
        return await self._send(script, self._now(now), *arguments)

    async def _send(
        self, script: scripts.Script, now: int | bytes, *arguments: Any, late: Late | None = None
    ) -> Any:
        always = (now, self._ttl, self._server_ttl)
        answer = await self._line.run(script, self._prefix, *always, *arguments, late=late)
        if answer == MEND_FIRST:
            await self._mend(now)
            answer = await self._line.run(script, self._prefix, *always, *arguments, late=late)
        if answer == MEND_FIRST:
            raise StoreUnavailable("somebody keeps writing over what the docket is kept in")
        if answer[2]:
            log_what_was_set_aside(answer[2])
        if answer[1] and not self._servers_clock:
            await self._catch_up(answer, late)
        return answer

    async def _mend(self, now: int | bytes) -> None:
        async with self._mending:
            await mend(self._line, self._prefix, now if isinstance(now, int) else None)

    async def _catch_up(self, answer: Any, late: Late | None) -> None:
        try:
            await self.notices.caught_up()
        except asyncio.CancelledError:
            if late is not None:
                answers: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
                answers.set_result([answer])
                late(answers)
            raise

    async def _all(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        return await self._line.ask_all(commands)

    async def _keys(self, now: datetime | None) -> list[bytes]:
        """The key of every execution; at `now`, sets that were written over are made anew."""
        ranges = [("ZRANGE", self._prefix + name, 0, -1) for name in SETS]
        try:
            *with_tickets, kept = await self._all(ranges)
        except WrittenOver:
            await self._mend(b"" if now is None else self._now(now))
            *with_tickets, kept = await self._all(ranges)
        keys = [member[wire.TICKET :] for members in with_tickets for member in members]
        return [*keys, *kept]

    async def _read(self, places: Sequence[bytes]) -> list[list[bytes]]:
        """What executions hold; of what is no execution, nothing."""
        asking = [("HGETALL", place) for place in places]
        try:
            return await self._all(asking)
        except WrittenOver:
            kinds = await self._all([("TYPE", place) for place in places])
        return [
            (await self._all([one]))[0] if kind == b"hash" else []
            for one, kind in zip(asking, kinds, strict=True)
        ]

    async def _send_gets(self, keys: Sequence[str]) -> list[list[bytes]]:
        return await self._read([self._place(wire.encoded(key)) for key in keys])

    async def _send_submits(
        self, requests: Sequence[tuple[TaskCall, datetime, bool]]
    ) -> list[Submitted]:
        now = requests[-1][1]
        begun = asyncio.get_running_loop().time()
        sent = wire.microseconds(now) if self._servers_clock else b""
        fields = [
            part
            for call, _, replace in requests
            for part in wire.call_fields(call, replace=replace)
        ]
        answer = await self._send(scripts.SUBMIT, self._now(now), sent, *fields)
        # Due times are written by the clock that decides, so it is that which has to be asked.
        at = wire.instant(answer[0])
        if self._servers_clock:
            self._clocks.compare(at, now, begun)
        return [
            _submitted(call, one, at) for (call, *_), one in zip(requests, answer[3], strict=True)
        ]

    async def _send_settles(
        self, requests: Sequence[tuple[Claim, Settlement, datetime]]
    ) -> list[Settled]:
        # In the order of the script, and back.
        order = sorted(range(len(requests)), key=lambda n: isinstance(requests[n][1], Reschedule))
        fields = [part for n in order for part in wire.settlement_fields(*requests[n][:2])]
        finishes = sum(isinstance(settlement, Finish) for _, settlement, _ in requests)
        answer = await self._send(scripts.SETTLE, self._now(requests[-1][2]), finishes, *fields)
        settled = dict(zip(order, map(wire.settled_of, answer[3]), strict=True))
        return [settled[n] for n in range(len(requests))]


def _submitted(call: TaskCall, answer: list[Any], now: datetime) -> Submitted:
    if not isinstance(answer[0], int):
        taken = wire.record_of(call.key, answer, now)
        assert taken is not None, "the script has found it"
        return Submitted(Disposition.ALREADY_SCHEDULED, taken)
    generation, letter, when, fields = answer
    record = wire.record_of(call.key, fields, now) if fields else None
    if record is None:
        accepted = wire.accepted(call, wire.instant(when), generation)
        record = Record(accepted, wire.state_of(letter, accepted.when, now))
    return Submitted(Disposition.SCHEDULED, record)


def _server_ttl(execution_ttl: timedelta, *, servers_clock: bool) -> int:
    """For how many milliseconds a server keeps what has ended.

    Where time is virtual, the server's own clock must not come first: what counts is the `o` of a
    record, and this only sweeps up after a run that was broken off.
    """
    kept = min(execution_ttl, _LONGEST) + (_ZERO if servers_clock else _DAY)
    return max(1, kept // timedelta(milliseconds=1))


def prefix_of(name: str) -> str:
    """What the keys of a docket begin with; in braces stands what a cluster hashes."""
    escaped = name.replace("%", "%25").replace("{", "%7B").replace("}", "%7D")
    return f"docket-sim:{{{escaped}}}:"
