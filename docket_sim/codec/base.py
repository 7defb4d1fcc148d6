"""What a codec is: it knows one task's types, and turns its values to bytes and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, eq=False)
class TaskTypes:
    """What a task's signature says about the values that travel; equal to itself alone.

    Attributes:
        task: the task's name, for messages.
        arguments: the annotation of each argument by name; `*rest` and `**extra` are spelled with
            their stars, and are tuple and dict. `typing.Any` stands for an untyped one.
        returns: the annotation of the return value, or `typing.Any`.
    """

    task: str
    arguments: Mapping[str, object]
    returns: object


class TaskCodec(Protocol):
    """Turns the values of one task to bytes and back."""

    def encode_arguments(self, arguments: Mapping[str, object]) -> bytes:
        """Bytes for `arguments` by name.

        Raises:
            TypeError: a value does not fit its annotation or cannot travel; the message names the
                task, the parameter, what was found, and the ways out.
        """
        ...

    def decode_arguments(self, payload: bytes) -> dict[str, object]:
        """The arguments by name, made afresh.

        Raises:
            PayloadError: the bytes are truncated, foreign, or of another codec.
        """
        ...

    def encode_result(self, value: object) -> bytes:
        """Bytes for a return value.

        Raises:
            TypeError: it cannot travel.
        """
        ...

    def decode_result(self, payload: bytes) -> object:
        """The return value.

        Raises:
            PayloadError: the bytes cannot be read.
        """
        ...

    def encode_error(self, error: BaseException) -> bytes:
        """Bytes for a failure; whatever cannot travel is left out, so this never raises."""
        ...

    def decode_error(self, payload: bytes) -> Exception:
        """A failure to raise, as close to the original as can be had here; never raises itself."""
        ...


class Codec(Protocol):
    """Makes the `TaskCodec` of each task, once, when the task is registered."""

    def for_task(self, types: TaskTypes) -> TaskCodec:
        """The codec of the task that `types` describes."""
        ...
