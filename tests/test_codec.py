"""Arguments travel as JSON, typed by the task's signature, and arrive as they were passed."""

import enum
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, NamedTuple
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict

from docket_sim import Docket
from docket_sim.codec import JsonCodec, TaskTypes

# What is scheduled here is looked at, and never run.
pytestmark = pytest.mark.docket(allow_pending=True)

NOON = datetime(2030, 1, 1, 12, 0, 0, 123_456, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


@dataclass
class Item:
    name: str
    price: Decimal
    photo: bytes = b""
    weight: float = 1.0


class Order(BaseModel):
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")  # a model's own say

    number: int
    items: list[Item] = []
    placed: datetime = NOON
    seal: bytes = b""


class Point(NamedTuple):
    x: int
    y: int


@dataclass
class Basket:
    items: list[Item] = field(default_factory=list)
    tokens: dict[str, bytes] = field(default_factory=dict)


def task_taking(annotation: Any) -> Any:
    """A task of one argument, `value`, under the annotation; `Any` stands for none at all."""

    async def task(value): ...

    task.__annotations__ = {} if annotation is Any else {"value": annotation}
    return task


@pytest.fixture
def docket(sim) -> Docket:
    return sim.docket


async def carried(docket: Docket, annotation: Any, value: Any) -> Any:
    """What a task with the annotation receives when it is passed the value."""
    execution = await docket.add(task_taking(annotation))(value)
    return execution.arguments["value"]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (datetime, NOON),
        (date, date(2030, 1, 1)),
        (timedelta, timedelta(days=3, microseconds=1)),
        (UUID, UUID(int=7)),
        (Colour, Colour.RED),
        (Size, Size.LARGE),
        (Decimal, Decimal("1.10")),
        (Path, Path("/tmp/a b")),
        (bytes, b"\xff\x00\x80"),
        (bytes, b""),
        (bytes, b"plain text"),
        (list[bytes], [b"\xff", b"a"]),
        (dict[str, bytes], {"a": b"\xff"}),
        (bytes | None, b"\xff"),
        (bytes | None, None),
        (Item, Item("tea", Decimal("3.50"))),
        (Item, Item("tea", Decimal("3.50"), b"\xff\xfe")),
        (list[Item], [Item("tea", Decimal("3.50"), b"\xff\xfe")]),
        (Basket, Basket([Item("tea", Decimal(1), b"\xff")], {"t": b"\x80"})),
        (Order, Order(number=1, items=[Item("tea", Decimal(3))], seal=b"\xff\x00")),
        (Order | None, Order(number=1)),
        (Item | Order, Order(number=1)),
        (int | str, "7"),
        (int | str, 7),
        (tuple[int, str], (1, "a")),
        (set[int], {1, 2}),
        (dict[int, str], {1: "a"}),
        (Point, Point(1, 2)),
        (Literal["a", "b"], "b"),
        (int, 10**30),
        (str, "\x00🦆\n"),
    ],
    ids=repr,
)
async def test_an_annotated_value_arrives_as_it_was_passed(docket, annotation, value):
    """The value that the body gets equals the one passed, and is of the same type."""
    arrived = await carried(docket, annotation, value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "text", [1, ["a"]], {"a": {"b": None}}])
async def test_an_untyped_value_arrives_when_json_carries_it(docket, value):
    """Without an annotation, a parameter carries what JSON does."""
    arrived = await carried(docket, Any, value)
    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf])
@pytest.mark.parametrize("annotation", [float, Any, list[float], float | None])
async def test_infinities_arrive(docket, annotation, value):
    """Floats that JSON has no number for must not turn into null on the way."""
    wrap = annotation == list[float]
    assert await carried(docket, annotation, [value] if wrap else value) == (
        [value] if wrap else value
    )


@pytest.mark.parametrize("annotation", [float, Any])
async def test_nan_arrives(docket, annotation):
    """Nor may a NaN."""
    assert math.isnan(await carried(docket, annotation, math.nan))


async def test_infinities_inside_a_dataclass_arrive(docket):
    """However deep they are."""
    item = Item("tea", Decimal(1), weight=math.inf)
    assert await carried(docket, Item, item) == item


async def test_variadic_arguments_arrive(sim):
    """`*args` and `**kwargs` travel under the annotations they have."""
    got = []

    async def task(first: int, *rest: Decimal, flag: bool = False, **extra: datetime):
        got.append((first, rest, flag, extra))

    await sim.docket.add(task)(1, Decimal("1.1"), Decimal(2), flag=True, at=NOON)
    await sim.docket.add(task, key="second")(2)
    await sim.run_until_idle()
    assert got[0] == (1, (Decimal("1.1"), Decimal(2)), True, {"at": NOON})
    assert got[1] == (2, (), False, {})


async def test_positional_only_arguments_arrive(sim):
    """They are passed on as they must be."""
    got = []

    async def task(first: int, /, second: int = 5):
        got.append((first, second))

    await sim.docket.add(task)(1)
    await sim.run_until_idle()
    assert got == [(1, 5)]


async def test_arguments_that_were_not_passed_do_not_travel(docket):
    """A default is the worker's own, so that changing it reaches calls that wait."""

    async def task(first: int, second: int = 5): ...

    execution = await docket.add(task)(1)
    assert json.loads(execution.call.arguments) == {"first": 1}


async def test_payloads_can_be_read_by_a_person(docket):
    """The store has plain JSON by parameter name."""

    async def task(order_id: int, when: datetime): ...

    execution = await docket.add(task)(7, NOON)
    assert json.loads(execution.call.arguments) == {
        "order_id": 7,
        "when": "2030-01-01T12:00:00.123456Z",
    }


# Codecs.


def test_an_unknown_codec_is_an_error_that_names_the_known_ones(sim):
    """A typo says what could have been meant."""
    with pytest.raises(ValueError, match=r"json.*pickle") as caught:
        Docket(codec="yaml")
    assert "yaml" in str(caught.value)


async def test_a_codec_of_ones_own_can_be_given(sim):
    """Any object with the protocol will do."""

    class Shouting(JsonCodec):
        def for_task(self, types: TaskTypes):
            names.append(types.task)
            return super().for_task(types)

    names = []
    docket = Docket("own", codec=Shouting(), store=sim.docket.store, clock=sim.clock)
    docket.register(task_taking(int))
    assert names == ["task"]
