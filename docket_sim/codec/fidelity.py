"""Whether a value came through a codec as it went in.

JSON turns a tuple into a list and a datetime into a string, and pydantic writes a subclass with the
fields of its annotated base, all without a word. So what was encoded is decoded once, where it was
passed, and the two are compared: by their types and structure, not by `==`, which a user's class
may not have and which NaN does not keep.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date
from typing import Any

from pydantic import BaseModel

_PLAIN = (str, int, float, bytes)  # a subclass of these may arrive as the plain type
_DATES = (date,)  # datetime included; libraries that freeze time subclass them


def same_shape(sent: Any, arrived: Any) -> bool:
    """Whether `arrived` has the types and structure of `sent`, all the way down."""
    kind = _kind_of(sent)
    if kind is not type(arrived):
        return _plain_enough(sent, arrived)
    if issubclass(kind, BaseModel):
        return _same_fields(sent.__dict__, arrived.__dict__)
    if dataclasses.is_dataclass(kind):
        return _same_fields(_fields_of(kind, sent), _fields_of(kind, arrived))
    if issubclass(kind, Mapping):
        return _same_fields(sent, arrived)
    return _same_items(kind, sent, arrived)


def _kind_of(value: object) -> type[Any]:
    return type(value)


def _same_items(kind: type[Any], sent: Any, arrived: Any) -> bool:
    if issubclass(kind, AbstractSet):
        return {type(value) for value in sent} == {type(value) for value in arrived}
    if issubclass(kind, Sequence) and not issubclass(kind, str | bytes):
        return len(sent) == len(arrived) and all(map(same_shape, sent, arrived))
    return True


def _fields_of(kind: Any, value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}


def _plain_enough(sent: Any, arrived: Any) -> bool:
    return (type(arrived) in _PLAIN and isinstance(sent, type(arrived))) or (
        isinstance(arrived, _DATES) and isinstance(sent, type(arrived))
    )


def _same_fields(sent: Mapping[Any, Any], arrived: Mapping[Any, Any]) -> bool:
    return sent.keys() == arrived.keys() and all(
        same_shape(value, arrived[name]) for name, value in sent.items()
    )
