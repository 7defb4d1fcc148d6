"""What is special about memory: who shares a store, from how many loops, and for how long."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from docket_sim import Docket, ExecutionState, MemoryStore, TaskCall, Worker
from docket_sim.store import open_store
from docket_sim.store.timetable import Entry, Timetable


async def double(number: int) -> int:
    """Twice the number."""
    return 2 * number


@pytest.fixture
def name(request):
    """A docket's name that no other test uses: the stores behind memory:// live on."""
    return f"test_memory.{request.node.name}"


def test_two_dockets_of_one_name_and_url_share_what_is_scheduled(sim, name):
    """As two clients of one server would."""

    async def add_here_and_look_there():
        async with Docket(name, "memory://") as here, Docket(name, "memory://") as there:
            await here.add(double, key="k")(2)
            assert await there.get_execution("k") is not None

    sim.run(add_here_and_look_there())


def test_two_dockets_of_different_names_share_nothing(sim, name):
    """A docket's name keeps its keys apart from those of the others."""

    async def add_here_and_look_there():
        async with Docket(name, "memory://") as here, Docket(f"{name}2", "memory://") as there:
            await here.add(double, key="k")(2)
            assert await there.get_execution("k") is None

    sim.run(add_here_and_look_there())


def test_a_docket_without_a_url_lives_in_memory(sim, name, monkeypatch):
    """Nothing has to be installed or started to begin with."""
    monkeypatch.delenv("DOCKET_URL", raising=False)

    async def add_here_and_look_there():
        async with Docket(name) as here, Docket(name, "memory://") as there:
            await here.add(double, key="k")(2)
            assert await there.get_execution("k") is not None

    sim.run(add_here_and_look_there())


def test_the_environment_says_where_a_docket_lives(monkeypatch):
    """Without a url, DOCKET_URL is it."""
    monkeypatch.setenv("DOCKET_URL", "carrier-pigeon://loft")
    with pytest.raises(ValueError, match="carrier-pigeon"):
        Docket("any")


def test_memory_outlives_an_event_loop(name):
    """What one asyncio.run() schedules, the next one can work off, and the third can read."""

    async def add():
        async with Docket(name, "memory://") as docket:
            await docket.add(double, key="k")(21)

    async def work():
        async with Docket(name, "memory://") as docket:
            docket.register(double)
            async with Worker(docket) as worker:
                await worker.run_until_finished()

    async def read():
        async with Docket(name, "memory://") as docket:
            docket.register(double)
            execution = await docket.get_execution("k")
            return await execution.get_result()

    asyncio.run(add())
    asyncio.run(work())
    assert asyncio.run(read()) == 42


def test_work_added_on_one_threads_loop_wakes_a_worker_on_anothers(name):
    """The worker sleeps on its own loop and is rung from the other; no polling is involved."""
    ready = threading.Event()
    results = []

    async def work():
        async with Docket(name, "memory://") as docket, Worker(docket) as worker:
            docket.register(double)
            working = asyncio.create_task(worker.run_forever())
            for _ in range(50):
                await asyncio.sleep(0)  # until the worker has found nothing to do
            ready.set()
            execution = None
            async with asyncio.timeout(20):
                async for record in docket.store.watch("k", now=docket.now()):
                    if record is not None and record.state.finished:
                        execution = await docket.get_execution("k")
                        break
            results.append(await execution.get_result())
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)

    async def add():
        async with Docket(name, "memory://") as docket:
            await docket.add(double, key="k")(21)

    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    assert ready.wait(20)
    asyncio.run(add())
    thread.join(20)
    assert results == [42]


