"""One world after another: each costs little, and nothing of one is left in the next or between."""

from __future__ import annotations

import asyncio
import copyreg
import gc
import sys
import textwrap
import time
import uuid
import weakref
from datetime import UTC, date, datetime, timedelta
from time import monotonic
from time import time as unix_time
from types import ModuleType

import pytest
from freezegun import api, freeze_time

from docket_sim import BlockingSleep, Tally, simulate
from docket_sim.simulation.places import Places

REAL = {"datetime": datetime, "date": date, "time": unix_time, "sleep": time.sleep}
FIRST = datetime(2030, 1, 1, tzinfo=UTC)
SECOND = datetime(1999, 12, 31, 23, tzinfo=UTC)
KEEP_REAL_TIME = {
    "_pytest",
    "asyncio",
    "concurrent",
    "coverage",
    "docket_sim",
    "execnet",
    "hypothesis",
    "multiprocessing",
    "pluggy",
    "pytest",
    "pytest_docket",
    "queue",
    "subprocess",
    "threading",
    "xdist",
}


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Imports a module made of the source given, under the name given."""
    monkeypatch.syspath_prepend(tmp_path)
    made = []

    def make(name, source):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        made.append(name)
        return __import__(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


async def noop():
    """Return at once."""


def everything():
    """What every name of every loaded module stands for, and the rest that freezing touches."""
    names = {
        (key, name): id(value)
        for key, module in list(sys.modules.items())
        # What hypothesis measures of its own, and pytest of assertions, changes at all times.
        if not key.startswith(("hypothesis.", "_pytest.assertion"))
        for name, value in list(getattr(module, "__dict__", {}).items())
    }
    stacks = [list(stack) for stack in (api.freeze_factories, api.ignore_lists, api.tz_offsets)]
    return names, stacks, dict(copyreg.dispatch_table)


def assert_real():
    """Every clock is the machine's, and what it gives is of the plain types."""
    assert (datetime, date, unix_time, time.sleep) == tuple(REAL.values())
    assert type(datetime.now(UTC)) is type(datetime.fromtimestamp(0)) is REAL["datetime"]
    assert abs(datetime.now(UTC).timestamp() - REAL["time"]()) < 60
    before = time.perf_counter(), monotonic()
    assert (time.perf_counter(), monotonic()) > before


def fakes_in_use():
    """The names that stand for a fake now, each with its module, outside of freezegun."""
    fakes = {id(value) for name, value in vars(api).items() if name.lower().startswith("fake")}
    return {
        (module.__name__, name)
        for module in list(sys.modules.values())
        if type(module) is ModuleType and module.__name__.partition(".")[0] != "freezegun"
        for name, value in list(vars(module).items())
        if id(value) in fakes
    }


def test_time_is_real_between_two_worlds():
    """Virtual in each, from its own start on; the machine's own before, between and after."""
    for start in (FIRST, SECOND, FIRST):
        assert_real()
        with simulate(start=start) as sim:
            sim.run(asyncio.sleep(3600))
            assert datetime.now(UTC) == start + timedelta(hours=1)
            assert unix_time() == time.time() == (start + timedelta(hours=1)).timestamp()
    assert_real()


def test_all_is_restored_to_the_letter():
    """After a world, each name of each module stands for what it stood for before."""
    with simulate():
        pass  # what is imported and set up for the first world of all stays
    before = everything()
    for start in (FIRST, SECOND):
        with simulate(start=start) as sim:
            assert everything() != before
            sim.run(asyncio.sleep(1))
        assert everything() == before
    assert fakes_in_use() == set()
    assert not {datetime, date} & copyreg.dispatch_table.keys()
    assert getattr(uuid, api.uuid_generate_time_attr) is api.real_uuid_generate_time


def test_a_world_freezes_what_freezegun_freezes():
    """The search is docket-sim's own, and finds the same names; only some packages stay real."""
    frozen = freeze_time()
    frozen.ignore = ()
    with frozen:
        by_freezegun, theirs = fakes_in_use(), (dict(vars(uuid)), dict(copyreg.dispatch_table))
    with simulate():
        by_a_world, ours = fakes_in_use(), (dict(vars(uuid)), dict(copyreg.dispatch_table))
    stays_real = {name.partition(".")[0] for name, _ in by_freezegun - by_a_world}
    assert len(by_a_world) > 30
    assert by_a_world <= by_freezegun
    assert stays_real <= KEEP_REAL_TIME
    assert ours == theirs


