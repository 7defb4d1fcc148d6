"""What an attempt does not do: a signature is read once, and resolving inspects nothing."""

import inspect
import typing

from docket_sim import CurrentDocket, Depends, Docket, Retry, Tally, TaskArgument
from docket_sim.codec import JsonCodec, typed_json
from docket_sim.dependencies import signature_of


async def get_connection(name: str = TaskArgument()):
    yield f"connection of {name}"


async def get_account(connection: str = Depends(get_connection)) -> str:
    return f"account at the {connection}"


async def pay(
    name: str,
    account: str = Depends(get_account),
    docket: Docket = CurrentDocket(),
    retry: Retry = Retry(attempts=2),
) -> str:
    if retry.attempt == 1:
        raise ConnectionError(account)
    return account


READERS = [
    (inspect, "signature"),
    (inspect, "getclosurevars"),
    (inspect, "iscoroutinefunction"),
    (inspect, "isasyncgenfunction"),
    (inspect, "isgeneratorfunction"),
    (inspect, "unwrap"),
    (typing, "get_type_hints"),
    (typed_json, "TypeAdapter"),
]


async def test_after_registration_nothing_is_inspected(sim, monkeypatch):
    """Scheduling, resolving, retrying and reading the result use what was worked out before."""
    sim.docket.register(pay)
    await sim.run_due()  # the workers have begun

    inspected = []
    with monkeypatch.context() as watched:
        for module, name in READERS:
            watched.setattr(module, name, lambda *args, _name=name, **_: inspected.append(_name))
        execution = await sim.docket.add(pay)("Ada")
        tally = await sim.run_until_idle()
        result = await execution.get_result()
    assert inspected == []
    assert tally == Tally(succeeded=1, retried=1)
    assert result == "account at the connection of Ada"


def test_a_signature_is_read_once_however_many_dockets_know_the_task():
    """A second docket, or a test's next world, finds what the first one read."""
    Docket("one").register(pay)
    Docket("two").register(pay)
    assert signature_of(pay) is signature_of(pay)


def test_the_check_sees_an_inspection(monkeypatch):
    """A planted reading of a signature is caught: registering does inspect."""
    seen = []
    real = inspect.signature

    def note(*args, **kwargs):
        seen.append(args)
        return real(*args, **kwargs)

    monkeypatch.setattr(inspect, "signature", note)

    async def fresh(value: int) -> int:
        return value

    Docket(codec=JsonCodec()).register(fresh)
    assert seen
