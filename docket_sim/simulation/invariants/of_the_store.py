"""Invariants of what the store says: who holds what, what is accepted, and what has ended."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

from docket_sim.entropy import short_key
from docket_sim.execution import Disposition, ExecutionState, Finish, Record, Reschedule, TaskCall
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.invariants.base import Invariant, Scene
from docket_sim.simulation.invariants.holds import Hold, end_of_lease
from docket_sim.store import Claim, Claimed, Settled, Submitted

_IN_FORCE = (Settled.APPLIED, Settled.CANCELLED)


class NotEarly(Invariant):
    """Checks claims against due times."""

    id: ClassVar[str] = "not-early"
    sentence: ClassVar[str] = "nothing runs before it is due"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._due: dict[str, datetime] = {}  # as it was asked for: a store may keep another time

    def submitted(self, call: StoreCall, answers: Sequence[Submitted]) -> None:
        for asked, answer in zip(call.calls, answers, strict=True):
            if answer.disposition is Disposition.SCHEDULED:
                self._due[asked.key] = asked.when

    def settled(self, call: StoreCall, answer: Settled) -> None:
        claim, settlement = call.claims[0], call.settlement
        # Sent again, it is answered as the first time, though its key may have gone on since.
        first = answer is Settled.APPLIED and self.scene.holds.in_force(claim)
        if first and isinstance(settlement, Reschedule):
            self._due[claim.call.key] = settlement.when

    def forgotten(self) -> None:
        self._due.clear()

    def claimed(self, call: StoreCall, answer: Claimed) -> None:
        if not answer.claims:
            return
        now = self.scene.instant(call.answered_at)
        for claim in answer.claims:
            due = self._due_of(claim)
            if due > now:
                raise self.broken(
                    f"{claim.call.key!r} was claimed by {claim.worker} {due - now} before its time"
                )

    def _due_of(self, claim: Claim) -> datetime:
        """When it is due: by what was asked for, or by the store's own word if that is later."""
        if self.scene.memory is None:  # on a server, answers have no order
            return claim.call.when
        return max(claim.call.when, self._due.get(claim.call.key, claim.call.when))


class OneAtATime(Invariant):
    """Checks that nothing is claimed while another holds it."""

    id: ClassVar[str] = "one-at-a-time"
    sentence: ClassVar[str] = "one key never runs twice at once, within its lease"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._unanswered: set[int] = set()

    def settling(self, call: StoreCall) -> None:
        if self.scene.memory is None:
            self._unanswered.add(call.claims[0].fence)

    def settled(self, call: StoreCall, answer: Settled) -> None:
        self._unanswered.discard(call.claims[0].fence)

    def claimed(self, call: StoreCall, answer: Claimed) -> None:
        now = call.answered_at or 0
        given: dict[str, Hold] = {}  # one answer may give out a key twice
        for claim in answer.claims:
            key = claim.call.key
            hold = given.get(key) or self.scene.holds.on(key)
            # On a server, it may be settled already: answers have no order.
            if hold is not None and hold.until > now and hold.fence not in self._unanswered:
                raise self.broken(
                    f"{key!r} was claimed by {claim.worker}; {hold.worker} holds it for "
                    f"{timedelta(microseconds=hold.until - now)} more"
                )
            given[key] = Hold(claim.fence, claim.worker, end_of_lease(call))


class Fenced(Invariant):
    """Checks that a settlement is applied only for the claim that is in force."""

    id: ClassVar[str] = "fenced"
    sentence: ClassVar[str] = "a superseded settlement changes nothing"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._generations: dict[str, int] = {}
        self._applied: set[int] = set()
        self._before: tuple[StoreCall, Record | None] | None = None
        self._asked_in_force: set[int] = set()

    def settling(self, call: StoreCall) -> None:
        if self.scene.memory is None and self.scene.holds.in_force(call.claims[0]):
            self._asked_in_force.add(call.claims[0].fence)

    def about_to_settle(self, call: StoreCall) -> None:
        memory = self.scene.memory
        if memory is not None and not self.scene.holds.in_force(call.claims[0]):
            self._before = call, memory.peek(call.claims[0].call.key)

    def submitted(self, call: StoreCall, answers: Sequence[Submitted]) -> None:
        for answer in answers:
            if answer.disposition is Disposition.SCHEDULED:
                accepted = answer.record.call
                self._generations[accepted.key] = accepted.generation

    def settled(self, call: StoreCall, answer: Settled) -> None:
        claim = call.claims[0]
        key, fence = claim.call.key, claim.fence
        if answer in _IN_FORCE:
            # Sent again, it is answered as the first time. On a server, answers have no order: it
            # may have been settled before it was claimed again, though we hear of it later.
            if fence not in self._applied and fence not in self._asked_in_force:
                self._refuse_applied(claim)
            self._applied.add(fence)
        memory = self.scene.memory
        if self._before is not None and memory is not None:
            asked, record = self._before
            self._before = None
            if asked is call and _changed(record, memory.peek(key)):
                raise self.broken(
                    f"the settlement of {key!r} by {claim.worker} was answered {answer.value}, "
                    f"but the record is another than before"
                )

    def forgotten(self) -> None:
        assert self.scene.memory is not None
        self._generations = self.scene.memory.outstanding()
        self._before = None

    def _refuse_applied(self, claim: Claim) -> None:
        """Refuse that a settlement was applied for the first time, where it should not have been.

        Raises:
            InvariantBroken: its claim is not in force, or its key was replaced.
        """
        key = claim.call.key
        if not self.scene.holds.in_force(claim):
            raise self.broken(
                f"the settlement of {key!r} by {claim.worker} was applied, though its claim was no "
                f"longer in force"
            )
        if claim.call.generation < self._generations.get(key, claim.call.generation):
            raise self.broken(
                f"the settlement of {key!r} by {claim.worker} was applied, though the key had been "
                f"replaced meanwhile"
            )