def test_modules_are_looked_through_once(monkeypatch):
    """A world that follows another one looks only whether a module has changed."""
    looked_through = []
    own = Places._look_through

    def look_through(self, module, *rest):
        looked_through.append(module)
        return own(self, module, *rest)

    with simulate():
        pass
    monkeypatch.setattr(Places, "_look_through", look_through)
    with simulate():
        pass
    assert looked_through == []
    monkeypatch.setitem(sys.modules, "newcomer", ModuleType("newcomer"))
    with simulate():
        pass
    assert {module.__name__ for module in looked_through} == {"newcomer"}


def test_a_lazy_module_is_not_woken(module):
    """To look through a module imports nothing, even where its `__dir__` promises more."""
    module(
        "promises_much",
        """
        def __dir__():
            return ["submodule"]

        def __getattr__(name):
            if name == "submodule":
                raise RuntimeError("woken")
            raise AttributeError(name)
        """,
    )
    with simulate(start=FIRST):
        assert datetime.now(UTC) == FIRST


def test_a_module_imported_between_two_worlds_is_frozen_in_the_second(module):
    """Under whatever names it took the clocks."""
    with simulate():
        pass
    latecomer = module("latecomer", "from time import time as now\nfrom datetime import datetime\n")
    assert latecomer.datetime is REAL["datetime"]
    with simulate(start=SECOND):
        assert latecomer.now() == SECOND.timestamp()
        assert latecomer.datetime.now(UTC) == SECOND
    assert (latecomer.now, latecomer.datetime) == (REAL["time"], REAL["datetime"])


def test_a_module_imported_in_a_world_is_frozen_in_the_next_and_real_between(module):
    """It took fakes, which are to leave with the world that it took them in."""
    with simulate():
        inside = module("inside", "from time import sleep as rest, time as now\n")
    assert (inside.rest, inside.now) == (REAL["sleep"], REAL["time"])
    with simulate(start=SECOND):
        assert inside.now() == SECOND.timestamp()
    assert (inside.rest, inside.now) == (REAL["sleep"], REAL["time"])


def test_a_package_that_keeps_real_time_keeps_it_when_imported_in_a_world(module):
    """It takes what it finds in `time` then, but only until the world ends."""
    with simulate():
        plugin = module("xdist", "from time import time\n")
    assert plugin.time is REAL["time"]
    with simulate():
        assert plugin.time is REAL["time"]


def test_a_name_that_a_module_gains_between_two_worlds_is_frozen_in_the_second(module):
    """A module that does its imports late, within a function."""
    lazy = module(
        "lazy",
        """
        def wake():
            global now
            from time import time as now
        """,
    )
    with simulate():
        pass
    lazy.wake()
    with simulate(start=SECOND):
        assert lazy.now() == SECOND.timestamp()
    assert lazy.now is REAL["time"]


def test_a_name_that_was_patched_during_one_world_is_frozen_in_the_next(module, monkeypatch):
    """A test's own patch wins in its world, stays until the test undoes it, and is forgotten."""
    patched = module("patched", "from time import time\n")
    with monkeypatch.context() as patch:
        patch.setattr(patched, "time", lambda: 42)
        with simulate():
            assert patched.time() == 42
        assert patched.time() == 42
    assert patched.time is REAL["time"]
    with simulate(start=SECOND):
        assert patched.time() == SECOND.timestamp()


def test_a_fake_that_a_module_has_imported_from_freezegun_stays_with_it(module):
    """Some register freezegun's types with a library; that is no name of the real ones."""
    with simulate():
        knowing = module("knowing", "from freezegun.api import FakeDatetime, fake_time\n")
    assert (knowing.FakeDatetime, knowing.fake_time) == (api.FakeDatetime, api.fake_time)


