"""The dependencies guide, last part: its error handling and guidelines run as written, and do what
the prose around them says.
"""

import logging
from types import SimpleNamespace
from typing import Any

from guide_application import Cache, Connection
from guide_document import load
from guide_helpers import the_failure

from docket_sim import Depends, Tally

# Dependency error handling.


async def test_dependent_task_does_not_run_when_its_dependency_fails(guide, sim, caplog):
    """The task fails, and the log names the dependency and what it raised."""
    guide.random = SimpleNamespace(random=lambda: 0.25)
    await sim.docket.add(guide.dependent_task)()

    with caplog.at_level(logging.ERROR, "docket_sim"):
        assert await sim.run_until_idle() == Tally(failed=1)

    assert guide.printed == []
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    for part in ("dependent_task", "value ← unreliable_dependency", "Service unavailable"):
        assert part in record.getMessage()
    assert "Service unavailable" in str(the_failure(sim))


async def test_dependent_task_runs_when_its_dependency_succeeds(guide, sim):
    """The dependency's value is the task's."""
    guide.random = SimpleNamespace(random=lambda: 0.75)
    await sim.docket.add(guide.dependent_task)()

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert guide.printed == ["Got value: success"]


# Dependency guidelines.


async def test_get_api_client_is_reusable_across_many_tasks(guide, sim, monkeypatch):
    """Both of the guide's client factories serve any task."""
    monkeypatch.setenv("API_KEY", "secret")
    guide.APIClient = SimpleNamespace
    clients: list[SimpleNamespace] = []

    async def sync_orders(client=Depends(guide.get_api_client)) -> None:
        clients.append(client)

    async def sync_users(
        client=Depends(guide.get_api_client),
        specific=Depends(guide.get_user_api_client_for_profile_updates),
    ) -> None:
        clients.extend([client, specific])

    await sim.docket.add(sync_orders)()
    await sim.docket.add(sync_users)()

    assert await sim.run_until_idle() == Tally(succeeded=2)
    plain = SimpleNamespace(api_key="secret")
    assert clients == [plain, plain, SimpleNamespace(api_key="secret", timeout=30)]


async def test_focused_dependencies_and_the_one_with_too_many_responsibilities_both_work(
    guide, application, sim
):
    """The guide advises against a dependency that makes everything, and it runs all the same."""
    focused = load(vars(guide), through="get_all_services")  # later, get_database is another one
    focused.APIClient = focused.MetricsClient = SimpleNamespace
    received: dict[str, Any] = {}

    async def report(
        db=Depends(focused.get_database),
        cache=Depends(focused.get_cache),
        services=Depends(focused.get_all_services),
    ) -> None:
        received.update(services, own_db=db, own_cache=cache)

    await sim.docket.add(report)()

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert application.connections == [received["own_db"], received["db"]]
    assert isinstance(received["own_cache"], Cache)
    assert received.keys() == {"own_db", "own_cache", "db", "cache", "api", "metrics"}


async def test_the_good_get_database_closes_its_connection_and_the_risky_one_does_not(
    guide, application, sim
):
    """An undecorated async generator is a dependency with a cleanup: what follows its `yield`."""
    connections: list[Connection] = []

    async def careful(db=Depends(guide.get_database)) -> None:
        connections.append(db)
        application.log.append("careful ran")

    async def careless(db=Depends(guide.get_database_no_cleanup)) -> None:
        connections.append(db)
        application.log.append("careless ran")

    await sim.docket.add(careful)()
    await sim.run_until_idle()
    await sim.docket.add(careless)()
    await sim.run_until_idle()

    assert connections == application.connections
    assert application.log == [
        *("db connected", "careful ran", "db closed"),
        *("db connected", "careless ran"),
    ]