class NothingLost(Invariant):
    """Counts what was accepted, and what has ended."""

    id: ClassVar[str] = "nothing-lost"
    sentence: ClassVar[str] = "no accepted execution is lost"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._pending: dict[str, int] = {}

    def submitted(self, call: StoreCall, answers: Sequence[Submitted]) -> None:
        for answer in answers:
            if answer.disposition is Disposition.SCHEDULED:
                accepted = answer.record.call
                self._pending[accepted.key] = accepted.generation

    def settled(self, call: StoreCall, answer: Settled) -> None:
        ended = answer is Settled.APPLIED and isinstance(call.settlement, Finish)
        if ended or answer is Settled.CANCELLED:
            self._forget(call.claims[0].call)

    def cancelled(self, call: StoreCall, before: Record | None) -> None:
        # A running one has yet to end.
        if before is not None and before.state is not ExecutionState.RUNNING:
            self._forget(before.call)

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

    def forgotten(self) -> None:
        assert self.scene.memory is not None
        self._pending = self.scene.memory.outstanding()

    def _forget(self, ended: TaskCall) -> None:
        if self._pending.get(ended.key) == ended.generation:
            del self._pending[ended.key]


class CleanEnd(Invariant):
    """Looks for what is still held when all has ended, and for records that nobody forgets."""

    id: ClassVar[str] = "clean-end"
    sentence: ClassVar[str] = "nothing is left leased, blocked or without TTL when all has ended"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._settled: set[int] = set()

    def settled(self, call: StoreCall, answer: Settled) -> None:
        if not call.given_up:
            self._settled.add(call.claims[0].fence)

    def forgotten(self) -> None:
        self._settled.clear()

    def idle(self) -> None:
        memory = self.scene.memory
        if memory is None:
            return
        # One whose worker has died may still be leased; one that was settled may not.
        over = [key for fence, key in memory.leased().items() if fence in self._settled]
        left = list(dict.fromkeys([*memory.left_behind(), *over]))
        if left:
            raise self.broken(f"{', '.join(map(short_key, left))} still held by somebody")
        kept = memory.kept_for_ever()
        if kept:
            raise self.broken(
                f"{', '.join(map(short_key, kept))} will never be forgotten, though records are "
                f"kept for {memory.execution_ttl}"
            )


class Indexes(Invariant):
    """Compares the store's indexes with what it keeps, after each call."""

    id: ClassVar[str] = "indexes"
    sentence: ClassVar[str] = "each index of the store agrees with the others after each call"

    # With more entries, not every call is checked: so many are looked at for each, on average, and
    # a run stays linear.
    _ALWAYS = 32
    _A_CALL = 8

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._skip = 0

    def changed(self, call: StoreCall) -> None:
        memory = self.scene.memory
        if memory is None:
            return
        self._skip -= 1
        if self._skip < 0:
            entries = memory.count()
            self._skip = 0 if entries < self._ALWAYS else entries // self._A_CALL
            wrong = memory.inconsistencies()
            if wrong:
                raise self.broken(f"after {call.verb}, {'; '.join(wrong[:3])}")


class DueIsClaimed(Invariant):
    """Checks that a worker with room is given what is due."""

    id: ClassVar[str] = "liveness"
    sentence: ClassVar[str] = "what is due is given to a worker that asks and has room"

    def claimed(self, call: StoreCall, answer: Claimed) -> None:
        if call.limit is None or answer.next_due is None or len(answer.claims) >= call.limit:
            return
        now = self.scene.instant(call.answered_at)
        if answer.next_due <= now:
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

    def claimed(self, call: StoreCall, answer: Claimed) -> None:
        if call.host is None or answer.claims:
            return
        second = call.at // 1_000_000
        worker = call.host.name
        since, count = self._counted.get(worker, (second, 0))
        count = count + 1 if since == second else 1
        self._counted[worker] = second, count
        if count > self._MOST:
            raise self.broken(f"{worker} has claimed nothing {count} times within a second")


def _changed(before: Record | None, after: Record | None) -> bool:
    """Whether a record is another one now; one whose time was up may be forgotten in passing."""
    forgotten = after is None and before is not None and before.state.finished
    return before != after and not forgotten
