"""Failures of dependencies: what the report says, what is torn down, and what is refused early."""

import logging
from datetime import timedelta

import pytest
from guide_helpers import seconds, starts, the_failure

from docket_sim import (
    Depends,
    ResolutionFailed,
    Retry,
    Tally,
)


def get_auth_service() -> None:
    raise ConnectionError("auth is down")


def get_user_service(auth: None = Depends(get_auth_service)) -> None:
    raise AssertionError("made without what it needs")


def get_mailer() -> None:
    raise KeyError("SMTP_HOST")


ran: list[str] = []


async def update_profile(user_service: None = Depends(get_user_service)) -> None:
    ran.append("update_profile")


async def test_the_report_names_the_path_from_the_parameter_to_the_factory(sim):
    """`user_service ← get_user_service ← get_auth_service` says who wanted what failed."""
    await sim.docket.add(update_profile)()

    assert await sim.run_until_idle() == Tally(failed=1)
    error = the_failure(sim)
    assert isinstance(error, ResolutionFailed)
    path = "user_service ← get_user_service ← get_auth_service"
    assert str(error) == (
        f"a dependency of update_profile failed: {path}: ConnectionError: auth is down"
    )
    [original] = error.exceptions
    assert type(original) is ConnectionError
    assert any(path in note for note in original.__notes__)


async def test_the_body_does_not_run_when_a_dependency_fails(sim):
    """A task never works with incomplete dependencies."""
    ran.clear()
    await sim.docket.add(update_profile)()

    assert await sim.run_until_idle() == Tally(failed=1)
    assert ran == []
    sim.acknowledge_failures()


async def test_the_log_names_the_dependency_that_failed(sim, caplog):
    """Whoever reads the log need not know the code."""
    await sim.docket.add(update_profile, key="order-7")()
    with caplog.at_level(logging.ERROR, "docket_sim"):
        await sim.run_until_idle()

    [record] = caplog.records
    for part in ("update_profile()", "[order-7]", "← get_auth_service", "auth is down"):
        assert part in record.getMessage()
    sim.acknowledge_failures()


async def test_all_failures_are_reported_together(sim):
    """One report, one fix: the second failure does not wait for the first to be mended."""

    async def task(
        mailer: None = Depends(get_mailer), user_service: None = Depends(get_user_service)
    ) -> None: ...

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    error = the_failure(sim)
    assert isinstance(error, ExceptionGroup)
    assert [type(each) for each in error.exceptions] == [KeyError, ConnectionError]
    assert str(error).startswith("2 dependencies of task failed: mailer ← get_mailer: KeyError")


async def test_a_factory_that_failed_is_called_and_reported_once(sim):
    """Two dependencies that need it make one failure."""
    calls: list[str] = []

    def get_connection() -> None:
        calls.append("connect")
        raise ConnectionError

    def get_users(connection: None = Depends(get_connection)) -> None: ...
    def get_orders(connection: None = Depends(get_connection)) -> None: ...

    async def task(users: None = Depends(get_users), orders: None = Depends(get_orders)) -> None:
        ran.append("task")

    ran.clear()
    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    assert calls == ["connect"]
    assert len(the_failure(sim).exceptions) == 1
    assert ran == []


async def test_what_was_entered_is_torn_down_when_a_later_dependency_fails(sim):
    """And it sees the failure."""
    log: list[str] = []

    async def connect():
        log.append("opened")
        try:
            yield
        except ResolutionFailed:
            log.append("saw the failure")
            raise
        finally:
            log.append("closed")

    async def task(
        connection: None = Depends(connect), mailer: None = Depends(get_mailer)
    ) -> None: ...

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    assert log == ["opened", "saw the failure", "closed"]
    sim.acknowledge_failures()


@pytest.mark.parametrize("retry_first", [True, False])
async def test_a_failure_to_resolve_is_retried_by_the_tasks_policy(sim, retry_first):
    """Wherever the policy stands in the signature."""
    calls: list[int] = []
    policy = Retry(attempts=3, delay=timedelta(seconds=5))

    def connect() -> str:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError
        return "connection"

    async def first(retry: Retry = policy, connection: str = Depends(connect)) -> None: ...
    async def last(connection: str = Depends(connect), retry: Retry = policy) -> None: ...

    await sim.docket.add(first if retry_first else last)()
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=2)
    assert starts(sim) == seconds(0, 5, 10)


async def test_what_a_factory_raises_beyond_exceptions_does_not_end_the_worker(sim):
    """`SystemExit` in a factory fails the attempt, and the next task runs."""

    def leave() -> None:
        raise SystemExit("bye")

    async def bad(value: None = Depends(leave)) -> None: ...
    async def good() -> None: ...

    await sim.docket.add(bad)()
    await sim.docket.add(good)()
    assert await sim.run_until_idle() == Tally(failed=1, succeeded=1)
    assert "bye" in str(the_failure(sim))


# Teardown.


async def test_a_teardown_sees_what_the_body_raised(sim):
    """A transaction can roll back."""
    log: list[str] = []

    async def transaction():
        try:
            yield
        except ValueError as error:
            log.append(f"rolled back: {error}")
            raise
        log.append("committed")

    async def task(fails: bool, transaction: None = Depends(transaction)) -> None:
        if fails:
            raise ValueError("no luck")

    await sim.docket.add(task)(fails=False)
    await sim.run_until_idle()
    await sim.docket.add(task)(fails=True)
    await sim.run_until_idle()

    assert log == ["committed", "rolled back: no luck"]
    assert str(the_failure(sim)) == "no luck"


async def test_a_teardown_that_fails_after_the_body_succeeded_fails_the_attempt(sim):
    """A commit on exit is part of the work, so that the attempt is retried."""
    log: list[str] = []

    async def transaction():
        yield
        log.append("commit")
        if len(log) < 3:
            raise ConnectionError("commit failed")

    async def task(
        transaction: None = Depends(transaction), retry: Retry = Retry(attempts=3)
    ) -> str:
        return "done"

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=2)
    assert log == ["commit"] * 3
    assert await execution.get_result() == "done"


async def test_a_teardown_that_fails_for_good_fails_the_execution(sim):
    """It is not completed as well."""

    async def transaction():
        yield
        raise ConnectionError("commit failed")

    async def task(transaction: None = Depends(transaction)) -> str:
        return "done"

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    with pytest.raises(ConnectionError, match="commit failed"):
        await execution.get_result()
    sim.acknowledge_failures()


async def test_a_teardown_that_fails_does_not_keep_the_others_from_theirs(sim):
    """Everything that was entered is left."""
    log: list[str] = []

    async def first():
        try:
            yield
        finally:
            log.append("first closed")

    async def second():
        yield
        raise OSError("cannot close")

    async def task(a: None = Depends(first), b: None = Depends(second)) -> None: ...

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    assert log == ["first closed"]
    assert str(the_failure(sim)) == "cannot close"
