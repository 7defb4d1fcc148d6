"""Dependencies of your own: subclasses of `Dependency`."""

from types import TracebackType
from typing import Annotated, Any, ClassVar, Self

import pytest
from guide_helpers import the_failure

from docket_sim import Dependency, Depends, Retry, Tally, current_attempt

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


class Tenant(Dependency[str]):
    """What stands before the colon of the execution's key."""

    async def __aenter__(self) -> str:
        return current_attempt.get().execution.key.split(":")[0]


class Span(Dependency[Any]):
    """Notes when it is entered, and what the body raised when it is left."""

    def __init__(self, swallows: bool = False) -> None:
        self.swallows = swallows

    async def __aenter__(self) -> Self:
        log.append("entered")
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        log.append(f"left with {exc_value!r}")
        return self.swallows


async def test_the_parameter_receives_what_aenter_returns(sim):
    """`current_attempt` tells it about the attempt that it is part of."""

    async def send_invoice(order_id: int, tenant: str = Tenant()) -> str:
        return f"{tenant} {order_id}"

    execution = await sim.docket.add(send_invoice, key="acme:invoice")(7)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "acme 7"


async def test_aexit_is_called_after_the_body_and_sees_what_it_raised(sim):
    """As in any context manager."""

    async def task(fails: bool, span: Span = Span()) -> None:
        log.append("body")
        if fails:
            raise ValueError("no luck")

    await sim.docket.add(task)(fails=False)
    await sim.run_until_idle()
    await sim.docket.add(task)(fails=True)
    await sim.run_until_idle()

    assert log == [
        *("entered", "body", "left with None"),
        *("entered", "body", "left with ValueError('no luck')"),
    ]
    sim.acknowledge_failures()


async def test_aexit_may_swallow_the_bodys_error(sim):
    """When it returns true, the attempt has succeeded, without a result."""

    async def task(span: Span = Span(swallows=True)) -> str:
        raise ValueError("no luck")

    execution = await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() is None


async def test_what_aenter_raises_fails_the_attempt(sim):
    """The report names the parameter."""

    class Unlucky(Dependency[None]):
        async def __aenter__(self) -> None:
            raise PermissionError("no luck")

    async def task(gate: None = Unlucky()) -> None:
        log.append("body")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(failed=1)
    assert str(the_failure(sim)) == ("a dependency of task failed: gate: PermissionError: no luck")
    assert log == []


async def test_factories_can_have_it_as_a_parameter_too(sim):
    """It is a dependency like any other."""

    def get_bucket(tenant: str = Tenant()) -> str:
        return f"bucket of {tenant}"

    async def task(bucket: str = Depends(get_bucket)) -> str:
        return bucket

    execution = await sim.docket.add(task, key="acme:upload")()
    await sim.run_until_idle()
    assert await execution.get_result() == "bucket of acme"


class Audited(Dependency[None]):
    """Notes the argument that it annotates."""

    def __init__(self, name: str = "", value: object = None) -> None:
        self.name = name
        self.value = value

    def bind_to_parameter(self, name: str, value: object) -> "Audited":
        return Audited(name, value)

    async def __aenter__(self) -> None:
        log.append(f"{self.name} = {self.value!r}")


async def test_one_that_annotates_an_argument_learns_its_name_and_value(sim):
    """`bind_to_parameter` gives the instance for one attempt; the argument stays the caller's."""

    async def task(
        amount: Annotated[int, Audited()], currency: Annotated[str, Audited()] = "EUR"
    ) -> str:
        return f"{amount} {currency}"

    execution = await sim.docket.add(task)(5)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["amount = 5", "currency = 'EUR'"]
    assert await execution.get_result() == "5 EUR"


class Quota(Dependency[Any]):
    """Of which a task may have one."""

    single: ClassVar[bool] = True

    async def __aenter__(self) -> None: ...


class StrictQuota(Quota):
    """A kind of quota."""


async def test_a_single_dependency_may_be_there_once_subclasses_counted(sim):
    """`single` on a class makes a policy of it."""

    async def task(quota: None = Quota(), another: None = StrictQuota()) -> None: ...

    with pytest.raises(
        ValueError, match="one Quota, found two: parameter quota and parameter another"
    ):
        sim.docket.register(task)


async def test_one_instance_serves_attempts_that_run_at_the_same_time(sim):
    """It stands in the signature once, so it must keep nothing of an attempt in itself."""
    tenants: set[str] = set()

    async def task(tenant: str = Tenant(), retry: Retry = Retry(attempts=2)) -> None:
        tenants.add(tenant)

    for name in ("acme", "initech", "hooli"):
        await sim.docket.add(task, key=f"{name}:sync")()
    assert await sim.run_until_idle() == Tally(succeeded=3)
    assert tenants == {"acme", "initech", "hooli"}


def test_a_dependency_without_aenter_cannot_be_made():
    """What it gives has to be said."""

    class Nothing(Dependency[None]):
        pass

    with pytest.raises(TypeError, match="__aenter__"):
        Nothing()