def test_many_threads_submit_and_claim_without_losing_or_doubling_anything(name):
    """The store's verbs are atomic between threads, too."""
    store = MemoryStore()
    docket_names = [f"{thread}" for thread in range(4)]
    ran = []

    async def note(number: int) -> None:
        ran.append(number)

    async def add_and_work(first: int):
        async with Docket(name, store=store) as docket:
            docket.register(note)
            for number in range(first, first + 50):
                await docket.add(note, key=str(number))(number)
            async with Worker(docket) as worker:
                await worker.run_until_finished()

    threads = [
        threading.Thread(target=asyncio.run, args=(add_and_work(place * 50),))
        for place, _ in enumerate(docket_names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(ran) == list(range(200))


def test_an_unknown_scheme_is_an_error_that_lists_the_known_ones():
    """A typo in a URL says what could have been meant."""
    with pytest.raises(ValueError, match="memory://") as caught:
        Docket("any", "memroy://")
    assert "memroy" in str(caught.value)


def test_a_url_without_a_scheme_is_an_error():
    """A bare host name is no URL."""
    with pytest.raises(ValueError, match="memory://"):
        Docket("any", "localhost")


@pytest.mark.parametrize(
    "url",
    [
        "carrier-pigeon://user:hunter2@loft:1/0",
        "carrier-pigeon://:hunter2@loft",
        "carrier-pigeon://loft?password=hunter2",
        "carrier-pigeon://user:hunter2@[loft",
        "carrier-pigeon://user:hunter2@lo\u2100ft",
        "user:hunter2@loft",
    ],
)
def test_an_error_about_a_url_never_shows_its_password(url):
    """Error messages end up in logs; passwords must not, however broken the URL is."""
    with pytest.raises(ValueError) as caught:
        Docket("any", url)
    error = caught.value
    while error is not None:
        assert "hunter2" not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def test_of_stores_that_are_shared_the_first_ones_ttl_holds(name):
    """A second docket cannot shorten what the first one relies on."""
    from datetime import timedelta

    first = open_store("memory://", name, execution_ttl=timedelta(minutes=5))
    assert open_store("memory://", name, execution_ttl=timedelta(0)) is first


def test_a_docket_takes_the_store_that_it_is_given_also_an_empty_one(sim, name):
    """One with nothing in it is no reason to open another."""

    class Counted(MemoryStore):
        def __len__(self):
            return self.count()

    store = Counted()

    async def open_and_look():
        async with Docket(name, store=store) as docket:
            assert docket.store is store

    assert MemoryStore(), "a test may say `store or MemoryStore()`"
    sim.run(open_and_look())


def test_a_key_that_is_replaced_all_the_time_leaves_nothing_behind():
    """What gave way is forgotten long before its due time, and what counts is still found."""
    table, start = Timetable(), datetime(2030, 1, 1, tzinfo=UTC)
    entries = [
        Entry(TaskCall(f"key-{n}", "task", b"{}", start), ExecutionState.SCHEDULED)
        for n in range(3)
    ]
    for second in range(30_000):
        table.put(start + timedelta(days=1, seconds=second), entries[second % 3])
    assert len(table._heap) <= 1024
    assert table.until(start + timedelta(days=365)) == entries


async def test_what_was_kept_can_be_put_back_any_number_of_times(sim):
    """What was done since is forgotten, who watches is told, and no fence is given twice."""
    store = MemoryStore()
    now = sim.clock.now()
    minute = timedelta(minutes=1)
    await store.submit(TaskCall("k", "double", b"{}", now), now=now)
    kept = store.checkpoint()
    watching = store.watch("k", now=now)
    assert (await anext(watching)).state is ExecutionState.QUEUED
    fences = set()
    for _ in range(3):
        (claim,) = (await store.claim("w", limit=1, lease=minute, now=now)).claims
        assert (await anext(watching)).state is ExecutionState.RUNNING
        await store.submit(TaskCall("later", "double", b"{}", now + minute), now=now)
        fences.add(claim.fence)
        store.restore(kept)
        assert (await anext(watching)).state is ExecutionState.QUEUED
        assert store.outstanding() == {"k": 1}
        assert store.inconsistencies() == []
    assert len(fences) == 3
    await watching.aclose()
