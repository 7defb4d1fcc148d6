"""Records, calls and instants as a Redis store writes them, and back."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from docket_sim.execution import (
    Cause,
    ExecutionState,
    Finish,
    Reason,
    Record,
    Settlement,
    TaskCall,
)
from docket_sim.store.base import Claim, Settled

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)
_LAST_MICROSECONDS = (_LAST - _EPOCH) // _MICROSECOND
_FIRST_MICROSECONDS = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

TICKET = 13  # digits, before the key in the members of the sorted sets
WAITING, RUNNING, BLOCKED = b"w", b"r", b"b"
_STATES = {
    RUNNING: ExecutionState.RUNNING,
    BLOCKED: ExecutionState.BLOCKED,
    b"c": ExecutionState.COMPLETED,
    b"f": ExecutionState.FAILED,
    b"x": ExecutionState.CANCELLED,
}
_LETTERS = {state: letter for letter, state in _STATES.items()}
_SETTLED = {
    b"a": Settled.APPLIED,
    b"s": Settled.SUPERSEDED,
    b"c": Settled.CANCELLED,
    b"l": Settled.LOST,
}


def microseconds(when: datetime) -> int:
    """Microseconds since 1970."""
    return (when - _EPOCH) // _MICROSECOND


def instant(written: bytes) -> datetime:
    """The instant that is so many microseconds after 1970; the nearest that there is."""
    within = min(max(int(written), _FIRST_MICROSECONDS), _LAST_MICROSECONDS)
    return _EPOCH + timedelta(microseconds=within)


def duration(span: timedelta) -> int:
    """A duration in microseconds."""
    return span // _MICROSECOND


def encoded(text: str) -> bytes:
    """Any text as bytes, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def decoded(data: bytes) -> str:
    """The text of such bytes; what a foreign hand wrote may be no text at all."""
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace")


def call_fields(call: TaskCall, *, replace: bool) -> tuple[bytes | int, ...]:
    """A call as the script `submit` takes it."""
    cause = call.cause
    return (
        encoded(call.key),
        encoded(call.task),
        call.arguments,
        microseconds(call.when),
        call.attempt,
        b"" if cause is None else encoded(cause.key),
        b"" if cause is None else cause.attempt,
        1 if replace else 0,
    )


def accepted(call: TaskCall, when: datetime, generation: int) -> TaskCall:
    """The call as the store has it; `dataclasses.replace` takes four times as long."""
    return TaskCall(call.key, call.task, call.arguments, when, call.attempt, generation, call.cause)


def settlement_fields(claim: Claim, settlement: Settlement) -> tuple[bytes | int, ...]:
    """A settlement as the script `settle` takes it."""
    call = claim.call
    head = (encoded(call.key), claim.fence, call.generation)
    if isinstance(settlement, Finish):
        letter = _LETTERS[settlement.state]
        if settlement.result is not None:
            return (*head, letter, b"r", settlement.result)
        if settlement.error is not None:
            return (*head, letter, b"e", settlement.error)
        return (*head, letter, b"", b"")
    arguments = settlement.arguments
    return (
        *head,
        WAITING,
        microseconds(settlement.when),
        settlement.attempt,
        claim.delivery - 1 if settlement.reason is Reason.RELEASE else b"",
        0 if arguments is None else 1,
        b"" if arguments is None else arguments,
    )


def settled_of(letter: bytes) -> Settled:
    """What the script `settle` has answered."""
    return _SETTLED[letter]


def claim_of(fields: Sequence[bytes], worker: str, now: datetime) -> Claim:
    """A claim as the script `claim` gives it."""
    key, task, arguments, when, attempt, generation, cause, cause_attempt = fields[:8]
    delivery, fence, released_since = map(int, fields[8:])
    call = TaskCall(
        decoded(key),
        decoded(task),
        arguments,
        instant(when),
        int(attempt),
        int(generation),
        Cause(decoded(cause), int(cause_attempt)) if cause else None,
    )
    return Claim(call, worker, fence, delivery, now, released_since or None)


def record_of(key: str, flat: Sequence[bytes], now: datetime) -> Record | None:
    """What the hash of an execution says at `now`; `None` if it is absent, expired or foreign."""
    pairs = iter(flat)
    fields = dict(zip(pairs, pairs, strict=True))
    try:
        return _record(key, fields, now)
    except (KeyError, ValueError):
        return None


def _record(key: str, fields: dict[bytes, bytes], now: datetime) -> Record | None:
    if b"o" in fields and instant(fields[b"o"]) <= now:
        return None
    call = TaskCall(
        key,
        decoded(fields[b"t"]),
        fields[b"a"],
        instant(fields[b"w"]),
        int(fields.get(b"n", 1)),
        int(fields[b"g"]),
        Cause(decoded(fields[b"p"]), int(fields[b"m"])) if b"p" in fields else None,
    )
    return Record(
        call=call,
        state=state_of(fields[b"s"], call.when, now),
        delivery=int(fields.get(b"d", 0)),
        worker=decoded(fields[b"k"]) if b"k" in fields else None,
        started_at=instant(fields[b"b"]) if b"b" in fields else None,
        finished_at=instant(fields[b"z"]) if b"z" in fields else None,
        result=fields.get(b"r"),
        error=fields.get(b"e"),
        cancel_requested=bool(fields.get(b"c")),
    )


def state_of(letter: bytes, when: datetime, now: datetime) -> ExecutionState:
    """The state that a letter stands for; what waits is queued once its time has come."""
    if letter == WAITING:
        return ExecutionState.QUEUED if when <= now else ExecutionState.SCHEDULED
    return _STATES[letter]


def unpacked(message: bytes) -> list[bytes]:
    """The parts of a message in which each is led by its length and a colon."""
    return list(_parts(message))


def _parts(message: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(message):
        colon = message.index(b":", place)
        end = colon + 1 + int(message[place:colon])
        yield message[colon + 1 : end]
        place = end
