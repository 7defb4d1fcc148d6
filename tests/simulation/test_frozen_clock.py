"""In a world, the user's clock is the virtual clock, wherever the time is asked for."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import textwrap
import time
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from time import time as unix_time

import pytest
from freezegun import freeze_time
from pydantic import BaseModel

from docket_sim import CurrentExecution, Depends, Execution, Tally, simulate

REAL = {"datetime": datetime, "date": date, "time": unix_time, "monotonic": monotonic}
START = datetime(2030, 1, 1, tzinfo=UTC)
STEPS = (timedelta(0), timedelta(microseconds=1), timedelta(days=40, seconds=0.25))


def read_every_clock():
    """The present instant, as each way of asking for it tells it; all of them in UTC."""
    broken_down = time.gmtime()
    return {
        "datetime.now(UTC)": datetime.now(UTC),
        "datetime.now()": datetime.now().replace(tzinfo=UTC),
        "datetime.utcnow()": datetime.utcnow().replace(tzinfo=UTC),
        "datetime.today()": datetime.today().replace(tzinfo=UTC),
        "the module's": dt.datetime.now(UTC),
        "time.time()": datetime.fromtimestamp(time.time(), UTC),
        "its own time()": datetime.fromtimestamp(unix_time(), UTC),
        "time.time_ns()": datetime.fromtimestamp(time.time_ns() / 1e9, UTC),
        "date.today()": date.today(),
        "time.localtime()": time.mktime(time.localtime()) // 1,
        "time.gmtime()": broken_down[:6],
        "time.strftime()": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def expected(now):
    """What every clock must tell at `now`."""
    instants = ("datetime.now(UTC)", "datetime.now()", "datetime.utcnow()", "datetime.today()")
    floats = ("time.time()", "its own time()", "time.time_ns()")
    return {
        **dict.fromkeys((*instants, "the module's", *floats), now),
        "date.today()": now.date(),
        "time.localtime()": now.timestamp() // 1,
        "time.gmtime()": now.timetuple()[:6],
        "time.strftime()": now.strftime("%Y-%m-%d %H:%M:%S"),
    }


def nothing_is_frozen():
    """Whether every name is the real one again."""
    found = {"datetime": datetime, "date": date, "time": unix_time, "monotonic": monotonic}
    return found == REAL and (time.time, time.monotonic) == (REAL["time"], REAL["monotonic"])


@pytest.fixture(autouse=True)
def in_utc(monkeypatch):
    """Local time is UTC in these tests, so that naive times can be compared."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("step", STEPS)
def test_a_coroutine_sees_virtual_time(step):
    """Every clock tells the virtual instant, at the start and after some time has passed."""

    async def program():
        await asyncio.sleep(step.total_seconds())
        return read_every_clock()

    with simulate(start=START) as sim:
        assert sim.run(program()) == expected(sim.clock.now())
        assert sim.clock.now() == START + step


def test_the_body_of_a_task_sees_its_due_time():
    """A task that is due tomorrow runs tomorrow, and so do its dependencies."""
    seen = []

    def injected():
        return read_every_clock()

    async def remind(clocks: dict = Depends(injected), execution: Execution = CurrentExecution()):
        seen.extend([clocks, read_every_clock(), expected(execution.when)])

    with simulate(start=START) as sim:
        sim.run(sim.docket.add(remind, when=datetime.now(UTC) + timedelta(days=1))())
        sim.run(sim.run_until_idle())
    assert seen == [expected(START + timedelta(days=1))] * 3


def test_callbacks_and_threads_see_virtual_time():
    """A callback sees the instant at which it fires, a thread the one at which it runs."""
    seen = []

    async def program():
        loop = asyncio.get_running_loop()
        loop.call_later(60, lambda: seen.append(read_every_clock()))
        await asyncio.sleep(90)
        seen.append(await asyncio.to_thread(read_every_clock))

    with simulate(start=START) as sim:
        sim.run(program())
    assert seen == [expected(START + timedelta(seconds=after)) for after in (60, 90)]


def test_ordinary_code_sees_where_the_clock_stands():
    """Between two verbs, outside of the loop, the clocks tell the virtual instant too."""
    with simulate(start=START) as sim:
        assert read_every_clock() == expected(START)
        sim.run(sim.run_for(timedelta(hours=36)))
        assert read_every_clock() == expected(START + timedelta(hours=36))


@pytest.mark.parametrize("name", ["monotonic", "perf_counter", "monotonic_ns"])
def test_the_monotonic_clocks_move_as_far_as_virtual_time(name):
    """Their zero means nothing, their differences are virtual."""
    scale = 1e9 if name.endswith("_ns") else 1

    async def program():
        before = getattr(time, name)()
        await asyncio.sleep(12.5)
        return getattr(time, name)() - before

    with simulate() as sim:
        assert sim.run(program()) == 12.5 * scale


