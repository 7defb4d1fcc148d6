"""Options as fields of dataclasses: each is declared once, with its default and its variable."""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from docket_sim.clock.durations import duration_of, short

_PLAIN_SECONDS = re.compile(r"\d+(?:\.\d+)?")
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n      .*)*)", re.MULTILINE)


def duration(written: timedelta | str) -> timedelta:
    """A duration as options take it: `30s`, `1h 30m`, or a number of seconds.

    Raises:
        BadParameter: it is none.
    """
    if isinstance(written, str) and _PLAIN_SECONDS.fullmatch(written.strip()):
        written = f"{written.strip()}s"
    try:
        return duration_of(written)
    except (ValueError, OverflowError) as error:
        raise typer.BadParameter(str(error)) from None


def duration_option(*names: str, **about: Any) -> Any:
    """An option that takes a duration.

    Args:
        names: how it is spelled, where that is not the parameter's name.
        about: what `typer.Option` takes.
    """
    return typer.Option(*names, parser=duration, metavar="DURATION", **about)


def flattened(command: Callable[..., None]) -> Callable[..., None]:
    """`command` with an option for each field of its parameters that are dataclasses.

    A field that carries no option of its own, as in values that know nothing of command lines, gets
    one: its help is what the class says of it, its variable is `DOCKET_WORKER_` and its name.
    """
    hints = get_type_hints(command, include_extras=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    for name, parameter in inspect.signature(command).parameters.items():
        if dataclasses.is_dataclass(hints[name]):
            groups[name] = hints[name]
            parameters += _parameters_of(hints[name])
        else:
            parameters.append(_parameter(name, hints[name], parameter.default))

    def run(**values: Any) -> None:
        made = {name: _made(group, values) for name, group in groups.items()}
        command(**made, **values)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    vars(run)["__signature__"] = inspect.Signature(parameters)
    return run


def _parameters_of(group: Any) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    documented = dict(_ATTRIBUTE.findall(inspect.getdoc(group) or ""))
    for field in dataclasses.fields(group):
        factory = field.default_factory
        default = field.default if factory is dataclasses.MISSING else factory()
        hint = hints[field.name]
        if get_origin(hint) is not Annotated:
            text = " ".join(documented[field.name].split())
            hint = Annotated[hint, _derived(field.name, hint, text)]
        yield _parameter(field.name, hint, default)


def _parameter(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    # Durations are written out, so that the help shows them as they are given.
    given = short(default) if isinstance(default, timedelta) else default
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=given, annotation=annotation)


def _derived(name: str, hint: object, text: str) -> Any:
    about: dict[str, Any] = {
        "envvar": f"DOCKET_WORKER_{name.upper()}",
        "help": text[:1].upper() + text[1:],
    }
    if hint is timedelta:
        return duration_option(**about)
    return typer.Option(**about)


def _made(group: Any, values: dict[str, Any]) -> Any:
    own = {field.name: values.pop(field.name) for field in dataclasses.fields(group)}
    try:
        return group(**own)
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(str(error)) from None
