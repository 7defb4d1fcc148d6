"""What the log says of executions: in the words of timelines and docs, as loud as it matters."""

import asyncio
import logging
from datetime import timedelta

from docket_sim import Faults, events, simulate
from docket_sim.events import AttemptEvent, Event, Finished, word_of

HOUR = timedelta(hours=1)


async def job():
    await asyncio.sleep(1)


def test_each_kind_of_event_has_words_for_people():
    """The name of a class is none where it is made of several."""
    kinds = {
        one for one in vars(events).values() if isinstance(one, type) and issubclass(one, Event)
    }
    told = kinds - {Event, AttemptEvent, Finished}  # an end is told by how it came out
    words = {kind.__name__: word_of(object.__new__(kind)) for kind in told}
    of_several = {name: word for name, word in words.items() if name.capitalize() != name}
    assert of_several == {
        "CancelRequested": "cancelling",
        "CancelledWaiting": "cancelled",
        "LeaseLost": "lost",
        "ErrorRead": "error read",
    }


def test_the_log_has_the_words_of_the_timeline(caplog):
    """Whoever has read of `lost` and `cancelling` in the docs finds them there."""

    async def story(sim):
        await sim.docket.add(job, when=sim.clock.now() + HOUR, key="job")()
        await sim.docket.cancel("job")
        await sim.docket.add(job, key="job")()
        await sim.run_due()
        await sim.docket.cancel("job")
        await sim.run_until_idle()
        sim.strike(Faults.pause(beyond="lease", before="settle"))
        await sim.docket.add(job, key="job")()
        await sim.run_until_idle()

    with caplog.at_level(logging.DEBUG, "docket_sim"), simulate(workers=2) as sim:
        sim.run(story(sim))
        told = [f"{moment.what} {moment.call}" for moment in sim.timeline]
    logged = [one.getMessage() for one in caplog.records if one.name == "docket_sim"]
    assert [text.partition(" [")[0] for text in logged] == told
    assert {"cancelling job()", "cancelled job()", "lost job()"} < set(told)


def test_a_call_that_is_taken_over_is_a_warning(caplog):
    """Some worker has died, or stood still: an operator wants to know without asking for more."""

    async def story(sim):
        await sim.docket.add(job, key="job")()
        await sim.run_until_idle()

    with simulate(workers=2, faults=Faults.crash_worker(before="settle")) as sim:
        sim.run(story(sim))
    (record,) = [one for one in caplog.records if one.name == "docket_sim"]
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "started job() [job] attempt 1, delivery 2: taken over, its lease had expired"
    )
    assert vars(record).items() >= {"key": "job", "attempt": 1, "delivery": 2}.items()


def test_what_begins_for_the_first_time_is_no_news(caplog):
    """As it was: one line for each attempt would drown the others."""
    with caplog.at_level(logging.INFO, "docket_sim"), simulate() as sim:
        sim.run(sim.docket.add(job)())
        sim.run(sim.run_until_idle())
    assert [one.getMessage().split()[0] for one in caplog.records] == ["completed"]
