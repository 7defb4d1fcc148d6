"""The sequence diagram of a run: what was asked, what was answered, and what went wrong."""

import asyncio
import contextlib
import re
from datetime import timedelta

from docket_sim import Faults, simulate
from docket_sim.search.diagram import Diagram


async def remind(text: str = "") -> None:
    await asyncio.sleep(1)


def diagram_of(program, **world):
    with simulate(allow_pending=True, **world) as sim:
        sim.run(program(sim))
        return Diagram(sim.journal, sim.timeline)


def asked_of(diagram):
    """What was asked, and what the store has answered."""
    return [(row.said, row.store) for row in diagram.rows]


def test_it_shows_what_was_asked_of_a_key():
    """To replace is another thing than to add, and what was there already is not scheduled."""

    async def program(sim):
        later = sim.clock.now() + timedelta(hours=1)
        await sim.docket.add(remind, key="a", when=later)()
        await sim.docket.add(remind, key="a", when=later)()
        await sim.docket.replace(remind, key="a", when=later)()
        await sim.docket.cancel("a")

    assert asked_of(diagram_of(program)) == [
        ("add a", "scheduled"),
        ("add a", "scheduled already"),
        ("replace a", "scheduled"),
        ("cancel a", "cancelled"),
    ]


def test_several_calls_that_are_added_together_are_one_row():
    """It says scheduled when any of them was."""

    async def program(sim):
        calls = [sim.docket.call(remind, key=key)() for key in ("a", "b")]
        await sim.docket.add_many(calls[:1])
        await sim.docket.add_many(calls)
        await sim.docket.add_many(calls)

    assert asked_of(diagram_of(program)) == [
        ("add a", "scheduled"),
        ("add a, b", "scheduled"),
        ("add a, b", "scheduled already"),
    ]


def test_a_call_that_never_arrived_has_no_answer():
    """What was asked is shown, and what was done to it."""

    async def program(sim):
        with contextlib.suppress(ConnectionError):
            await sim.docket.replace(remind, key="a", when=sim.clock.now())()

    faults = Faults.fail("submit", worker="test")
    assert asked_of(diagram_of(program, faults=faults)) == [("✗ replace a: never arrived", "")]


def test_a_long_run_shows_what_went_wrong_as_well_as_its_end():
    """The fault that explains it may be long ago; what is left out is counted."""

    async def program(sim):
        for number in range(40):
            await sim.docket.add(remind, key=f"call-{number}")()
            await sim.run_until_idle()

    diagram = diagram_of(program, workers=2, faults=Faults.lose_reply("settle", key="call-3"))
    text = str(diagram)
    assert len(diagram) > 100
    assert len(text.splitlines()) < 70
    assert "✗ settle call-3" in text
    assert "add call-0" in text
    assert "call-39" in text.splitlines()[-1]
    assert sum(int(count) for count in re.findall(r"(\d+) rows left out", text)) > 40
