"""What a body returns, on its way to whoever asks for it."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass
class Receipt:
    number: int
    seal: bytes = b""


@dataclass
class LongReceipt(Receipt):
    lines: int = 0


async def result_of(sim, annotation: Any, value: Any) -> Any:
    """What get_result() gives for a task with the return annotation that returns the value."""

    async def task():
        return value

    task.__annotations__ = {} if annotation is Any else {"return": annotation}
    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    return await execution.get_result()


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Any, None),
        (Any, {"a": [1, 2.5, "x", None, True]}),
        (int, 7),
        (datetime, NOON),
        (UUID, UUID(int=1)),
        (Decimal, Decimal("1.10")),
        (Path, Path("a/b")),
        (bytes, b"\xff\x00"),
        (Receipt, Receipt(1, b"\xff")),
        (list[Receipt], [Receipt(1, b"\xff")]),
        (tuple[int, str], (1, "a")),
        (Receipt | None, None),
        (int | str, "7"),
        (int, "7"),  # the annotation is wrong; the value arrives as it is, or not at all
        (list[int], ["7"]),
        (Any, "2030-01-01T12:00:00Z"),
    ],
    ids=repr,
)
async def test_a_result_arrives_as_it_was_returned(sim, annotation, value):
    """It is equal to what the body returned, and of the same type."""
    arrived = await result_of(sim, annotation, value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_nan_and_infinity_arrive_as_results(sim, value):
    """A float for which JSON has no number must not turn into None on the way."""
    assert str(await result_of(sim, float, value)) == str(value)


@pytest.mark.parametrize("value", [math.nan, math.inf, {"a": [math.inf]}], ids=repr)
async def test_an_untyped_infinity_arrives_as_it_is_or_not_at_all(sim, value):
    """Where nothing says that it is a float, failing is better than turning into None."""
    try:
        arrived = await result_of(sim, Any, value)
    except TypeError:
        sim.acknowledge_failures()
        return
    assert repr(arrived) == repr(value)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [(Any, (1, 2)), (Any, NOON), (Any, object()), (Any, b"a"), (str, "\udcff"), (list, [object()])],
    ids=["tuple", "datetime", "object", "bytes", "lone surrogate", "object in a list"],
)
async def test_a_result_that_cannot_travel_fails_the_execution(sim, annotation, value):
    """The error names the task and what it returned."""
    with pytest.raises(TypeError, match="task returned") as caught:
        await result_of(sim, annotation, value)
    assert type(value).__name__ in str(caught.value)
    sim.acknowledge_failures()


async def test_a_subclass_of_the_annotated_result_does_not_lose_its_fields(sim):
    """It arrives whole, or the execution fails: nothing is lost without a word."""
    try:
        arrived = await result_of(sim, Receipt, LongReceipt(1, lines=3))
    except TypeError:
        sim.acknowledge_failures()
        return
    assert arrived == LongReceipt(1, lines=3)
