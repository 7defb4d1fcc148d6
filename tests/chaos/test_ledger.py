"""The ledger finds what it is there to find, and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chaos.book import Book, Entry, entries_of
from chaos.ledger import Ended, Ledger
from chaos.orders import Order
from chaos.stage import FailOver
from docket_sim.execution import ExecutionState, TaskCall

DUE = 1_000_000.0
WORKER = "worker-1"


def entry(what, at, attempt=1, generation=1, worker=WORKER, **detail):
    return Entry(at, what, "a", generation, attempt, worker, detail)


def sound() -> Ledger:
    """An execution that failed once, was taken over from a dead worker, and completed."""
    due = datetime.fromtimestamp(DUE, UTC)
    order = Order("a", "flaky", due, calls=1, accepted=True, generation=1, asked={DUE})
    entries = [
        entry("started", DUE + 1, delivery=1),
        entry("begin", DUE + 1, run="1", due=DUE, asked=DUE),
        entry("raised", DUE + 1, run="1"),
        entry("retried", DUE + 2),
        entry("started", DUE + 3, 2, worker="worker-0", delivery=1),
        entry("begin", DUE + 3, 2, worker="worker-0", run="2", due=DUE + 3, asked=DUE),
        entry("started", DUE + 5, 2, delivery=2),
        entry("begin", DUE + 5, 2, run="3", due=DUE + 3, asked=DUE),
        entry("returned", DUE + 6, 2, run="3"),
        entry("finished", DUE + 6, 2, state="completed"),
    ]
    ended = Ended(ExecutionState.COMPLETED, 1, 2, WORKER, b'"3"')
    return Ledger({"a": order}, entries, {"a": ended}, {("a", 1): {int(DUE + 6)}})


def kinds(ledger: Ledger) -> list[str]:
    return [wrong.kind for wrong in ledger.wrongs()]


def test_books_that_agree_are_in_order():
    """Redelivery and retries are what is meant to happen."""
    assert sound().wrongs() == []


def gone(ledger):
    ledger.ended = {}


def not_ended(ledger):
    ledger.ended = {"a": replace(ledger.ended["a"], state=ExecutionState.RUNNING)}


def ended_failed(ledger):
    ledger.ended = {"a": replace(ledger.ended["a"], state=ExecutionState.FAILED)}


def without_a_body(ledger):
    ledger.entries = [one for one in ledger.entries if one.what != "returned"]


def with_the_result_of_another_attempt(ledger):
    ledger.ended = {"a": replace(ledger.ended["a"], attempt=1)}


def an_older_generation(ledger):
    ledger.orders["a"].generation = 2


def for_other_arguments(ledger):
    ledger.orders["a"].asked = {DUE + 9}


def settled_by_both_workers(ledger):
    ledger.entries = [*ledger.entries, entry("finished", DUE + 7, 2, state="completed")]


def retried_twice(ledger):
    ledger.entries = [*ledger.entries, entry("retried", DUE + 2.5)]


def ended_again_at_the_server(ledger):
    ledger.ends = {("a", 1): {int(DUE + 6), int(DUE + 7)}}


def delivered_twice_at_once(ledger):
    ledger.entries = [*ledger.entries, entry("started", DUE + 5, 2, delivery=2)]


def scheduled_more_often_than_asked_for(ledger):
    ledger.orders["a"].calls = 0


def before_it_was_due(ledger):
    ledger.entries = [*ledger.entries, entry("begin", DUE + 2, 2, run="4", due=DUE + 3, asked=DUE)]


def before_it_was_asked_for(ledger):
    ledger.entries = [*ledger.entries, entry("begin", DUE - 1, 1, run="4", due=DUE - 1, asked=DUE)]


def although_cancelled(ledger):
    ledger.orders["a"].cancelled_at = datetime.fromtimestamp(DUE - 1, UTC)


def five_times(ledger):
    more = [entry("begin", DUE + 9, n, run=f"{n}", due=DUE, asked=DUE) for n in (3, 4, 5)]
    ledger.entries = [*ledger.entries, *more]


def without_its_child(ledger):
    ledger.orders["a"].task = "parent"


PLANTED = {
    gone: "lost",
    not_ended: "lost",
    ended_failed: "lost",
    without_a_body: "lost",
    with_the_result_of_another_attempt: "lost",
    an_older_generation: "lost",
    for_other_arguments: "lost",
    without_its_child: "lost",
    settled_by_both_workers: "settled twice",
    retried_twice: "settled twice",
    ended_again_at_the_server: "settled twice",
    delivered_twice_at_once: "settled twice",
    scheduled_more_often_than_asked_for: "settled twice",
    before_it_was_due: "early",
    before_it_was_asked_for: "early",
    although_cancelled: "early",
    five_times: "over budget",
}


@pytest.mark.parametrize(
    ("plant", "kind"), PLANTED.items(), ids=[plant.__name__ for plant in PLANTED]
)
def test_what_is_planted_is_found(plant, kind):
    """One wrong at a time, each under its own name."""
    ledger = sound()
    plant(ledger)
    assert kind in kinds(ledger)
    assert set(kinds(ledger)) <= {kind, "lost"}


def test_what_is_wrong_is_shown_with_all_that_is_known_of_it():
    """In the order of time, with the store's word last."""
    ledger = sound()
    ledger.orders["a"].history.append(f"{DUE:.6f} producer: asks")
    history = ledger.history("a")
    assert history[0].endswith("producer: asks")
    assert "worker-0: begin a generation 1 attempt 2" in history[5]
    assert history[-1].startswith("in the end: Ended(")


def test_what_a_server_lost_that_took_over_is_counted_and_not_called_lost():
    """What was confirmed by one server alone is not known to last."""
    ledger = sound()
    ledger.orders["a"].durable = False
    ledger.ended = {}
    assert (ledger.lost_by_replication, kinds(ledger)) == (["a"], [])


@pytest.mark.parametrize(
    ("begun", "ended", "wrong"),
    [(DUE + 5.5, DUE + 6.5, []), (DUE + 8, DUE + 9, ["settled twice"])],
    ids=["between the two", "after both"],
)
def test_a_settlement_is_made_again_only_when_a_server_took_over_in_between(begun, ended, wrong):
    """Otherwise it was applied twice."""
    ledger = sound()
    ledger.ends = {}
    settled_by_both_workers(ledger)
    ledger.fail_overs = [FailOver(begun, ended)]
    assert kinds(ledger) == wrong
    assert len(ledger.undone_by_replication) == (not wrong)


def test_a_line_that_was_torn_off_is_left_out(tmp_path):
    """A full disk may cut one short; what was written before counts."""
    path = tmp_path / "book"
    with Book(path) as book:
        book.note("begin", TaskCall("a", "quick", b"", datetime.now(UTC)), WORKER, run="1")
    path.write_bytes(path.read_bytes() + b'[1.0, "returned')
    assert [(one.what, one.key, one.detail) for one in entries_of(path)] == [
        ("begin", "a", {"run": "1"})
    ]
