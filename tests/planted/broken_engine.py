"""Workers, policies and teardowns that are broken in one place, on a store that works."""

import asyncio
from collections import deque
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from unittest.mock import patch

from docket_sim import CurrentDocket, Depends, Docket, ExponentialRetry, Retry
from docket_sim.errors import StoreUnavailable
from docket_sim.execution import Reason, Reschedule
from docket_sim.perform import Attempt
from docket_sim.simulation.faults.rules import Faults
from docket_sim.store import Claimed, Settled
from docket_sim.worker import Worker
from docket_sim.worker.leases import Leases
from docket_sim.worker.wakeup import Wakeup
from planted.bug import engine

SECOND = timedelta(seconds=1)
retry_after_failure = Retry.after_failure
call_of_attempt = Attempt._call


# What is run.

ran: list[str] = []


async def work() -> None:
    ran.append("work")
    await asyncio.sleep(1)


async def long_work() -> None:
    ran.append("long work")
    await asyncio.sleep(600)


async def get_shelf():
    yield "shelf"


async def get_box(shelf: str = Depends(get_shelf)):
    yield f"box on the {shelf}"


async def put(box: str = Depends(get_box)) -> None:
    await asyncio.sleep(1)


async def put_at_last(box: str = Depends(get_box), retry: Retry = Retry(attempts=2)) -> None:
    if retry.attempt == 1:
        raise ConnectionError


async def follow_up(
    docket: Docket = CurrentDocket(), retry: Retry = Retry.forever(delay=SECOND)
) -> None:
    await docket.add(work, key="next", when=docket.now() + 3 * SECOND)()


async def hopeless(retry: Retry = Retry(attempts=2)) -> None:
    raise ConnectionError


async def steeper(
    retry: ExponentialRetry = ExponentialRetry(
        attempts=5, minimum_delay=SECOND, maximum_delay=4 * SECOND
    ),
) -> None:
    await asyncio.sleep(0.5)
    if retry.attempt < 5:
        raise ConnectionError


async def one(sim):
    """One execution."""
    await sim.docket.add(work, key="one")()
    await sim.run_until_idle()


async def one_that_runs_once(sim):
    """One execution; no machine dies and none stands still, so it runs once."""
    ran.clear()
    await sim.docket.add(work, key="one")()
    await sim.run_until_idle()
    assert len(ran) == 1, f"it has run {len(ran)} times"


async def long_one_that_runs_once(sim):
    """One that takes longer than a lease, unless that is renewed."""
    ran.clear()
    await sim.docket.add(long_work, key="one")()
    await sim.run_until_idle()
    assert len(ran) == 1, f"it has run {len(ran)} times"


async def one_that_adds_another(sim):
    """One that adds another."""
    await sim.docket.add(follow_up, key="one")()
    await sim.run_until_idle()


async def one_when_another_ends(sim):
    """One that is added about when the worker looks for more."""
    await sim.docket.add(work, key="first")()
    sim.at("+1.03s", lambda: sim.docket.add(work, key="second")())
    await sim.run_until_idle()


async def torn_down(sim):
    """One with dependencies."""
    await sim.docket.add(put, key="put")()
    await sim.run_until_idle()


async def torn_down_after_a_failure(sim):
    """One with dependencies that fails at first."""
    await sim.docket.add(put_at_last, key="put")()
    await sim.run_until_idle()


async def torn_down_when_cancelled(sim):
    """One with dependencies that is cancelled while it runs."""
    await sim.docket.add(put, key="put")()
    sim.at("+0.9s", lambda: sim.docket.cancel("put"))
    await sim.run_until_idle()


async def given_up(sim):
    """One that fails always."""
    await sim.docket.add(hopeless, key="hopeless")()
    await sim.run_until_idle()
    sim.acknowledge_failures()


async def retried_ever_later(sim):
    """One that fails four times."""
    await sim.docket.add(steeper, key="steeper")()
    await sim.run_until_idle()


# What is broken.


async def settle_or_forget(worker, claim, settlement):
    try:
        return await worker.docket.store.settle(claim, settlement, now=worker.docket.now())
    except StoreUnavailable:
        return Settled.LOST


async def claim_or_wait(worker, limit):
    try:
        return await worker.docket.store.claim(
            worker.name,
            limit=limit,
            lease=worker.settings.redelivery_timeout,
            now=worker.docket.now(),
        )
    except StoreUnavailable:
        return Claimed((), None, None, 1)


async def claim_or_die(worker, limit):
    return await worker.docket.store.claim(
        worker.name,
        limit=limit,
        lease=worker.settings.redelivery_timeout,
        now=worker.docket.now(),
    )


async def wait_not(wakeup, due, expiry):
    await asyncio.sleep(0)


def hear_only_while_waiting(wakeup, when):
    if wakeup._waiter is not None and (wakeup._until is None or when < wakeup._until):
        wakeup.ring()


def never_tick(leases):
    """The timer was forgotten."""


def once_more(policy, call, error, now):
    if policy.attempts is not None and call.attempt > policy.attempts:
        return None
    return Reschedule(now + policy.delay, call.attempt + 1, Reason.RETRY)


