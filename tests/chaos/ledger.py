"""The proof: what the producer was told, the workers have seen and the store says agree."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.book import Entry
from chaos.orders import Order
from chaos.producer import child_of
from chaos.stage import FailOver
from chaos.tasks import BUDGETS
from docket_sim.execution import ExecutionState

_ROUNDING = 1e-6  # seconds: what a microsecond may become as a float


@dataclass(frozen=True, slots=True)
class Ended:
    """What the store says of an execution in the end.

    Attributes:
        state, generation, attempt, worker: as the docket tells them.
        result: what is kept as its result, encoded; None if nothing is.
    """

    state: ExecutionState
    generation: int
    attempt: int
    worker: str | None
    result: bytes | None = None


@dataclass(frozen=True, slots=True)
class Wrong:
    """Something that must not be.

    Attributes:
        kind: `lost`, `settled twice`, `early`, `over budget` or `disorder`.
        key: the key of the execution, or "" for none in particular.
        why: what was found.
    """

    kind: str
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.key} {self.why}"


@dataclass(slots=True)
class Ledger:
    """Everything that was seen in a campaign.

    Attributes:
        orders: what was asked for, by key.
        entries: what the workers have written, in any order.
        ended: what the store says in the end, by key; what it does not know is missing.
        ends: when the witness has seen each generation of each key end.
        fail_overs: in which times a server may have lost what it had confirmed.
    """

    orders: Mapping[str, Order]
    entries: Sequence[Entry]
    ended: Mapping[str, Ended]
    ends: Mapping[tuple[str, int], set[int]] = field(default_factory=dict)
    fail_overs: Sequence[FailOver] = ()

    def wrongs(self) -> list[Wrong]:
        """All that must not be; nothing, if nothing was lost."""
        checks: Iterable[Callable[[], Iterator[Wrong]]] = (
            self._lost, self._ended_otherwise, self._ended_without_a_body, self._children,
            self._settled_twice, self._ended_twice, self._began_too_often, self._early,
            self._ran_although_cancelled, self._over_budget,
        )  # fmt: skip
        return [wrong for check in checks for wrong in check()]

    def history(self, key: str) -> list[str]:
        """All that is known of a key, in the order of time."""
        order = self.orders.get(key)
        lines = [] if order is None else [*order.history]
        lines += [str(entry) for entry in self.entries if entry.key == key]
        return [*sorted(lines), f"in the end: {self.ended.get(key)}"]

    @property
    def lost_by_replication(self) -> list[str]:
        """Keys of what one server has confirmed before it had told the other, which took over."""
        return [
            key
            for key, order in self.orders.items()
            if order.accepted and not order.durable and key not in self.ended
        ]

    @property
    def undone_by_replication(self) -> list[Entry]:
        """Settlements that were made again, because a server that took over did not know them."""
        return [entry for entry in self._again() if self._may_be_undone(entry)]

    # What must not be.

    def _lost(self) -> Iterator[Wrong]:
        for key, order in self.orders.items():
            ended = self.ended.get(key)
            if ended is None and order.accepted and order.durable:
                yield Wrong("lost", key, "was accepted, and is gone")
            elif ended is not None and not ended.state.finished:
                yield Wrong("lost", key, f"has not ended: it is {ended.state.value}")

    def _ended_otherwise(self) -> Iterator[Wrong]:
        for key, order in self.orders.items():
            ended = self.ended.get(key)
            if ended is None or not ended.state.finished:
                continue
            expected = {"failed"} if order.task == "hopeless" else {"completed"}
            if order.cancelled_at is not None:
                expected.add("cancelled")
            if ended.state.value not in expected:
                why = f"ended {ended.state.value}, expected {' or '.join(sorted(expected))}"
                yield Wrong("lost", key, why)
            if ended.generation < order.generation and not self.fail_overs:
                why = f"generation {order.generation} was accepted, {ended.generation} has ended"
                yield Wrong("lost", key, why)

    def _ended_without_a_body(self) -> Iterator[Wrong]:
        """What is kept is the result of one run, which has returned, of the attempt that counts."""
        returned = {
            (entry.key, entry.detail["run"]): entry
            for entry in self.entries
            if entry.what == "returned"
        }
        begun = {
            (entry.key, entry.detail["run"]): entry
            for entry in self.entries
            if entry.what == "begin"
        }
        for key, ended in self.ended.items():
            if ended.state is not ExecutionState.COMPLETED:
                continue
            run = json.loads(ended.result or b"null")
            entry = returned.get((key, run))
            found = entry and (entry.generation, entry.attempt, entry.worker)
            if found != (ended.generation, ended.attempt, ended.worker):
                yield Wrong("lost", key, f"completed with the result of {run!r}, a run of {entry}")
                continue
            order = self.orders.get(key)
            asked = begun[key, run].detail["asked"]
            if order and not order.unknown and not self.fail_overs and asked not in order.asked:
                why = f"the run that counts was asked for at {asked}, not {order.asked}"
                yield Wrong("lost", key, why)

    def _children(self) -> Iterator[Wrong]:
        for key, order in self.orders.items():
            ended = self.ended.get(key)
            if order.task != "parent" or not ended or ended.state is not ExecutionState.COMPLETED:
                continue
            child = self.ended.get(child_of(key))
            if child is None and not self.fail_overs:
                yield Wrong("lost", child_of(key), "was scheduled by its parent, and is gone")
            if child is not None and child.state is not ExecutionState.COMPLETED:
                yield Wrong("lost", child_of(key), f"is {child.state.value} in the end")

    def _settled_twice(self) -> Iterator[Wrong]:
        for entry in self._again():
            if not self._may_be_undone(entry):
                yield Wrong("settled twice", entry.key, f"second: {entry}")

    def _again(self) -> Iterator[Entry]:
        """Settlements that were confirmed of what was settled before."""
        seen: set[tuple[str, int, int | None]] = set()
        for entry in sorted(self.entries, key=lambda entry: entry.at):
            if entry.what in ("finished", "retried"):
                attempt = entry.attempt if entry.what == "retried" else None
                settled = (entry.key, entry.generation, attempt)
                if settled in seen:
                    yield entry
                seen.add(settled)

    def _may_be_undone(self, again: Entry) -> bool:
        before = [
            entry.at
            for entry in self.entries
            if (entry.key, entry.generation) == (again.key, again.generation)
            and entry.what == again.what
            and entry.at < again.at
        ]
        return any(
            fail_over.begun < again.at and all(map(fail_over.may_have_undone, before))
            for fail_over in self.fail_overs
        )

    def _ended_twice(self) -> Iterator[Wrong]:
        for (key, generation), ends in self.ends.items():
            if len(ends) > 1:
                yield Wrong("settled twice", key, f"generation {generation} ended at {ends}")

    def _began_too_often(self) -> Iterator[Wrong]:
        """No claim was given twice, and nothing was scheduled that nobody has asked for."""
        if self.fail_overs:
            return  # claims and fences of before may be given again
        claims = Counter(
            (entry.key, entry.generation, entry.attempt, entry.detail["delivery"])
            for entry in self.entries
            if entry.what == "started"
        )
        for (key, *claim), times in claims.items():
            if times > 1:
                yield Wrong("settled twice", key, f"delivery {claim} was made {times} times")
        for key, ended in self.ended.items():
            if key in self.orders and ended.generation > self.orders[key].calls:
                why = f"generation {ended.generation}, from {self.orders[key].calls} calls"
                yield Wrong("settled twice", key, why)

    def _early(self) -> Iterator[Wrong]:
        for entry in self.entries:
            if entry.what == "begin":
                due = max(entry.detail["due"], entry.detail["asked"])
                if entry.at < due - _ROUNDING:
                    yield Wrong("early", entry.key, f"{due - entry.at:.6f} s before {due}: {entry}")

    def _ran_although_cancelled(self) -> Iterator[Wrong]:
        begun = {entry.key for entry in self.entries if entry.what == "begin"}
        for key, order in self.orders.items():
            if order.cancelled_in_time and not order.unknown and not self.fail_overs:
                if key in begun:
                    yield Wrong("early", key, "was cancelled before it was due, and ran")
                ended = self.ended.get(key)
                if ended and ended.state is not ExecutionState.CANCELLED:
                    yield Wrong("lost", key, "was cancelled before it was due, to no effect")

    def _over_budget(self) -> Iterator[Wrong]:
        attempts: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
        for entry in self.entries:
            if entry.what == "begin":
                attempts[entry.key, entry.generation].add(entry.attempt)
        for (key, generation), numbers in attempts.items():
            order = self.orders.get(key)
            budget = 1 if order is None else BUDGETS[order.task]
            if budget is not None and (len(numbers) > budget or max(numbers) > budget):
                yield Wrong("over budget", key, f"generation {generation}: attempts {numbers}")
