"""The same program gives the same run: in another process, and in the next world."""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from datetime import timedelta

import pytest

from docket_sim import ExponentialRetry, simulate

PROGRAM = textwrap.dedent(
    """
    import asyncio, json, sys
    from datetime import timedelta
    from docket_sim import CurrentDocket, Docket, ExponentialRetry, simulate

    sections = {}

    def section(program):
        with simulate(workers=3, concurrency=4, seed=11, allow_failures=True) as sim:
            trace = []
            sim.run(program(sim, trace))
            took = sim.clock.elapsed.total_seconds()
            sections[program.__name__] = [trace, str(sim.timeline), took]

    @section
    async def task_group_abort(sim, trace):
        async def sibling(number):
            try:
                await asyncio.sleep(60)
            finally:
                trace.append((number, asyncio.current_task().get_name()))

        async def fails():
            await asyncio.sleep(1)
            raise LookupError

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(8):
                    group.create_task(sibling(number))
                group.create_task(fails())
        except* LookupError:
            trace.append("aborted")

    @section
    async def waiting_on_sets(sim, trace):
        async def work(number):
            await asyncio.sleep(number % 3)
            return number

        tasks = {asyncio.create_task(work(number)) for number in range(12)}
        while tasks:
            done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            trace.append([task.result() for task in done])
        for task in asyncio.as_completed({asyncio.create_task(work(n)) for n in range(9)}):
            trace.append(await task)
        futures = {asyncio.get_running_loop().create_future() for _ in range(9)}
        trace.append([list(futures).index(future) for future in sorted(futures, key=hash)])

    @section
    async def everything_cancelled(sim, trace):
        async def sleeper(number):
            try:
                await asyncio.Event().wait()
            finally:
                trace.append(number)

        for number in range(9):
            asyncio.create_task(sleeper(number))
        await asyncio.sleep(1)
        mine = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not mine]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    @section
    async def workers_retries_and_default_keys(sim, trace):
        async def flaky(
            number: int,
            docket: Docket = CurrentDocket(),
            retry: ExponentialRetry = ExponentialRetry(attempts=4, jitter=0.9),
        ):
            trace.append((number, retry.attempt, str(docket.now())))
            await asyncio.sleep(number / 7)
            if (number + retry.attempt) % 3:
                raise ConnectionError(number)
            await docket.add(follow)(number)

        async def follow(number: int):
            await asyncio.sleep(number)

        for number in range(20):
            execution = await sim.docket.add(flaky)(number)
            trace.append(execution.key)
        trace.append(repr(await sim.run_until_idle()))

    @section
    async def async_generators_at_shutdown(sim, trace):
        async def numbers(name):
            try:
                yield name
            finally:
                trace.append(name)

        held = [numbers(name) for name in "abcdefgh"]
        for generator in held:
            await anext(generator)
        sim.held = held

    json.dump(sections, sys.stdout)
    """
)
SECTIONS = [
    "task_group_abort",
    "waiting_on_sets",
    "everything_cancelled",
    "workers_retries_and_default_keys",
    "async_generators_at_shutdown",
]
HASH_SEEDS = ["0", "0", "1", "random"]


def crowd(process):
    """Objects of many sizes, other ones in each process, so that later ones get other addresses."""
    return f"[bytes(size) for size in range(16, 500) for _ in range({process} * size % 61)]"


@pytest.fixture(scope="module")
def processes():
    """What the program printed in each of several processes, under different hash seeds."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", f"pad = {crowd(n)}\n{PROGRAM}"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n, seed in enumerate(HASH_SEEDS)
    ]
    outputs = [process.communicate() for process in started]
    for process, (_, errors) in zip(started, outputs, strict=True):
        assert process.returncode == 0, errors.decode()
    return [json.loads(output) for output, _ in outputs]


@pytest.mark.parametrize("name", SECTIONS)
def test_another_process_runs_the_program_in_the_same_way(processes, name):
    """The program's own trace, the timeline to the letter, and the time that it took."""
    first = processes[0][name]
    assert first[0] != []
    assert all(other[name] == first for other in processes[1:])


def test_every_part_of_the_program_has_run(processes):
    """So that the comparison above compares something."""
    assert list(processes[0]) == SECTIONS
    assert "again in" in processes[0]["workers_retries_and_default_keys"][1]


def test_siblings_are_cancelled_in_the_order_in_which_they_were_made(processes):
    """The same order in every process could be any; it is the one that a reader expects."""
    trace, _, _ = processes[0]["task_group_abort"]
    assert [entry[0] for entry in trace[:-1]] == list(range(8))


async def flaky(retry: ExponentialRetry = ExponentialRetry(attempts=5, jitter=1.0)):
    """A task whose delays are left to chance."""
    if retry.attempt < 5:
        raise ConnectionError


def a_run(seed, **options):
    """The timeline of a run that draws an id and jitter."""
    with simulate(seed=seed, **options) as sim:
        sim.run(sim.docket.add(flaky)())
        sim.run(sim.run_until_idle())
        return str(sim.timeline)


def test_the_seed_decides_ids_and_jitter():
    """The same seed gives the same run, another seed another one."""
    assert a_run(1) == a_run(1)
    keys: list[str] = []
    for seed in (1, 2):
        with simulate(seed=seed, allow_pending=True) as sim:
            keys.append(sim.run(sim.docket.add(flaky)()).key)
    assert keys[0] != keys[1]
    assert [line.split()[:2] for line in a_run(1).splitlines()] != [
        line.split()[:2] for line in a_run(2).splitlines()
    ]


def test_a_negative_seed_is_a_seed_of_its_own():
    """Not another way to write the positive one, as it is for the module `random`."""
    assert a_run(-1) == a_run(-1)
    assert len({a_run(seed) for seed in (-2, -1, 0, 1, 2)}) == 5


def names_and_hashes():
    """What a fresh world calls its tasks, and what they hash by."""

    async def program():
        tasks = [asyncio.create_task(asyncio.sleep(1)) for _ in range(3)]
        await asyncio.gather(*tasks)
        return [(task.get_name(), hash(task)) for task in tasks]

    with simulate() as sim:
        return sim.run(program())


def test_nothing_of_a_world_is_left_in_the_next():
    """Task names, hashes, ids and the clock start afresh."""
    first = names_and_hashes()
    asyncio.run(asyncio.sleep(0))
    a_run(7)
    assert names_and_hashes() == first
    with simulate() as sim:
        assert sim.clock.elapsed == timedelta(0)
        assert len(sim.timeline) == 0
