"""Context: what a task and its dependencies can learn about the attempt that they are part of."""

import logging
from datetime import timedelta

import pytest
from guide_helpers import the_failure

from docket_sim import (
    CurrentDocket,
    CurrentExecution,
    CurrentWorker,
    Depends,
    Docket,
    Execution,
    ExecutionState,
    Retry,
    Tally,
    TaskArgument,
    TaskKey,
    TaskLogger,
    Worker,
)


async def test_current_docket_is_the_docket_that_the_worker_works_on(sim):
    """A task schedules more work on it, and the timeline knows who did."""

    async def parent(docket: Docket = CurrentDocket()) -> None:
        assert docket is sim.docket
        await docket.add(child, key="child")()

    async def child(execution: Execution = CurrentExecution()) -> None:
        assert (execution.cause.key, execution.cause.attempt) == ("parent", 1)

    await sim.docket.add(parent, key="parent")()
    assert await sim.run_until_idle() == Tally(succeeded=2)


@pytest.mark.docket(workers=2, concurrency=1)
async def test_current_worker_is_the_worker_that_runs_the_attempt(sim):
    """Its name tells it from the others."""
    names: dict[str, str] = {}

    async def task(key: str = TaskKey(), worker: Worker = CurrentWorker()) -> None:
        assert worker in sim.workers
        names[key] = worker.name

    await sim.docket.add(task, key="a")()
    await sim.docket.add(task, key="b")()
    await sim.run_until_idle()

    started = {moment.key: moment.worker for moment in sim.timeline if moment.what == "started"}
    assert names == started


async def test_current_execution_tells_what_is_being_run(sim):
    """Key, task, due time, attempt, state and arguments are there to be read."""
    seen: list[tuple[object, ...]] = []

    async def task(
        n: int, execution: Execution = CurrentExecution(), retry: Retry = Retry(attempts=2)
    ) -> None:
        assert execution.state is ExecutionState.RUNNING
        seen.append((execution.key, execution.function_name, execution.attempt, execution.when))
        assert execution.arguments == {"n": n}
        assert execution.call_repr() == "task(n=5)"
        if execution.attempt == 1:
            raise ValueError

    due = sim.clock.now() + timedelta(hours=1)
    await sim.docket.add(task, when=due, key="k")(5)
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert seen == [("k", "task", 1, due), ("k", "task", 2, due)]


async def test_task_key_is_the_key_of_the_execution(sim):
    """Dependencies can ask for it as well as tasks."""

    def get_lock_name(key: str = TaskKey()) -> str:
        return f"lock:{key}"

    async def task(key: str = TaskKey(), lock: str = Depends(get_lock_name)) -> str:
        return f"{key}, {lock}"

    execution = await sim.docket.add(task, key="order-7")()
    await sim.run_until_idle()
    assert await execution.get_result() == "order-7, lock:order-7"


async def test_task_logger_is_the_tasks_own_and_its_records_carry_the_execution(sim, caplog):
    """A log line can be traced to the attempt that wrote it."""

    async def charge(logger: logging.LoggerAdapter[logging.Logger] = TaskLogger()) -> None:
        logger.info("charging")

    await sim.docket.add(charge, key="order-7")()
    with caplog.at_level(logging.INFO, "docket_sim.task"):
        await sim.run_until_idle()

    [record] = [record for record in caplog.records if record.message == "charging"]
    assert record.name == "docket_sim.task.charge"
    fields = ("docket", "worker", "task", "key", "attempt")
    assert [getattr(record, field) for field in fields] == [
        *("simulation", "worker-1", "charge", "order-7", 1)
    ]


# TaskArgument


def get_user(user_id: int = TaskArgument()) -> str:
    return f"user {user_id}"


async def test_task_argument_takes_the_name_of_its_parameter(sim):
    """However the caller spelt the call."""

    async def task(user_id: int, user: str = Depends(get_user)) -> str:
        return user

    for call in (sim.docket.add(task)(7), sim.docket.add(task)(user_id=7)):
        execution = await call
        await sim.run_until_idle()
        assert await execution.get_result() == "user 7"


async def test_task_argument_can_name_another_argument(sim):
    """The factory's parameter and the task's may be called differently."""

    def get_owner(user_id: int = TaskArgument("owner")) -> str:
        return f"owner {user_id}"

    async def task(owner: int, name: str = Depends(get_owner)) -> str:
        return name

    execution = await sim.docket.add(task)(7)
    await sim.run_until_idle()
    assert await execution.get_result() == "owner 7"


async def test_task_argument_sees_the_tasks_defaults(sim):
    """An argument that the caller left out has the value that the task sees."""

    async def task(user_id: int = 42, user: str = Depends(get_user)) -> str:
        return user

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    assert await execution.get_result() == "user 42"


async def test_task_argument_sees_the_argument_as_its_type(sim):
    """The dependency receives what the task receives, decoded by the task's annotation."""

    def get_day(span: timedelta = TaskArgument()) -> str:
        return f"{type(span).__name__} of {span.days} days"

    async def task(span: timedelta, day: str = Depends(get_day)) -> str:
        return day

    execution = await sim.docket.add(task)(timedelta(days=3))
    await sim.run_until_idle()
    assert await execution.get_result() == "timedelta of 3 days"


async def test_task_argument_works_in_a_dependency_of_a_dependency(sim):
    """To any depth, it is the task's arguments that are meant."""

    def get_greeting(user: str = Depends(get_user)) -> str:
        return f"Dear {user}"

    async def task(user_id: int, greeting: str = Depends(get_greeting)) -> str:
        return greeting

    execution = await sim.docket.add(task)(7)
    await sim.run_until_idle()
    assert await execution.get_result() == "Dear user 7"


async def test_a_missing_task_argument_names_both_the_parameter_and_the_argument(sim):
    """The error also tells which arguments there are."""

    def get_owner(whose: int = TaskArgument("owner")) -> str:
        raise AssertionError("made without what it needs")

    async def task(order: int, owner: str = Depends(get_owner)) -> None: ...

    await sim.docket.add(task)(7)
    assert await sim.run_until_idle() == Tally(failed=1)
    message = str(the_failure(sim))
    assert "owner ← get_owner" in message
    assert "whose=TaskArgument('owner')" in message
    assert "task, which has order" in message


async def test_an_optional_task_argument_is_none_when_the_task_has_none(sim):
    """A dependency can serve tasks with and without the argument."""

    def get_tenant(tenant: str | None = TaskArgument(optional=True)) -> str:
        return tenant or "nobody"

    async def with_it(tenant: str, name: str = Depends(get_tenant)) -> str:
        return name

    async def without_it(name: str = Depends(get_tenant)) -> str:
        return name

    first = await sim.docket.add(with_it)("Ada")
    second = await sim.docket.add(without_it)()
    assert await sim.run_until_idle() == Tally(succeeded=2)
    assert (await first.get_result(), await second.get_result()) == ("Ada", "nobody")
