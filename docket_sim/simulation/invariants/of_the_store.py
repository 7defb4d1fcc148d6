"""Invariants of what the store says: who holds what, what is accepted, and what has ended."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from docket_sim.entropy import short_key
from docket_sim.execution import Disposition, ExecutionState, Finish, Record, TaskCall
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.invariants.base import Invariant, Scene
from docket_sim.store import Claim, Claimed, Renewal, Settled, Submitted


@dataclass(slots=True)
class _Hold:
    fence: int
    worker: str
    until: datetime


class Holds:
    """Who holds what, as told by the answers of the store."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.by_key: dict[str, _Hold] = {}

    def after(self, call: StoreCall) -> None:
        """Take note of an answer."""
        match call.answer:
            case Claimed(claims=claims):
                for claim in claims:
                    self.note(claim, call)
            case Renewal(lost=lost):
                for claim in call.claims:
                    if claim.fence not in lost and self.in_force(claim.call.key, claim.fence):
                        self.by_key[claim.call.key].until = self._end(call)
            case Settled() if call.given_up:  # its lease has ended, but until another takes it over
                self._expire(call.claims[0], call)  # it is in force, and can be settled after all
            case Settled():
                self._release(call.claims[0])
            case _:
                pass

    def note(self, claim: Claim, call: StoreCall) -> None:
        """Take note of a claim that was given as an answer to `call`."""
        self.by_key[claim.call.key] = _Hold(claim.fence, claim.worker, self._end(call))

    def _end(self, call: StoreCall) -> datetime:
        """When what is claimed or renewed by `call` may be taken over."""
        try:
            return self._scene.instant(call.answered_at) + (call.lease or timedelta())
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    def _expire(self, claim: Claim, call: StoreCall) -> None:
        if self.in_force(claim.call.key, claim.fence):
            self.by_key[claim.call.key].until = self._scene.instant(call.answered_at)

    def _release(self, claim: Claim) -> None:
        if self.in_force(claim.call.key, claim.fence):
            del self.by_key[claim.call.key]

    def in_force(self, key: str, fence: int) -> bool:
        """Whether the claim with that fence is the last one that was given on `key`."""
        hold = self.by_key.get(key)
        return hold is not None and hold.fence == fence


class NotEarly(Invariant):
    """Checks claims against due times."""

    id: ClassVar[str] = "not-early"
    sentence: ClassVar[str] = "nothing runs before it is due"

    def after(self, call: StoreCall) -> None:
        if isinstance(call.answer, Claimed):
            now = self.scene.instant(call.answered_at)
            for claim in call.answer.claims:
                if claim.call.when > now:
                    raise self.broken(
                        f"{claim.call.key!r} was claimed by {claim.worker} "
                        f"{claim.call.when - now} before its time"
                    )


class OneAtATime(Invariant):
    """Checks that nothing is claimed while another holds it."""

    id: ClassVar[str] = "one-at-a-time"
    sentence: ClassVar[str] = "one key never runs twice at once, within its lease"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._holds = Holds(scene)
        self._unanswered: set[int] = set()

    def asked(self, call: StoreCall) -> None:
        if call.verb == "settle" and self.scene.memory is None:
            self._unanswered.add(call.claims[0].fence)

    def after(self, call: StoreCall) -> None:
        if call.verb == "settle":
            self._unanswered.discard(call.claims[0].fence)
        if isinstance(call.answer, Claimed):
            now = self.scene.instant(call.answered_at)
            for claim in call.answer.claims:
                hold = self._holds.by_key.get(claim.call.key)
                # On a server, it may be settled already: answers have no order.
                settled = hold is None or hold.fence in self._unanswered
                if hold is not None and not settled and hold.until > now:
                    raise self.broken(
                        f"{claim.call.key!r} was claimed by {claim.worker}; {hold.worker} holds "
                        f"it for {hold.until - now} more"
                    )
                self._holds.note(claim, call)  # one answer may give out a key twice
        else:
            self._holds.after(call)


class Fenced(Invariant):
    """Checks that a settlement is applied only for the claim that is in force."""

    id: ClassVar[str] = "fenced"
    sentence: ClassVar[str] = "a superseded settlement changes nothing"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._holds = Holds(scene)
        self._generations: dict[str, int] = {}
        self._applied: set[int] = set()
        self._before: tuple[StoreCall, Record | None] | None = None
        self._asked_in_force: set[int] = set()

    def asked(self, call: StoreCall) -> None:
        if call.verb == "settle" and self.scene.memory is None:
            claim = call.claims[0]
            if self._holds.in_force(claim.call.key, claim.fence):
                self._asked_in_force.add(claim.fence)

    def before(self, call: StoreCall) -> None:
        memory = self.scene.memory
        if call.verb == "settle" and memory is not None:
            key = call.claims[0].call.key
            if not self._holds.in_force(key, call.claims[0].fence):
                self._before = call, memory.peek(key)

    def after(self, call: StoreCall) -> None:
        if isinstance(call.answer, Submitted):
            if call.answer.disposition is Disposition.SCHEDULED:
                call_now = call.answer.record.call
                self._generations[call_now.key] = call_now.generation
        elif isinstance(call.answer, Settled):
            self._check(call)
        self._holds.after(call)

    def _check(self, call: StoreCall) -> None:
        claim = call.claims[0]
        key, fence = claim.call.key, claim.fence
        # Sent again, it is answered as the first time. On a server, answers have no order: it may
        # have been settled before it was claimed again, though we hear of it later.
        again = fence in self._applied or fence in self._asked_in_force
        applied = call.answer in {Settled.APPLIED, Settled.CANCELLED}
        newest = self._generations.get(key, claim.call.generation)
        if applied and not again and not self._holds.in_force(key, fence):
            raise self.broken(
                f"the settlement of {key!r} by {claim.worker} was applied, though its claim was no "
                f"longer in force"
            )
        if applied and not again and claim.call.generation < newest:
            raise self.broken(
                f"the settlement of {key!r} by {claim.worker} was applied, though the key had been "
                f"replaced meanwhile"
            )
        if applied:
            self._applied.add(fence)
        memory = self.scene.memory
        if self._before is not None and memory is not None:
            asked, record = self._before
            self._before = None
            if asked is call and memory.peek(key) != record:
                raise self.broken(
                    f"the settlement of {key!r} by {claim.worker} was answered "
                    f"{call.answer.value}, but the record is another than before"
                )


