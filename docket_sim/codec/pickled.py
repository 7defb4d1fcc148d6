"""Pickle, for values that JSON cannot carry: to be asked for by name.

Unpickling runs code that the payload chooses. Whoever can write to the store can then run code in
every worker and in every client that reads a result.
"""

import pickle
from collections.abc import Mapping
from typing import cast

from docket_sim.codec.base import TaskCodec, TaskTypes
from docket_sim.codec.failure import Failure
from docket_sim.errors import PayloadError, TaskFailed


class PickleCodec:
    """Pickled values, whatever the annotations say."""

    def for_task(self, types: TaskTypes) -> TaskCodec:
        """The codec of the task that `types` describes."""
        return _PickleTaskCodec(types.task)


class _PickleTaskCodec:
    def __init__(self, task: str) -> None:
        self._task = task

    def encode_arguments(self, arguments: Mapping[str, object]) -> bytes:
        for name, value in arguments.items():
            try:
                pickle.dumps(value)
            except Exception as error:
                raise TypeError(
                    f"{self._task}(): {name} cannot be pickled, found "
                    f"{type(value).__name__}: {error}. Pass something that can be, such as an id."
                ) from error
        return pickle.dumps(dict(arguments))

    def decode_arguments(self, payload: bytes) -> dict[str, object]:
        arguments = _load(payload, f"the arguments of {self._task}")
        if not isinstance(arguments, dict):
            raise PayloadError(
                f"the arguments of {self._task} cannot be read: expected a pickled dict, "
                f"found a {type(arguments).__name__}"
            )
        return cast("dict[str, object]", arguments)

    def encode_result(self, value: object) -> bytes:
        try:
            return pickle.dumps(value)
        except Exception as error:
            raise TypeError(
                f"{self._task} returned a {type(value).__name__}, which cannot be pickled: {error}"
            ) from error

    def decode_result(self, payload: bytes) -> object:
        return _load(payload, f"the result of {self._task}")

    def encode_error(self, error: BaseException) -> bytes:
        failure = Failure.of(error)
        try:
            payload = pickle.dumps((error, failure))
            pickle.loads(payload)  # noqa: S301 - our own bytes: some exceptions pickle but do not unpickle
        except Exception:  # noqa: BLE001 - a user's __reduce__ may raise anything
            return pickle.dumps((None, failure))
        return payload

    def decode_error(self, payload: bytes) -> Exception:
        try:
            error, failure = pickle.loads(payload)  # noqa: S301 - this codec was asked for by name
        except Exception as unreadable:  # noqa: BLE001 - unpickling may raise anything
            return TaskFailed("unknown", f"the failure cannot be unpickled: {unreadable}")
        if isinstance(error, Exception):
            error.add_note(f"The traceback on the worker:\n{failure.traceback}")
            return error
        return TaskFailed(failure.type, failure.message, failure.traceback)


def _load(payload: bytes, what: str) -> object:
    try:
        return pickle.loads(payload)  # noqa: S301 - this codec was asked for by name
    except Exception as error:
        raise PayloadError(f"{what} cannot be unpickled: {error}") from error
