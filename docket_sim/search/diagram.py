"""A run as a sequence diagram in text: a lane for each worker, one for the store, time downward."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Literal

from docket_sim.clock.durations import short
from docket_sim.entropy import short_key
from docket_sim.execution import Disposition, Finish, Reschedule, TaskCall
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.journal import Began, Entry, Incident, Journal
from docket_sim.simulation.timeline import Timeline, shortened
from docket_sim.store import Claimed, Settled, Submitted

_STORE = "store"
_ROWS = 60
_FIRST = 5
_KEYS = 3
_GAP = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a diagram.

    Attributes:
        at: when, in microseconds of virtual time since the start.
        lane: in whose lane it begins.
        said: what it says there.
        store: what it says in the store's lane, "" for nothing.
        arrow: whether an arrow leads from the one to the other.
        failed: whether it is a call that may be made again and again until it does not fail.
    """

    at: int
    lane: str
    said: str
    store: str = ""
    arrow: Literal["", "to"] = ""
    failed: bool = False


class Diagram:
    """The rows of a run, and their text.

    Attributes:
        rows: what happened, in order.
    """

    def __init__(self, journal: Journal, timeline: Timeline) -> None:
        """
        Args:
            journal: what passed between the workers and the store.
            timeline: the same run; it knows how calls read in code.
        """
        self._timeline = timeline
        self._lanes: dict[str, str] = {}
        rows = [row for entry in journal.entries for row in self._rows(entry)]
        rows.sort(key=lambda row: row.at)  # calls may be applied in another order
        self.rows = _folded(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        lanes = self._order()
        places = _worth_showing(self.rows)
        shown = [self.rows[place] for place in places]
        times = [f"+{short(timedelta(microseconds=row.at))}" for row in shown]
        margin = max((len(time) for time in times), default=0) + 3
        widths = self._widths(lanes, shown)
        head = "".join(f"{lane:<{widths[lane]}}" for lane in lanes)
        lines = [" " * (margin + 2) + head.rstrip()]
        for time, row, place, before in zip(times, shown, places, [-1, *places], strict=False):
            if place > before + 1:
                lines.append(f"{'…':>{margin}}  {place - before - 1} rows left out")
            lines.append(f"{time:>{margin}}  {_drawn(row, lanes, widths)}".rstrip())
        return "\n".join(lines)

    # From entries to rows.

    def _rows(self, entry: Entry) -> Iterable[Row]:
        match entry:
            case Incident(at=at, lane=lane, what=what, fault=fault):
                yield Row(at, lane, f"✗ {what}" if fault else what)
            case Began(at=at, event=event):
                call = event.call
                lane = self._lanes.get(event.worker, event.worker)
                again = f", delivery {event.delivery}" if event.delivery > 1 else ""
                attempt = f", attempt {call.attempt}" if call.attempt > 1 else ""
                yield Row(at, lane, f"{self._named(call)} runs{attempt}{again}")
            case StoreCall():
                if entry.host is not None:
                    self._lanes[entry.host.name] = entry.host.lane
                yield from self._row_of_call(entry)

    def _row_of_call(self, call: StoreCall) -> Iterable[Row]:
        told = _SAID[call.verb](call) if call.verb in _SAID else None
        if call.fate:
            said, _ = told or (call.verb, "")
            fate = "; ".join(call.fate)
            yield Row(call.at, call.lane, f"✗ {said}: {fate}", _answer(call), failed=True)
        elif told is not None:
            said, answered = told
            yield Row(self._answered(call), call.lane, said, answered, "to")

    def _answered(self, call: StoreCall) -> int:
        return call.at if call.answered_at is None else call.answered_at

    def _named(self, call: TaskCall) -> str:
        return shortened(self._timeline.describe(call))

    # From rows to text.

    def _order(self) -> list[str]:
        """The lanes: one worker, the store, the others; the test's own on the far left."""
        lanes = list(dict.fromkeys(row.lane for row in self.rows if row.lane != _STORE))
        lanes.sort(key=lambda lane: (lane != "test", lane))
        test = [lane for lane in lanes if lane == "test"]
        workers = [lane for lane in lanes if lane != "test"]
        return [*test, *workers[:1], _STORE, *workers[1:]]

    def _widths(self, lanes: Sequence[str], rows: Sequence[Row]) -> dict[str, int]:
        widths = {lane: len(lane) for lane in lanes}
        for row in rows:
            widths[row.lane] = max(widths[row.lane], len(row.said))
            widths[_STORE] = max(widths[_STORE], len(row.store))
        return {lane: min(width, 60) + _GAP + 2 for lane, width in widths.items()}


def _folded(rows: Sequence[Row]) -> list[Row]:
    """The rows, but one for all calls that a worker repeats in vain before it does another."""
    folded: list[Row] = []
    since: dict[str, dict[str, int]] = {}  # by lane, what was said since, and where it stands
    times: Counter[int] = Counter()
    for row in rows:
        before = since.setdefault(row.lane, {})
        if not row.failed:
            before.clear()
        elif row.said in before:
            times[before[row.said]] += 1
            continue
        else:
            before[row.said] = len(folded)
        folded.append(row)
    for place, more in times.items():
        folded[place] = replace(folded[place], said=f"{folded[place].said}, {more + 1} times")
    return folded


def _drawn(row: Row, lanes: Sequence[str], widths: dict[str, int]) -> str:
    """A row: what is said in its lane, and, with an arrow, what the store answers."""
    here, store = lanes.index(row.lane), lanes.index(_STORE)
    cells = {row.lane: row.said}
    if row.store:
        cells[_STORE] = row.store
    if not row.arrow or not row.store or row.lane == _STORE:
        return "".join(_padded(cells.get(lane, ""), widths[lane]) for lane in lanes)
    before = "".join(" " * widths[lane] for lane in lanes[: min(here, store)])
    between = sum(widths[lane] for lane in lanes[min(here, store) : max(here, store)])
    if here < store:
        line = "─" * (between - len(row.said) - 3)
        return f"{before}{row.said} {line}▶ {row.store}"
    line = "─" * max(1, between - len(row.store) - 3)
    return f"{before}{row.store} ◀{line} {row.said}"


def _padded(cell: str, width: int) -> str:
    """A cell, set off from the next one even where it is too long."""
    return f"{cell:<{width - _GAP}}{' ' * _GAP}"


# What a call of the store says, and what the store's answer means.


def _claim(call: StoreCall) -> tuple[str, str] | None:
    answer = call.answer
    if not isinstance(answer, Claimed) or not answer.claims:
        return None
    keys = _keys(claim.call.key for claim in answer.claims)
    again = [claim for claim in answer.claims if claim.delivery > 1]
    worker = answer.claims[0].worker
    return f"claim {keys}", f"{'taken over by' if again else 'leased to'} {worker}"


def _settle(call: StoreCall) -> tuple[str, str]:
    claim, decided = call.claims[0], call.settlement
    said = f"settle {short_key(claim.call.key)}: {_decision(decided)}"
    return said, _answer(call)


def _decision(settlement: Any) -> str:
    match settlement:
        case Finish(state=state):
            return str(state.value)
        case Reschedule(when=when, reason=reason):
            return f"{reason.value}, due {when:%H:%M:%S}"
        case _:
            return ""


def _answer(call: StoreCall) -> str:
    match call.answer:
        case Settled.APPLIED:
            return "done"
        case Settled() as settled:
            return f"{settled.value}: nothing changes"
        case _:
            return ""


def _submit(call: StoreCall) -> tuple[str, str]:
    keys = _keys(one.key for one in call.calls)
    return f"{'replace' if call.replace else 'add'} {keys}", _accepted(call.answer)


def _accepted(answer: Any) -> str:
    submitted: list[Submitted] = [answer] if isinstance(answer, Submitted) else answer or []
    if not submitted:
        return ""
    known = all(one.disposition is Disposition.ALREADY_SCHEDULED for one in submitted)
    return "scheduled already" if known else "scheduled"


def _renew(call: StoreCall) -> tuple[str, str] | None:
    answer = call.answer
    if answer is not None and not (answer.lost or answer.cancelled):
        return None
    keys = _keys(claim.call.key for claim in call.claims)
    return f"renew {keys}", "lost" if answer is not None and answer.lost else ""


def _cancel(call: StoreCall) -> tuple[str, str]:
    return f"cancel {short_key(call.key or '')}", "cancelled" if call.answer is not None else ""


_SAID: dict[str, Callable[[StoreCall], tuple[str, str] | None]] = {
    "claim": _claim,
    "settle": _settle,
    "submit": _submit,
    "submit_many": _submit,
    "renew": _renew,
    "cancel": _cancel,
}


def _keys(keys: Iterable[str]) -> str:
    names = [short_key(key) for key in keys]
    more = f" and {len(names) - _KEYS} more" if len(names) > _KEYS else ""
    return ", ".join(names[:_KEYS]) + more


def _worth_showing(rows: Sequence[Row]) -> list[int]:
    """The places of the rows to show: how it began, what went wrong, and how it ended."""
    faults = (place for place, row in enumerate(rows) if row.said.startswith("✗"))
    around = {place + near for place in faults for near in (-1, 0, 1)} | set(range(_FIRST))
    kept = set(sorted(place for place in around if 0 <= place < len(rows))[: _ROWS // 2])
    for place in reversed(range(len(rows))):
        if len(kept) >= _ROWS:
            break
        kept.add(place)
    return sorted(kept)