class NothingLost(Invariant):
    """Counts what was accepted, and what has ended."""

    id: ClassVar[str] = "nothing-lost"
    sentence: ClassVar[str] = "no accepted execution is lost"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._pending: dict[str, int] = {}

    def after(self, call: StoreCall) -> None:
        match call.answer:
            case Submitted() as submitted:
                self._accept(submitted)
            case [Submitted(), *_]:
                for submitted in call.answer:
                    self._accept(submitted)
            case Settled.APPLIED if isinstance(call.settlement, Finish):
                self._end(call)
            case Settled.CANCELLED:
                self._end(call)
            case Record(call=cancelled, state=state) if call.verb == "cancel":
                if state is not ExecutionState.RUNNING:  # a running one has yet to end
                    self._forget(cancelled)
            case _:
                pass

    def idle(self) -> None:
        memory = self.scene.memory
        if memory is None:
            return
        for key in self._pending:
            record = memory.peek(key)
            if record is None and memory.execution_ttl < timedelta.max:
                continue  # it may have ended with its worker, and its record be gone since
            if record is None or not record.state.finished:
                raise self.broken(
                    f"{key!r} was accepted and has not ended, but the store knows of nothing that "
                    f"is outstanding: "
                    + (
                        "it has no record"
                        if record is None
                        else f"its record is {record.state.value}"
                    )
                )
        self._pending.clear()

    def _accept(self, submitted: Submitted) -> None:
        if submitted.disposition is Disposition.SCHEDULED:
            call = submitted.record.call
            self._pending[call.key] = call.generation

    def _end(self, call: StoreCall) -> None:
        self._forget(call.claims[0].call)

    def _forget(self, ended: TaskCall) -> None:
        if self._pending.get(ended.key) == ended.generation:
            del self._pending[ended.key]


class CleanEnd(Invariant):
    """Looks for what is still held when all has ended."""

    id: ClassVar[str] = "clean-end"
    sentence: ClassVar[str] = "nothing is left leased or blocked when all has ended"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._settled: set[int] = set()

    def after(self, call: StoreCall) -> None:
        if call.verb == "settle" and not call.given_up:
            self._settled.add(call.claims[0].fence)

    def idle(self) -> None:
        memory = self.scene.memory
        if memory is None:
            return
        # One whose worker has died may still be leased; one that was settled may not.
        over = [key for fence, key in memory.leased().items() if fence in self._settled]
        left = list(dict.fromkeys([*memory.left_behind(), *over]))
        if left:
            raise self.broken(f"{', '.join(map(short_key, left))} still held by somebody")


class Indexes(Invariant):
    """Compares the store's indexes with what it keeps, after each call."""

    id: ClassVar[str] = "indexes"
    sentence: ClassVar[str] = "each index of the store agrees with the others after each call"

    _FULL = 32  # entries: with more, not every call is checked, so that a run stays linear

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._skip = 0

    def after(self, call: StoreCall) -> None:
        memory = self.scene.memory
        if memory is None or call.idle or call.verb in {"get", "snapshot", "renew"}:
            return
        self._skip -= 1
        if self._skip < 0:
            self._skip = memory.count() // self._FULL
            wrong = memory.inconsistencies()
            if wrong:
                raise self.broken(f"after {call.verb}, {'; '.join(wrong[:3])}")


class DueIsClaimed(Invariant):
    """Checks that a worker with room is given what is due."""

    id: ClassVar[str] = "liveness"
    sentence: ClassVar[str] = "what is due is given to a worker that asks and has room"

    def after(self, call: StoreCall) -> None:
        answer = call.answer
        if (
            not isinstance(answer, Claimed)
            or call.limit is None
            or len(answer.claims) >= call.limit
        ):
            return
        now = self.scene.instant(call.answered_at)
        if answer.next_due is not None and answer.next_due <= now:
            raise self.broken(
                f"{call.lane} asked for {call.limit} and was given {len(answer.claims)}, though "
                f"something has been due for {now - answer.next_due}"
            )


class NoBusyLoop(Invariant):
    """Counts what workers ask for without getting anything."""

    id: ClassVar[str] = "no-busy-loop"
    sentence: ClassVar[str] = "an idle worker asks the store a bounded number of times a second"

    _MOST = 100  # calls without result in one virtual second, of one worker

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._counted: dict[str, tuple[int, int]] = {}

    def after(self, call: StoreCall) -> None:
        if call.host is None or not call.idle:
            return
        second = call.at // 1_000_000
        worker = call.host.name
        since, count = self._counted.get(worker, (second, 0))
        count = count + 1 if since == second else 1
        self._counted[worker] = second, count
        if count > self._MOST:
            raise self.broken(f"{worker} has claimed nothing {count} times within a second")
