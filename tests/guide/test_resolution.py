"""Resolution: in which order an attempt's dependencies are entered, and left again."""

from collections.abc import Callable, Iterator
from typing import Annotated

import pytest

from docket_sim import CurrentExecution, Depends, Execution, ExecutionState, Tally

log: list[str] = []


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    log.clear()


def noting(name: str) -> Callable[[], Iterator[str]]:
    """A factory that notes when what it makes is entered and left."""

    def factory() -> Iterator[str]:
        log.append(f"+{name}")
        yield name
        log.append(f"-{name}")

    return factory


async def test_dependencies_are_entered_in_the_order_of_the_signature_and_left_in_reverse(sim):
    """Depth first: what a dependency needs is entered just before it."""

    inner = noting("inner")

    def outer(inner: str = Depends(inner)) -> Iterator[str]:
        log.append("+outer")
        yield "outer"
        log.append("-outer")

    async def task(
        first: str = Depends(noting("first")),
        second: str = Depends(outer),
        third: str = Depends(noting("third")),
    ) -> None:
        log.append("body")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == [
        *("+first", "+inner", "+outer", "+third", "body"),
        *("-third", "-outer", "-inner", "-first"),
    ]


async def test_a_depends_in_an_annotation_fills_its_parameter(sim):
    """`Annotated[Client, Depends(get_client)]` stands beside the type, as in FastAPI."""

    async def task(n: int, client: Annotated[str, Depends(noting("client"))]) -> str:
        return f"{n} with {client}"

    execution = await sim.docket.add(task)(1)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "1 with client"


async def test_annotated_dependencies_come_last(sim):
    """They follow those of the signature's defaults, wherever they stand."""

    async def task(
        annotated: Annotated[str, Depends(noting("annotated"))],
        default: str = Depends(noting("default")),
    ) -> None:
        log.append("body")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["+default", "+annotated", "body", "-annotated", "-default"]


async def test_a_dependency_that_annotates_an_argument_is_entered_around_the_body(sim):
    """The caller fills the argument, the dependency does its work beside it."""

    async def task(n: Annotated[int, Depends(noting("beside"))] = 1) -> None:
        log.append(f"body with {n}")

    await sim.docket.add(task)(5)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["+beside", "body with 5", "-beside"]


@pytest.mark.docket(dependencies=[Depends(noting("worker's"))])
async def test_the_workers_own_dependencies_come_first(sim):
    """What a worker adds to every task is around all that the task itself asks for."""

    async def task(own: str = Depends(noting("own"))) -> None:
        log.append("body")

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert log == ["+worker's", "+own", "body", "-own", "-worker's"]


async def test_dependencies_are_resolved_while_the_execution_is_running(sim):
    """Resolution and teardown happen under the claim: nobody else has the execution."""
    states: list[ExecutionState] = []

    async def watch(execution: Execution = CurrentExecution()):
        states.append((await sim.docket.get_execution(execution.key)).state)
        yield
        states.append((await sim.docket.get_execution(execution.key)).state)

    async def task(watching: None = Depends(watch)) -> None: ...

    await sim.docket.add(task)()
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert states == [ExecutionState.RUNNING, ExecutionState.RUNNING]


async def test_teardown_comes_before_the_execution_has_ended(sim):
    """Whoever waits for the result finds everything let go of."""

    async def task(client: str = Depends(noting("client"))) -> None: ...

    execution = await sim.docket.add(task)()

    async def wait() -> None:
        await execution.get_result()
        log.append("result")

    waiting = sim.loop.create_task(wait())
    await sim.run_until_idle()
    await waiting
    assert log == ["+client", "-client", "result"]


async def test_a_dependency_may_be_a_positional_only_parameter(sim):
    """Of a task as of a factory."""

    def get_client(name: str = Depends(noting("name")), /) -> str:
        return f"client of {name}"

    async def task(n: int, client: str = Depends(get_client), /) -> str:
        return f"{n} with {client}"

    execution = await sim.docket.add(task)(5)
    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert await execution.get_result() == "5 with client of name"
