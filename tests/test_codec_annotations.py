"""Annotations that are text, because of `from __future__ import annotations`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

# What is scheduled here is looked at, and never run.
pytestmark = pytest.mark.docket(allow_pending=True)

if TYPE_CHECKING:
    from somewhere.that_does_not_exist import Ghost

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@dataclass
class Item:
    name: str
    price: Decimal


async def test_annotations_of_the_module_are_found(sim):
    """Names that the module knows give their types."""

    async def task(at: datetime, items: list[Item]): ...

    execution = await sim.docket.add(task)(NOON, [Item("tea", Decimal("1.1"))])
    assert execution.arguments == {"at": NOON, "items": [Item("tea", Decimal("1.1"))]}


async def test_annotations_in_the_functions_closure_are_found(sim):
    """A local class that the body uses as well is in its closure."""

    @dataclass
    class Local:
        name: str

    async def task(value: Local):
        assert isinstance(value, Local)

    execution = await sim.docket.add(task)(Local("a"))
    assert execution.arguments == {"value": Local("a")}


async def test_an_annotation_that_cannot_be_found_leaves_the_parameter_untyped(sim):
    """It then carries what JSON carries, and what JSON cannot carry is refused by name."""

    async def task(value: Ghost): ...

    execution = await sim.docket.add(task)({"a": 1})
    assert execution.arguments == {"value": {"a": 1}}
    with pytest.raises(TypeError, match=r"value.*datetime"):
        sim.docket.add(task)(NOON)


async def test_one_annotation_that_cannot_be_found_does_not_take_the_others_with_it(sim):
    """Only the parameter that it belongs to is untyped."""

    async def task(ghost: Ghost, at: datetime): ...

    execution = await sim.docket.add(task)(1, NOON)
    assert execution.arguments == {"ghost": 1, "at": NOON}


async def test_a_return_annotation_in_text_is_used(sim):
    """Results are typed alike."""

    async def task() -> Item:
        return Item("tea", Decimal("1.1"))

    execution = await sim.docket.add(task)()
    await sim.run_until_idle()
    assert await execution.get_result() == Item("tea", Decimal("1.1"))