def test_freezegun_may_be_used_between_two_worlds(module):
    """It finds real time, freezes it by its own rules, and leaves it as it was."""
    moment = datetime(2021, 5, 5, tzinfo=UTC)
    spared = module("spared", "from time import time\n")
    with freeze_time(moment), simulate(start=FIRST):
        pass  # freezegun's first use leaves a `time.clock` behind
    before = everything()
    with freeze_time(moment, ignore=["spared"]):
        frozen = everything()
        with simulate(start=SECOND):
            assert datetime.now(UTC) == SECOND
            assert spared.time is REAL["time"]
        assert datetime.now(UTC) == moment
        assert everything() == frozen
    assert_real()
    with simulate(start=SECOND):
        assert datetime.now(UTC) == SECOND
    assert everything() == before


def test_a_world_that_breaks_leaves_nothing_to_the_next():
    """An exception in the middle of a row of worlds."""
    with simulate():
        pass
    before = everything()
    with pytest.raises(ZeroDivisionError), simulate(start=FIRST) as sim:
        sim.run(asyncio.sleep(1 / 0))
    assert everything() == before
    with simulate(start=SECOND):
        assert datetime.now(UTC) == SECOND
    assert everything() == before


def test_two_worlds_may_be_left_in_the_order_in_which_they_were_entered():
    """Each takes its own clock away with it, and the last one all that is frozen."""
    first, second = simulate(start=FIRST), simulate(start=SECOND)
    first.__enter__()
    second.__enter__()
    assert datetime.now(UTC) == SECOND
    first.__exit__(None, None, None)
    assert datetime.now(UTC) == SECOND
    second.__exit__(None, None, None)
    assert_real()


def test_an_id_made_from_the_time_is_made_from_virtual_time():
    """`uuid1()` would ask the system, past every fake, if it were let."""
    with simulate(start=FIRST):
        ticks = uuid.uuid1().time  # of 100 ns each, since the Gregorian calendar began
    assert datetime(1582, 10, 15, tzinfo=UTC) + timedelta(microseconds=ticks // 10) == FIRST


def test_a_blocking_sleep_is_caught_under_any_name(module):
    """`from time import sleep as pause` blocks a loop just as well."""
    napping = module("napping", "from time import sleep as pause\n")

    async def program():
        napping.pause(1)

    with simulate() as sim, pytest.raises(BlockingSleep):
        sim.run(program())
    assert napping.pause is REAL["sleep"]


def test_hypothesis_makes_a_world_for_each_example_without_complaint(pytester, monkeypatch):
    """With its default settings, and warnings as errors: deadline and health checks are content.

    They go by the machine's time: on a busy one, an example may miss its deadline now and then.
    """
    pytester.makepyfile(
        """
        from datetime import datetime, timedelta
        from hypothesis import given, settings, strategies as st
        from docket_sim import Tally, simulate

        async def charge(amount: int): ...

        seen = []

        @settings(deadline=None)
        @given(amount=st.integers(), days=st.integers(0, 1000))
        def test_charge(amount, days):
            seen.append(amount)
            with simulate() as sim:
                began = datetime.now()
                sim.run(sim.docket.add(charge, when=sim.clock.now() + timedelta(days))(amount))
                assert sim.run(sim.run_until_idle()) == Tally(succeeded=1)
                assert datetime.now() - began == timedelta(days)

        def test_how_many():
            assert len(seen) >= 100
        """
    )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = ("-p", "docket", "-p", "hypothesispytest")
    runs = (pytester.runpytest_subprocess("-W", "error", *plugins) for _ in range(5))
    assert any(run.parseoutcomes() == {"passed": 2} for run in runs)


@pytest.mark.parametrize("store", ["memory", "fakeredis"])
def test_a_world_that_was_left_is_let_go_of(store):
    async def add_and_run(sim):
        await sim.docket.add(noop)()
        assert await sim.run_until_idle() == Tally(succeeded=1)

    with simulate(store=store) as sim:
        sim.run(add_and_run(sim))
    with simulate(store=store):  # what is shared by worlds knows the last one at the most
        pass
    left = weakref.ref(sim)
    del sim
    gc.collect()
    assert left() is None
