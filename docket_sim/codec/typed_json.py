"""JSON typed by the task's signature: a person can read it in the store, and nothing runs."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from pydantic import (
    ConfigDict,
    JsonValue,
    PydanticSchemaGenerationError,
    PydanticUndefinedAnnotation,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticSerializationError
from typing_extensions import TypedDict

from docket_sim.codec.base import TaskCodec, TaskTypes
from docket_sim.codec.failure import Failure
from docket_sim.codec.fidelity import same_shape
from docket_sim.errors import PayloadError, TaskFailed

_CONFIG = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64", ser_json_inf_nan="constants")
_WAYS_OUT = "Annotate it with a type that JSON can carry, or ask for Docket(codec='pickle')."
_SCALARS = (bool, bytes, date, datetime, Decimal, float, int, str, timedelta, UUID)
_PICKLE_MARK = b"\x80"  # every pickle of protocol 2 and above begins with this byte
_SHOWN = 80


class JsonCodec:
    """JSON typed by the task's signature, through pydantic.

    Dataclasses, models, datetimes, UUIDs, enums, Decimals, paths and bytes travel under their
    annotation; an unannotated argument carries what JSON carries.
    """

    def for_task(self, types: TaskTypes) -> TaskCodec:
        """The codec of the task that `types` describes."""
        return _codec_of(types)


class _JsonTaskCodec:
    def __init__(self, types: TaskTypes) -> None:
        self._types = types
        self._arguments = _arguments_adapter(types.arguments) if types.arguments else None
        self._returns = _adapter(types.returns)
        # What cannot change its shape on the way need not be compared.
        self._compared = [name for name, kind in types.arguments.items() if not _is_scalar(kind)]

    def encode_arguments(self, arguments: Mapping[str, object]) -> bytes:
        __tracebackhide__ = True
        if self._arguments is None:
            return b"{}"
        try:
            fitted: Any = self._arguments.validate_python(arguments)
            payload = self._arguments.dump_json(fitted)
        except ValidationError as error:
            raise TypeError(self._misfit(error, arguments)) from None
        except (PydanticSerializationError, ValueError) as error:
            raise TypeError(self._unwritable(error, arguments)) from None
        if self._compared:
            self._compare(fitted, self.decode_arguments(payload))
        return payload

    def decode_arguments(self, payload: bytes) -> dict[str, object]:
        if self._arguments is None and payload == b"{}":
            return {}
        adapter = self._arguments or _EMPTY
        try:
            return adapter.validate_json(payload) or {}
        except ValidationError as error:
            raise PayloadError(
                f"the arguments of {self._types.task} cannot be read{_guess(payload)}: "
                f"{_first_line(error)}; found {_shown(payload)}"
            ) from None

    def encode_result(self, value: object) -> bytes:
        if value is None:
            return b"null"
        for adapter in self._result_adapters():
            try:
                payload = adapter.dump_json(adapter.validate_python(value, strict=True))
                if same_shape(value, self.decode_result(payload)):
                    return payload
            except (ValidationError, PydanticSerializationError, PayloadError, ValueError):
                continue
        raise TypeError(
            f"{self._types.task} returned a {type(value).__name__}, which does not come through "
            f"JSON as it is. Annotate the return type with one that does, or ask for "
            f"Docket(codec='pickle')."
        )

    def decode_result(self, payload: bytes) -> object:
        if payload == b"null":
            return None
        for adapter in self._result_adapters():
            try:
                # Strictly: a string is no number, whatever the task's annotation says.
                return adapter.validate_json(payload, strict=True)
            except ValidationError:
                continue
        raise PayloadError(
            f"the result of {self._types.task} cannot be read{_guess(payload)}: {_shown(payload)}"
        )

    def _result_adapters(self) -> list[TypeAdapter[Any]]:
        return [_UNTYPED] if self._returns is None else [self._returns, _UNTYPED]

    def encode_error(self, error: BaseException) -> bytes:
        return Failure.of(error).model_dump_json().encode()

    def decode_error(self, payload: bytes) -> Exception:
        try:
            return Failure.model_validate_json(payload).rebuild()
        except ValidationError:
            return TaskFailed("unknown", f"the failure cannot be read: {_shown(payload)}")

    def _compare(self, sent: Mapping[str, object], arrived: Mapping[str, object]) -> None:
        __tracebackhide__ = True
        for name in self._compared:
            if name in sent and not same_shape(sent[name], arrived.get(name)):
                raise TypeError(
                    f"{self._types.task}(): {name} would not arrive as it was passed: "
                    f"{_short(sent[name])}, annotated {_named(self._types.arguments[name])}, would "
                    f"become {_short(arrived.get(name))} (a subclass travels as its annotated "
                    f"class, a loosely typed value as what JSON makes of it). Annotate it with its "
                    f"exact type, or ask for Docket(codec='pickle')."
                )

    def _unwritable(self, error: Exception, arguments: Mapping[str, object]) -> str:
        for name, value in arguments.items():
            try:
                adapter = _adapter(_carried(self._types.arguments[name])) or _UNTYPED
                adapter.dump_json(cast("Any", value))
            except (PydanticSerializationError, ValueError) as own:
                found = type(value).__name__
                return (
                    f"{self._types.task}(): {name}, found {found}, cannot travel as JSON: {own}. "
                    f"{_WAYS_OUT}"
                )
        return f"{self._types.task}(): the arguments cannot travel as JSON: {error}. {_WAYS_OUT}"

    def _misfit(self, error: ValidationError, arguments: Mapping[str, object]) -> str:
        details = error.errors(include_url=False)
        name = next((str(part) for part in details[0]["loc"] if part in arguments), "?")
        annotation = self._types.arguments.get(name)
        untyped = annotation is not None and _carried(annotation) is JsonValue
        return (
            f"{self._types.task}(): {name} expects "
            f"{'what JSON carries' if untyped else _named(annotation)}, "
            f"found {type(arguments.get(name)).__name__}: {_reason(details[0], name)}."
            + (f" {_WAYS_OUT}" if untyped else "")
        )


# Building adapters costs as much as a small world does; all dockets of a process share them.
_codec_of = lru_cache(maxsize=4096)(_JsonTaskCodec)


def _arguments_adapter(types: Mapping[str, object]) -> TypeAdapter[dict[str, object] | None]:
    carried = {name: _carried(annotation) for name, annotation in types.items()}
    make: Any = TypedDict  # called as a function, which type checkers know for literals only
    fields = make("Arguments", carried, total=False)
    # An argument that the signature does not know must not vanish without a word.
    fields.__pydantic_config__ = ConfigDict({**_CONFIG, "extra": "forbid"})
    # pydantic takes a config for a union, but not for a TypedDict on its own.
    union: Any = fields | None
    return TypeAdapter(union, config=_CONFIG)


def _carried(annotation: object) -> object:
    if annotation is Any:
        return JsonValue
    return annotation if _adapter(annotation) is not None else JsonValue


def _adapter(annotation: object) -> TypeAdapter[Any] | None:
    """An adapter for `annotation`, or `None` where pydantic has no schema for it."""
    if annotation is Any:
        return None
    try:
        union: Any = cast("Any", annotation) | None
        return TypeAdapter(union, config=_CONFIG)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation, TypeError):
        return None


_UNTYPED: TypeAdapter[Any] = TypeAdapter(JsonValue, config=_CONFIG)
_EMPTY: TypeAdapter[dict[str, object] | None] = TypeAdapter(dict[str, object] | None)


def _is_scalar(annotation: object) -> bool:
    return any(annotation is scalar for scalar in _SCALARS)


def _reason(detail: ErrorDetails, name: str) -> str:
    where = ".".join(str(part) for part in detail["loc"] if part != name)
    return f"{detail['msg']}{f' (at {where})' if where else ''}"


def _named(annotation: object) -> str:
    if annotation is None or annotation is Any:
        return "what JSON carries"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _first_line(error: ValidationError) -> str:
    detail = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in detail["loc"])
    return f"{where}: {detail['msg']}" if where else detail["msg"]


def _guess(payload: bytes) -> str:
    if payload.startswith(_PICKLE_MARK):
        return " (they look pickled, and this docket's codec is json, which never unpickles)"
    return ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _shown(payload: bytes) -> str:
    return repr(payload[:_SHOWN]) + ("…" if len(payload) > _SHOWN else "")
