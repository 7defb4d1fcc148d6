"""Ctrl-C ends a simulated run, and is not taken for a failure of whatever task was running."""

import asyncio
import signal
import threading

import pytest

from docket_sim import Tally, VirtualLoop, simulate


@pytest.fixture(autouse=True)
def in_the_foreground():
    """What a shell begins in the background has Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_it_ends_the_run_though_it_came_while_a_body_ran():
    """The body is not blamed: it goes on to its next wait, and there the run ends."""
    seen = []

    async def job():
        signal.raise_signal(signal.SIGINT)
        seen.append("the body went on")
        await asyncio.sleep(3600)
        seen.append("to its end")

    with simulate() as sim:
        sim.run(sim.docket.add(job)())
        with pytest.raises(KeyboardInterrupt):
            sim.run(sim.run_until_idle())
        assert sim.failures == []
    assert seen == ["the body went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_it_ends_a_run_that_waits_for_a_thread():
    """Waiting for real is ended as well."""
    release = threading.Event()

    async def program():
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await asyncio.to_thread(release.wait, 10)

    with simulate() as sim:
        try:
            with pytest.raises(KeyboardInterrupt):
                sim.run(program())
        finally:
            release.set()


def test_a_second_one_is_pythons_own():
    """A callback that never returns can still be ended."""

    async def program():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second one was raised here")

    with simulate() as sim, pytest.raises(KeyboardInterrupt):
        sim.run(program())


def test_a_handler_of_the_programs_own_is_left_alone(monkeypatch):
    """Who handles the signal himself goes on doing so."""
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append("mine"))
    loop = VirtualLoop()
    try:
        loop.call_soon(signal.raise_signal, signal.SIGINT)
        loop.run_until_complete(asyncio.sleep(1))
    finally:
        loop.close()
        signal.signal(signal.SIGINT, before)
    assert seen == ["mine"]


@pytest.mark.docket(allow_failures=True)
async def test_a_body_that_raises_one_itself_has_failed(sim):
    """Nobody pressed anything: it is an exception like any other."""

    async def job():
        raise KeyboardInterrupt

    await sim.docket.add(job)()
    assert await sim.run_until_idle() == Tally(failed=1)