@pytest.mark.parametrize("name", ["shop_tasks", "queue_tasks", "gift_shop", "asyncio_helpers"])
def test_a_module_with_names_of_its_own_sees_virtual_time(name, tmp_path, monkeypatch):
    """`from datetime import datetime`, long before the world began, under whatever module name."""
    source = """
        from datetime import UTC, date, datetime
        from time import time

        def read():
            return datetime.now(UTC), date.today(), datetime.fromtimestamp(time(), UTC)
    """
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    module = __import__(name)
    try:
        with simulate(start=START) as sim:
            sim.run(asyncio.sleep(3600))
            now = sim.clock.now()
            assert module.read() == (now, now.date(), now)
        assert [module.datetime, module.date, module.time] == list(REAL.values())[:3]
    finally:
        del sys.modules[name]


def test_a_module_imported_in_a_world_is_real_after_it(tmp_path, monkeypatch):
    """What it took from `time` and `datetime` inside the world does not stay with it."""
    (tmp_path / "imported_inside.py").write_text(
        "from datetime import datetime\nfrom time import sleep, time\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with simulate():
        module = __import__("imported_inside")
    del sys.modules["imported_inside"]
    assert (module.datetime, module.time) == (REAL["datetime"], REAL["time"])
    assert module.sleep is time.sleep


def test_everything_is_real_again_after_a_world():
    """Names are restored, and the clocks run on."""
    with simulate():
        assert not nothing_is_frozen()
    assert nothing_is_frozen()
    assert datetime.now(UTC).timestamp() == pytest.approx(time.time(), abs=5)


def test_everything_is_real_again_after_a_world_that_broke():
    """An exception from inside, and one from entering, leave nothing frozen."""
    with pytest.raises(ZeroDivisionError), simulate():
        raise ZeroDivisionError
    assert nothing_is_frozen()
    with pytest.raises(ValueError, match="timezone-aware"):
        simulate(start=datetime(2030, 1, 1))
    assert nothing_is_frozen()


def test_the_users_clock_can_be_left_alone():
    """`freeze=False`: only the loop and the docket are virtual."""
    with simulate(start=START, freeze=False) as sim:
        assert nothing_is_frozen()
        sim.run(asyncio.sleep(3600))
        assert sim.clock.now() == START + timedelta(hours=1)
        assert time.time() == pytest.approx(REAL["time"](), abs=5)


def test_two_worlds_one_after_another_each_have_their_own_time():
    """The second starts afresh."""
    for start in (START, START - timedelta(days=3650)):
        with simulate(start=start) as sim:
            sim.run(asyncio.sleep(1))
            assert datetime.now(UTC) == start + timedelta(seconds=1)


def test_a_world_inside_of_frozen_time_has_its_own_time():
    """The user's own `freeze_time` holds before and after."""
    frozen = datetime(2021, 5, 5, tzinfo=UTC)
    with freeze_time(frozen):
        with simulate(start=START) as sim:
            sim.run(asyncio.sleep(1))
            assert datetime.now(UTC) == START + timedelta(seconds=1)
        assert datetime.now(UTC) == frozen
    assert nothing_is_frozen()


def test_frozen_time_inside_of_a_world_is_the_users_choice():
    """A test may freeze a moment within; after it, virtual time shows again."""
    frozen = datetime(2021, 5, 5, tzinfo=UTC)

    async def program():
        with freeze_time(frozen):
            await asyncio.sleep(1)
            inside = datetime.now(UTC)
        return inside, datetime.now(UTC)

    with simulate(start=START) as sim:
        assert sim.run(program()) == (frozen, START + timedelta(seconds=1))


class Meeting(BaseModel):
    """A model whose fields are read while time is frozen."""

    at: datetime
    on: date | None = None


async def meet(at: datetime, on: date, maybe: datetime | None, meeting: Meeting) -> datetime:
    """A task whose annotations are text, looked up when it is first used."""
    same = at == maybe == meeting.at == datetime.now(UTC)
    return at + timedelta(days=1) if same and on == date.today() else at


def test_annotations_mean_the_same_while_time_is_frozen():
    """Arguments and results of a task that is first seen inside a world travel by their types."""

    async def program(sim):
        now = datetime.now(UTC)
        execution = await sim.docket.add(meet)(now, date.today(), now, Meeting(at=now))
        await sim.run_until_idle()
        return await execution.get_result()

    with simulate(start=START) as sim:
        assert sim.run(program(sim)) == START + timedelta(days=1)


def test_times_computed_from_the_frozen_clock_are_exact_due_times():
    """What the engine keeps is a plain datetime in UTC, to the microsecond."""
    zone = dt.timezone(timedelta(hours=-5))
    delay = timedelta(days=1, microseconds=7)

    async def program(sim):
        when = datetime.now(zone) + delay
        return await sim.docket.add(meet, when=when)(
            when, when.date(), None, Meeting(at=when, on=when.date())
        )

    with simulate(start=START) as sim:
        execution = sim.run(program(sim))
        assert execution.when == START + delay
        assert type(execution.when) is REAL["datetime"]
        assert sim.run(sim.run_until(datetime.now(UTC) + delay)) == Tally(succeeded=1)
        assert datetime.now(UTC) - sim.clock.start == delay
