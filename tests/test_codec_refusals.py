"""What JSON cannot carry is refused where it is passed, in words that name it."""

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from docket_sim import Docket

# What is scheduled here is looked at, and never run.
pytestmark = pytest.mark.docket(allow_pending=True)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Item:
    name: str
    price: int


@dataclass
class DiscountedItem(Item):
    discount: int = 0


class Order(BaseModel):
    number: int


class UrgentOrder(Order):
    by: datetime = NOON


class Opaque:
    """A class that JSON and pydantic know nothing of."""


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


@pytest.mark.parametrize("value", [(1, 2), NOON, {"a": (1,)}, [NOON], {1: 2}, b"a", {1}, Opaque()])
async def test_an_untyped_value_that_json_cannot_carry_is_refused(docket, value):
    """The error names task, parameter and type, and both ways out."""
    with pytest.raises(TypeError) as caught:
        docket.add(task_taking(Any))(value)
    message = str(caught.value)
    for word in ("task", "value", type(value).__name__, "nnotate", "codec='pickle'"):
        assert word in message


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "seven"),
        (int, 1.5),
        (datetime, "yesterday"),
        (Colour, "blue"),
        (Item, {"name": "tea"}),
        (Order, "order"),
        (list[int], ["a"]),
        (int, None),
        pytest.param(Opaque, Opaque(), id="Opaque"),
        (Literal["a"], "b"),
    ],
    ids=repr,
)
async def test_a_value_of_the_wrong_type_is_refused(docket, annotation, value):
    """The error names the task, the parameter and what was found."""
    with pytest.raises(TypeError) as caught:
        docket.add(task_taking(annotation))(value)
    for word in ("task", "value", type(value).__name__):
        assert word in str(caught.value)


@pytest.mark.parametrize("annotation", [list, list[Any], dict[str, Any], object])
async def test_a_value_that_cannot_travel_inside_a_loose_type_is_refused_by_name(
    docket, annotation
):
    """The error names the parameter also where the type lets anything in."""
    value = {"a": Opaque()} if annotation == dict[str, Any] else [Opaque()]
    with pytest.raises(TypeError) as caught:
        docket.add(task_taking(annotation))(value)
    for word in ("task", "value", type(value).__name__, "codec='pickle'"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("annotation", "value"), [(list, [(1, 2)]), (dict, {"at": NOON}), (object, NOON)], ids=repr
)
async def test_a_value_inside_a_loose_type_arrives_unchanged_or_not_at_all(
    docket, annotation, value
):
    """A datetime must not silently become text, nor a tuple a list."""
    try:
        arrived = await carried(docket, annotation, value)
    except TypeError:
        return
    assert arrived == value
    assert repr(arrived) == repr(value)


async def test_a_lone_surrogate_is_refused_by_name(docket):
    """Text that UTF-8 cannot carry, such as an undecodable file name, is named as well."""
    with pytest.raises(TypeError, match="value"):
        docket.add(task_taking(str))("\udcff")


async def test_bytes_that_a_model_does_not_carry_are_refused_by_name(docket):
    """A model's own config says how its bytes travel; as text, the default, some cannot."""

    class Sealed(BaseModel):
        seal: bytes

    task = task_taking(Sealed)
    execution = await docket.add(task)(Sealed(seal=b"text"))
    assert execution.arguments == {"value": Sealed(seal=b"text")}
    with pytest.raises(TypeError, match="value"):
        docket.add(task)(Sealed(seal=b"\xff"))


async def test_the_error_is_raised_at_the_line_of_the_call(docket):
    """Not where the call is awaited, and not on some worker."""
    scheduling = docket.add(task_taking(int))
    with pytest.raises(TypeError) as caught:
        scheduling("seven")
    here = caught.traceback[0]
    assert here.path == Path(__file__)
    assert 'scheduling("seven")' in str(here.statement)


@pytest.mark.parametrize(
    ("args", "kwargs", "named"),
    [
        ((), {}, "order_id"),
        ((1, 2, 3), {}, "too many"),
        ((1,), {"order_id": 1}, "order_id"),
        ((1,), {"ordre": 1}, "ordre"),
    ],
)
async def test_arguments_that_do_not_fit_the_signature_are_refused(docket, args, kwargs, named):
    """Missing, too many, double and misspelt: each is a TypeError that names the task as well."""

    async def charge(order_id: int, amount: int = 1): ...

    with pytest.raises(TypeError, match=named) as caught:
        docket.add(charge)(*args, **kwargs)
    assert "charge" in str(caught.value)


async def test_nothing_is_scheduled_when_an_argument_is_refused(docket):
    """The error comes before anything has happened."""
    with pytest.raises(TypeError):
        docket.add(task_taking(int), key="k")("seven")
    assert await docket.get_execution("k") is None


SUBCLASSED = [
    (Item, DiscountedItem("tea", 3, discount=1)),
    (Order, UrgentOrder(number=1)),
]


@pytest.mark.parametrize(("annotation", "value"), SUBCLASSED, ids=repr)
async def test_a_subclass_of_the_annotated_class_is_refused(docket, annotation, value):
    """Travelling as its base, it would lose its own fields without a word."""
    with pytest.raises(TypeError, match="value") as caught:
        docket.add(task_taking(annotation))(value)
    assert type(value).__name__ in str(caught.value)


@pytest.mark.parametrize("wrapped", ["optional", "in a list", "in a dict", "variadic"])
@pytest.mark.parametrize(("annotation", "value"), SUBCLASSED, ids=repr)
async def test_a_subclass_is_refused_wherever_it_stands(docket, annotation, value, wrapped):
    """In an Optional, a container or *args it would lose as much."""

    async def variadic(*value): ...

    variadic.__annotations__ = {"value": annotation}
    task, given = {
        "optional": (task_taking(annotation | None), value),
        "in a list": (task_taking(list[annotation]), [value]),
        "in a dict": (task_taking(dict[str, annotation]), {"a": value}),
        "variadic": (variadic, value),
    }[wrapped]
    with pytest.raises(TypeError, match=r"value|\*args") as caught:
        await docket.add(task)(given)
    assert type(value).__name__ in str(caught.value)


async def test_a_subclass_that_is_annotated_arrives(docket):
    """A union that names it is one of the ways out."""
    _, item = SUBCLASSED[0]
    arrived = await carried(docket, Item | DiscountedItem, item)
    assert arrived == item
    assert type(arrived) is DiscountedItem
