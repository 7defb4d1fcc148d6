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
    if type(sent) is not type(arrived):
        return _plain_enough(sent, arrived)
    if isinstance(sent, BaseModel):
        return _same_fields(vars(sent), vars(arrived))
    if dataclasses.is_dataclass(sent):
        names = [field.name for field in dataclasses.fields(sent)]
        return all(same_shape(getattr(sent, name), getattr(arrived, name)) for name in names)
    return _same_contents(sent, arrived)


def _same_contents(sent: Any, arrived: Any) -> bool:
    if isinstance(sent, Mapping):
        return _same_fields(sent, arrived)
    if isinstance(sent, AbstractSet):
        return {type(item) for item in sent} == {type(item) for item in arrived}
    if isinstance(sent, Sequence) and not isinstance(sent, str | bytes):
        return len(sent) == len(arrived) and all(map(same_shape, sent, arrived))
    return True


def _plain_enough(sent: Any, arrived: Any) -> bool:
    return (type(arrived) in _PLAIN and isinstance(sent, type(arrived))) or (
        isinstance(arrived, _DATES) and isinstance(sent, type(arrived))
    )


def _same_fields(sent: Mapping[Any, Any], arrived: Mapping[Any, Any]) -> bool:
    return sent.keys() == arrived.keys() and all(
        same_shape(value, arrived[name]) for name, value in sent.items()
    )
