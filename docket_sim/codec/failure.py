"""A failure as plain data, and back to an exception without importing anything."""

import sys
from contextlib import suppress

from pydantic import BaseModel, JsonValue, TypeAdapter

from docket_sim.errors import TaskFailed, own_traceback_text

_ARGUMENTS = TypeAdapter[list[JsonValue]](list[JsonValue])


class Failure(BaseModel):
    """A failure as plain data.

    Attributes:
        type: the exception's class as `module:qualified.name`.
        message: what `str()` of the exception gave.
        arguments: its `args`, where JSON carries every one of them.
        traceback: the traceback's text, without the engine's frames.
    """

    type: str
    message: str
    arguments: list[JsonValue] | None
    traceback: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        """`error` as data; what cannot be had of it is left out."""
        return cls(
            type=f"{type(error).__module__}:{type(error).__qualname__}",
            message=_text(error),
            arguments=_arguments(error),
            traceback=_traceback(error),
        )

    def rebuild(self) -> Exception:
        """The exception again, with the remote traceback as a note; else a `TaskFailed`.

        The class must already be imported here, derive from `Exception`, and accept the arguments.
        """
        kind = _loaded_class(self.type)
        if kind is not None and self.arguments is not None:
            # A constructor may do anything at all; a failure that cannot be rebuilt is no news.
            with suppress(Exception):
                error = kind(*self.arguments)
                if str(error) == self.message:
                    error.add_note(f"The traceback on the worker:\n{self.traceback}")
                    return error
        return TaskFailed(self.type, self.message, self.traceback)


def _text(error: BaseException) -> str:
    try:
        return _writable(str(error))
    except BaseException as unprintable:  # noqa: BLE001 - str() of a user's exception may raise anything
        return f"<str() raised {type(unprintable).__name__}>"


def _arguments(error: BaseException) -> list[JsonValue] | None:
    try:
        arguments = _ARGUMENTS.validate_python(list(error.args), strict=True)
        _ARGUMENTS.dump_json(arguments)
    except BaseException:  # noqa: BLE001 - a user's `args` may be a property that raises anything
        return None
    return arguments


def _traceback(error: BaseException) -> str:
    try:
        return _writable(own_traceback_text(error))
    except BaseException:  # noqa: BLE001 - printing calls the user's __str__ and __repr__
        return f"<the traceback of a {type(error).__name__} could not be printed>"


def _writable(text: str) -> str:
    """`text` without lone surrogates, which no encoding can write."""
    return text.encode(errors="replace").decode()


def _loaded_class(path: str) -> type[Exception] | None:
    """The class, if it is loaded; looked up without the hooks that might import something."""
    module_name, _, qualified_name = path.partition(":")
    found: object = sys.modules.get(module_name)
    for name in qualified_name.split("."):
        found = getattr(found, "__dict__", {}).get(name)
    if isinstance(found, type) and issubclass(found, Exception):
        return found
    return None
