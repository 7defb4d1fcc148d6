"""How long a worker leaves a call to others, counted by itself and bounded in what it remembers."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from docket_sim import TaskCall
from docket_sim.store import Claim
from docket_sim.worker.patience import LEFT_FOR, Patience

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def claim(key="a", *, after=timedelta(0), fence=7, delivery=1, released_since=None) -> Claim:
    """A claim that was made `after` noon."""
    call = TaskCall(key, "vanished", b"{}", NOON)
    return Claim(call, "ann", fence, delivery, NOON + after, released_since)


def test_the_hour_begins_when_the_call_is_first_met():
    """What others released before does not count here."""
    patience = Patience()
    assert patience.wait_for(claim(after=5 * MINUTE, released_since=1)) is not None
    last = claim(after=LEFT_FOR + 4 * MINUTE, released_since=1)
    assert patience.wait_for(last) is not None
    over = claim(after=LEFT_FOR + 5 * MINUTE, released_since=1)
    assert patience.wait_for(over) is None


def test_another_run_of_the_key_begins_anew():
    """The next run of a perpetual; or a delivery after a worker that could run it has died."""
    for other in (claim(after=LEFT_FOR, fence=9), claim(after=LEFT_FOR, fence=8, delivery=2)):
        patience = Patience()
        patience.wait_for(claim())
        assert patience.wait_for(other) is not None


def test_what_others_have_taken_makes_room():
    """It was not met again for longer than it would be left to others."""
    patience = Patience(room=1)
    patience.wait_for(claim("gone"))
    patience.wait_for(claim("b", after=3 * MINUTE))
    after = LEFT_FOR + 3 * MINUTE
    assert patience.wait_for(claim("b", after=after, released_since=7)) is None


def test_what_comes_back_keeps_its_place_and_so_comes_to_an_end():
    """Of more calls than can be remembered, some end, and then the others' time begins."""
    patience = Patience(room=1)
    for minute in range(60):
        for key in ("a", "b"):
            known = claim(key, after=minute * MINUTE, released_since=7)
            assert patience.wait_for(known) is not None
    assert patience.wait_for(claim("b", after=LEFT_FOR, released_since=7)) == MINUTE
    assert patience.wait_for(claim("a", after=LEFT_FOR, released_since=7)) is None
    assert patience.wait_for(claim("b", after=LEFT_FOR, released_since=7)) <= MINUTE / 60


def test_calls_that_are_met_at_once_come_back_one_after_another():
    """Whoever knows their task has room for a few at any time, and for none when all are gone."""
    patience = Patience()
    waits = [patience.wait_for(claim(str(number))) for number in range(100)]
    second = timedelta(seconds=1)
    assert waits[0] == second
    assert all(second / 2 <= wait <= second for wait in waits)
    assert max(late - early for early, late in pairwise(sorted(waits))) < second / 100
