"""What an attempt does not do: a signature is read once, and resolving inspects nothing."""

import inspect
import typing

import pytest

from docket_sim import CurrentDocket, Depends, Docket, Retry, Tally, TaskArgument
from docket_sim.codec import JsonCodec, typed_json


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

    def refuse(*args, **kwargs):
        pytest.fail(f"inspected again: {args}")

    for module, name in READERS:
        monkeypatch.setattr(module, name, refuse)

    execution = await sim.docket.add(pay)("Ada")
    assert await sim.run_until_idle() == Tally(succeeded=1, retried=1)
    assert await execution.get_result() == "account at the connection of Ada"


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
