"""The small print: what is refused early, and what is as one would expect it."""

import functools
import logging
from datetime import timedelta

import pytest

from docket_sim import (
    Depends,
    ExecutionState,
    Perpetual,
    Retry,
    Tally,
    TaskLogger,
    Timeout,
    UnknownTask,
)
from docket_sim.entropy import SeededEntropy


class Callable_:
    def method(self): ...

    def __call__(self): ...


def plain(): ...


@pytest.mark.parametrize(
    "function",
    [plain, Callable_().method, functools.partial(plain), print, len],
    ids=["function", "method", "partial", "print", "len"],
)
def test_what_is_not_awaitable_is_no_task_in_any_disguise(sim, function):
    """A plain function would block the worker, or do nothing."""
    with pytest.raises(TypeError, match="async def"):
        sim.docket.register(function, names=["job"])


class Service:
    async def method(self, number: int) -> int:
        return number

    async def __call__(self, number: int) -> int:
        return number


@pytest.mark.parametrize(
    "function",
    [Service().method, Service(), functools.partial(Service().method)],
    ids=["method", "instance", "partial"],
)
async def test_an_awaitable_in_disguise_is_a_task(sim, function):
    """Methods, callable instances and partials are fine, as long as they are async."""
    sim.docket.register(function, names=["job"])
    execution = await sim.docket.add("job")(7)
    await sim.run_until_idle()
    assert await execution.get_result() == 7


def test_an_unknown_name_is_told_the_names_there_are(sim):
    """Near matches first, then all of them."""

    async def charge(): ...
    async def refund(): ...

    sim.docket.register(charge)
    sim.docket.register(refund)
    with pytest.raises(UnknownTask, match=r"did you mean charge\? it knows charge, refund"):
        sim.docket.add("chargo")


async def test_the_past_means_now(sim):
    """What is overdue does not jump the queue of what became due before it was added."""

    async def job(): ...

    execution = await sim.docket.add(job, when=sim.clock.now() - timedelta(days=1))()
    assert execution.when == sim.clock.now()
    assert await sim.run_due() == Tally(succeeded=1)


async def test_what_is_cleared_is_cancelled_and_told(sim):
    """The timeline knows what became of it."""

    async def job(): ...

    tomorrow = sim.clock.now() + timedelta(days=1)
    execution = await sim.docket.add(job, when=tomorrow, key="k")()
    assert await sim.docket.clear() == 1
    assert await sim.run_until_idle() == Tally(cancelled=1)
    assert [moment.what for moment in sim.timeline] == ["scheduled", "cancelled"]
    await execution.sync()
    assert execution.state is ExecutionState.CANCELLED


def test_ids_sort_in_the_order_in_which_they_were_made(sim):
    """However many are made in one millisecond."""
    entropy = SeededEntropy(0)
    ids = [entropy.new_id(sim.clock.now()) for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


async def test_the_task_logger_keeps_what_the_caller_adds(sim, caplog):
    """Its own fields come on top of those of the call."""

    async def job(logger: logging.LoggerAdapter[logging.Logger] = TaskLogger()):
        logger.warning("look", extra={"order": 7})

    await sim.docket.add(job, key="k")()
    await sim.run_until_idle()
    [record] = [record for record in caplog.records if record.message == "look"]
    assert (record.order, record.key) == (7, "k")


def needs(number): ...


@pytest.mark.parametrize(
    ("dependency", "complaint"),
    [
        (lambda: Depends(needs), "nothing gives it number"),
        (lambda: Depends(needs, number=1, colour=2), "no parameter colour"),
    ],
)
def test_a_factory_that_could_not_be_called_is_refused(sim, dependency, complaint):
    """At registration, and not by the first failure in production."""

    async def job(value=dependency()): ...

    with pytest.raises(TypeError, match=complaint):
        sim.docket.register(job)


async def test_what_comes_after_a_dependency_is_given_by_name(sim):
    """By position it would be one thing to a type checker and another to the engine."""

    async def service() -> str:
        return "service"

    async def job(first: int, service: str = Depends(service), second: int = 2) -> str:
        return f"{first}, {service}, {second}"

    with pytest.raises(TypeError, match="too many positional"):
        sim.docket.add(job)(1, 7)
    execution = await sim.docket.add(job)(1, second=7)
    await sim.run_until_idle()
    assert await execution.get_result() == "1, service, 7"


@pytest.mark.parametrize(
    "make",
    [lambda: Retry(delay=5), lambda: Timeout(5), lambda: Perpetual(every=5)],
    ids=["retry", "timeout", "perpetual"],
)
def test_a_number_is_no_duration(make):
    """Seconds or minutes? A timedelta says which."""
    with pytest.raises(TypeError, match="must be a timedelta, found 5"):
        make()