def from_the_beginning(policy, call, error, now):
    follow_up = retry_after_failure(policy, call, error, now)
    if follow_up is None:
        return None
    return Reschedule(max(call.when + policy.delay, now), call.attempt + 1, Reason.RETRY)


def uncapped(policy, doublings):
    return policy.minimum_delay * 2**doublings


def doubled_once_too_often(policy, doublings):
    return min(policy.maximum_delay, policy.minimum_delay * 2 ** (doublings + 1))


def spoiling(spoil):
    """A patch by which `spoil` is done to the exit stack of an attempt when its body is over."""

    async def call(attempt, assignment):
        overrides = assignment.context.docket.overrides
        make = overrides.exit_stack

        @asynccontextmanager
        async def spoilt():
            async with make() as stack:
                try:
                    yield stack
                except BaseException as error:
                    await spoil(stack, error)
                    raise
                else:
                    await spoil(stack, None)

        overrides.exit_stack = spoilt
        try:
            return await call_of_attempt(attempt, assignment)
        finally:
            overrides.exit_stack = make

    return partial(patch.object, Attempt, "_call", call)


async def in_order(stack, error):
    stack._exit_callbacks.reverse()


async def twice_after_a_failure(stack, error):
    if error is not None:
        kept = deque(stack._exit_callbacks)
        await stack.aclose()
        stack._exit_callbacks = kept


async def never_when_cancelled(stack, error):
    if isinstance(error, asyncio.CancelledError):
        stack._exit_callbacks.clear()


BUGS = (
    engine(
        "settle or forget",
        "A settlement that does not reach the store is dropped instead of being sent again.",
        one_that_runs_once,
        partial(patch.object, Worker, "_settle", settle_or_forget),
        says="it has run 2 times",
        shows="never arrived",
        faults=Faults.fail(times=None, odds=0.05),
        runs=10,
    ),
    engine(
        "claim or wait",
        "A claim that does not reach the store counts as an empty answer.",
        one_that_adds_another,
        partial(patch.object, Worker, "_claim", claim_or_wait),
        says="Deadlock",
        shows="answer lost",
        workers=1,
        runs=190,
    ),
    engine(
        "claim or die",
        "A worker that is cut off from the store ends.",
        one,
        partial(patch.object, Worker, "_claim", claim_or_die),
        says="StoreUnavailable",
        shows="cut off",
        faults=Faults.partition(times=None, odds=0.05, for_="10s"),
        runs=6,
    ),
    engine(
        "no sleep",
        "A worker that was given nothing asks again at once.",
        one,
        partial(patch.object, Wakeup, "wait", wait_not),
        says="invariant no-busy-loop",
        faults="none",
        runs=3,
    ),
    engine(
        "lost notice",
        "A notice that comes between a claim and the wait that follows is not heard.",
        one_when_another_ends,
        partial(patch.object, Wakeup, "work_due", hear_only_while_waiting),
        says="Deadlock",
        faults="none",
        workers=1,
        runs=21,
    ),
    engine(
        "no renewal",
        "Leases are not renewed, so what takes long is taken over while it runs.",
        long_one_that_runs_once,
        partial(patch.object, Leases, "_tick", never_tick),
        says="it has run 2 times",
        faults="none",
        runs=18,
    ),
    engine(
        "one attempt too many",
        "The policy counts failures instead of attempts.",
        given_up,
        partial(patch.object, Retry, "after_failure", once_more),
        says="invariant attempts",
        faults="none",
        runs=3,
    ),
    engine(
        "delay from the beginning",
        "The delay before a retry is counted from when the attempt was due.",
        retried_ever_later,
        partial(patch.object, Retry, "after_failure", from_the_beginning),
        says="invariant retry-delay",
        faults="none",
        runs=3,
    ),
    engine(
        "no cap",
        "The delay before a retry is doubled for ever.",
        retried_ever_later,
        partial(patch.object, ExponentialRetry, "_capped", uncapped),
        says="invariant retry-delay",
        faults="none",
        runs=3,
    ),
    engine(
        "doubled once too often",
        "The first retry waits as long as the second should.",
        retried_ever_later,
        partial(patch.object, ExponentialRetry, "_capped", doubled_once_too_often),
        says="invariant retry-delay",
        faults="none",
        runs=3,
    ),
    engine(
        "first in, first out",
        "Dependencies are torn down in the order in which they were made.",
        torn_down,
        spoiling(in_order),
        says="invariant teardown",
        faults="none",
        runs=3,
    ),
    engine(
        "torn down twice",
        "Dependencies of an attempt that fails are torn down twice.",
        torn_down_after_a_failure,
        spoiling(twice_after_a_failure),
        says="invariant teardown",
        faults="none",
        runs=3,
    ),
    engine(
        "never torn down",
        "Dependencies of an attempt that is cancelled are not torn down.",
        torn_down_when_cancelled,
        spoiling(never_when_cancelled),
        says="invariant teardown",
        faults="none",
        runs=3,
    ),
)
