"""The dependencies guide, second part: its blocks on custom dependencies run as written, and do
what the prose around them says.
"""

import logging
from types import SimpleNamespace

import pytest
from guide_helpers import the_failure

from docket_sim import Depends, Tally

# Custom dependencies.


async def test_process_user_data_is_given_both_resources_which_are_cleaned_up(
    guide, application, sim
):
    """Resources are entered in the order of the signature, and left in reverse."""
    await sim.docket.add(guide.process_user_data)(7)

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert application.log == [
        "db connected",
        "cache opened",
        "user:7 = user 7 as JSON",
        "cache closed",
        "db closed",
    ]


async def test_process_user_data_cleans_up_when_it_fails(guide, application, sim):
    """A failing body does not leak what it was given."""
    await sim.docket.add(guide.process_user_data)(-1)

    assert await sim.run_until_idle() == Tally(failed=1)
    assert application.log[-2:] == ["cache closed", "db closed"]
    assert isinstance(the_failure(sim), LookupError)


async def test_update_user_profile_gets_its_services_on_one_connection(guide, application, sim):
    """Two services that need the database are given one instance in one execution."""
    await sim.docket.add(guide.update_user_profile)(7, {"name": "Ada"})

    assert await sim.run_until_idle() == Tally(succeeded=1)
    [connection] = application.connections
    assert application.profiles == [(connection, connection, 7, {"name": "Ada"})]
    assert application.log == ["db connected", "db closed"]


async def test_update_user_profile_gets_another_connection_in_another_execution(
    guide, application, sim
):
    """What is cached is cached for one execution only."""
    await sim.docket.add(guide.update_user_profile)(7, {})
    await sim.docket.add(guide.update_user_profile)(8, {})

    assert await sim.run_until_idle() == Tally(succeeded=2)
    assert len(set(application.connections)) == 2


# Context manager dependencies.


@pytest.mark.parametrize("fails", [False, True], ids=["succeeding", "failing"])
async def test_process_shared_file_has_the_file_locked_while_it_runs(guide, sim, fails):
    """The lock is taken before the task starts, and released after it, whatever becomes of it."""
    log: list[str] = []

    async def acquire_file_lock(filename: str) -> str:
        log.append(f"locked {filename}")
        return filename

    async def release_file_lock(filename: str) -> None:
        log.append(f"released {filename}")

    async def process_file_safely(filename: str) -> None:
        log.append(f"processed {filename}")
        if fails:
            raise OSError("disk full")

    guide.acquire_file_lock = acquire_file_lock
    guide.release_file_lock = release_file_lock
    guide.process_file_safely = process_file_safely
    await sim.docket.add(guide.process_shared_file)("report.txt")

    assert await sim.run_until_idle() == (Tally(failed=1) if fails else Tally(succeeded=1))
    assert log == ["locked shared.txt", "processed report.txt", "released shared.txt"]
    sim.acknowledge_failures()


# Dependencies with built-in context, and task arguments.


async def test_important_task_logs_with_its_key_and_its_workers_name(guide, sim, caplog):
    """A dependency can ask for the execution and the worker, just as a task can."""
    processed: list[dict[str, int]] = []

    async def process_important_data(data: dict[str, int]) -> None:
        processed.append(data)

    guide.process_important_data = process_important_data
    await sim.docket.add(guide.important_task, key="vip")({"n": 1})

    with caplog.at_level(logging.INFO, "worker.worker-1"):
        assert await sim.run_until_idle() == Tally(succeeded=1)

    assert processed == [{"n": 1}]
    records = [record for record in caplog.records if record.name == "worker.worker-1"]
    messages = [record.getMessage() for record in records]
    assert messages == ["Starting important task", "Important task completed"]
    assert {(record.task_key, record.worker_name) for record in records} == {("vip", "worker-1")}


async def test_send_personalized_email_has_its_context_populated_from_its_argument(guide, sim):
    """`TaskArgument()` gives a dependency the task's argument of the same name."""
    sent: list[tuple[str, str]] = []

    async def fetch_user(user_id: int) -> SimpleNamespace:
        return SimpleNamespace(email=f"user-{user_id}@example.org")

    async def fetch_user_permissions(user_id: int) -> list[str]:
        return [f"edit-{user_id}"]

    async def fetch_user_preferences(user_id: int) -> dict[str, str]:
        return {"salutation": f"Dear {user_id}"}

    async def send_email(address: str, email: str) -> None:
        sent.append((address, email))

    guide.fetch_user = fetch_user
    guide.fetch_user_permissions = fetch_user_permissions
    guide.fetch_user_preferences = fetch_user_preferences
    guide.send_email = send_email
    guide.personalize_email = lambda message, preferences: f"{preferences['salutation']}, {message}"
    await sim.docket.add(guide.send_personalized_email)(7, message="hello")

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert sent == [("user-7@example.org", "Dear 7, hello")]


@pytest.mark.parametrize(
    ("arguments", "resolved"),
    [
        ({"config": "fast"}, {"loaded": "fast"}),
        ({}, {"mode": "default"}),
        ({"config": None}, {"mode": "default"}),
    ],
    ids=["given", "omitted", "none"],
)
async def test_flexible_task_has_its_config_loaded_or_defaults(guide, sim, arguments, resolved):
    """`TaskArgument("config", optional=True)` names an argument, which may be left out."""
    processed: list[tuple[dict[str, int], dict[str, str]]] = []

    async def load_config(name: str) -> dict[str, str]:
        return {"loaded": name}

    async def process_data(data: dict[str, int], config: dict[str, str]) -> None:
        processed.append((data, config))

    guide.load_config = load_config
    guide.process_data = process_data
    guide.DEFAULT_CONFIG = {"mode": "default"}
    await sim.docket.add(guide.flexible_task)({"n": 1}, **arguments)

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert processed == [({"n": 1}, resolved)]


async def test_get_optional_config_serves_a_task_that_has_no_config_at_all(guide, sim):
    """An optional argument is `None` for a task without such a parameter."""
    guide.DEFAULT_CONFIG = {"mode": "default"}

    async def plain_task(config_of_mine: dict = Depends(guide.get_optional_config)) -> dict:
        return config_of_mine

    execution = await sim.docket.add(plain_task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == {"mode": "default"}
