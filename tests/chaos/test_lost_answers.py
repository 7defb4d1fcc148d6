"""An answer that is lost on the way leaves its caller in doubt, and nothing done twice."""

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from servers import Proxy, shared_server

from chaos.live import at_work, run, scene
from docket_sim import Disposition, ExecutionState, StoreUnavailable
from docket_sim.store.redis.scripts import CANCEL, CLAIM, RENEW, SETTLE, SUBMIT

PATIENCE = timedelta(seconds=5)


@asynccontextmanager
async def behind_a_proxy(patience: float = 5):
    """A scene whose docket reaches the server through a proxy."""
    with Proxy(shared_server().port) as proxy:
        async with scene(f"{proxy.url}?socket_timeout={patience}") as found:
            yield found, proxy


def knows(found, script) -> None:
    """Have the server know a script, so that it is called by its hash at the first try."""
    found.client.script_load(script.source)


def test_a_call_whose_answer_was_lost_is_scheduled_once():
    """Its caller is told that this is unknown, and finds it there when asking again."""

    async def main():
        async with behind_a_proxy() as (found, proxy):
            knows(found, SUBMIT)
            proxy.swallow_replies(of=SUBMIT.sha)
            with pytest.raises(StoreUnavailable, match="whether it was done is unknown"):
                await found.add(1, key="a")
            execution = await found.docket.get_execution("a")
            assert (execution.generation, found.client.zcard(f"{found.prefix}due")) == (1, 1)
            again = await found.docket.add("charge", key="a")(1)
            assert again.disposition is Disposition.ALREADY_SCHEDULED
            async with at_work(found.docket):
                assert await again.get_result(timeout=PATIENCE) == 1
            assert found.ran == [1]

    run(main)


def test_many_calls_whose_answer_was_lost_are_scheduled_once_each():
    """They are asked for again in the same words."""

    async def main():
        async with behind_a_proxy() as (found, proxy):
            knows(found, SUBMIT)
            docket = found.docket
            calls = [docket.call("charge", key=f"{number}")(number) for number in range(50)]
            proxy.swallow_replies(of=SUBMIT.sha)
            with pytest.raises(StoreUnavailable):
                await docket.add_many(calls)
            again = await docket.add_many(calls)
            assert {one.disposition for one in again} == {Disposition.ALREADY_SCHEDULED}
            async with at_work(docket):
                for execution in again:
                    await execution.get_result(timeout=PATIENCE)
            assert sorted(found.ran) == list(range(50))

    run(main)


def test_a_settlement_whose_answer_was_lost_is_applied_once():
    """The worker asks again, learns that the claim is over, and goes on."""

    async def main():
        async with behind_a_proxy() as (found, proxy), at_work(found.docket):
            await found.good_work_goes_on()
            cuts = proxy.cuts
            proxy.swallow_replies(of=SETTLE.sha)
            await found.add(1, key="a")
            await found.until(lambda: proxy.cuts > cuts, "the answer was lost")
            await found.good_work_goes_on()
            execution = await found.docket.get_execution("a")
            assert (execution.state, execution.generation) == (ExecutionState.COMPLETED, 1)
            assert found.ran.count(1) == 1

    run(main)


def test_what_was_claimed_when_the_answer_was_lost_is_claimed_again():
    """Once its lease is over; the claim that nobody knows of counts as a delivery."""

    async def main():
        async with behind_a_proxy() as (found, proxy):
            knows(found, CLAIM)
            await found.add(1, key="a")
            cuts = proxy.cuts
            proxy.swallow_replies(of=CLAIM.sha)
            async with at_work(found.docket):
                # Whatever is asked on that connection before is lost with it, and the proxy knows
                # of the cut before the worker's side does.
                await found.until(lambda: found.ran, "it was claimed again")
                assert proxy.cuts > cuts
                execution = await found.docket.get_execution("a")
                assert await execution.get_result(timeout=PATIENCE) == 1
            assert execution.redelivered
            assert found.ran == [1]

    run(main)


def test_a_renewal_whose_answer_was_lost_costs_nothing():
    """The attempt goes on, and settles."""

    async def main():
        async with behind_a_proxy() as (found, proxy), at_work(found.docket):
            knows(found, RENEW)

            async def slow() -> str:
                found.ran.append(1)
                await asyncio.sleep(0.5)
                return "done"

            cuts = proxy.cuts
            proxy.swallow_replies(of=RENEW.sha)
            execution = await found.docket.add(slow)()
            assert await execution.get_result(timeout=PATIENCE) == "done"
            assert (found.ran, proxy.cuts > cuts) == ([1], True)

    run(main)


def test_a_cancellation_whose_answer_was_lost_has_cancelled():
    """To cancel again does nothing more."""

    async def main():
        async with behind_a_proxy() as (found, proxy):
            knows(found, CANCEL)
            await found.add(1, key="a")
            proxy.swallow_replies(of=CANCEL.sha)
            with pytest.raises(StoreUnavailable):
                await found.docket.cancel("a")
            await found.docket.cancel("a")
            async with at_work(found.docket):
                await found.good_work_goes_on()
            assert (await found.docket.get_execution("a")).state is ExecutionState.CANCELLED
            assert 1 not in found.ran

    run(main)


def test_a_request_of_which_half_arrives_is_not_carried_out():
    """So the caller is in doubt for nothing, and asks again."""

    async def main():
        async with behind_a_proxy() as (found, proxy):
            knows(found, SUBMIT)
            proxy.half_deliver("request", of=SUBMIT.sha)
            with pytest.raises(StoreUnavailable):
                await found.add(1, key="a")
            assert await found.docket.get_execution("a") is None
            again = await found.docket.add("charge", key="a")(1)
            assert again.disposition is Disposition.SCHEDULED

    run(main)


def test_a_server_that_stops_reading_makes_nobody_wait_longer_than_for_an_answer():
    """Even with more to send than fits on the way, and for those who come after."""

    async def main():
        async with behind_a_proxy(patience=0.5) as (found, proxy):

            async def note(text: str) -> None:
                raise AssertionError("never run")

            await found.add(1)
            proxy.stall()
            begun = time.monotonic()
            large = asyncio.ensure_future(found.docket.add(note)("x" * 20_000_000))
            small = asyncio.ensure_future(found.docket.add(note)("x"))
            await asyncio.wait([large, small])
            assert time.monotonic() - begun < 4
            assert isinstance(large.exception(), StoreUnavailable)
            assert isinstance(small.exception(), StoreUnavailable)
            proxy.flow()
            await found.add(2)

    run(main)
