"""Refuses what no execution could ever be: looked for in vain, it would seem not to be there."""

from docket_sim.assertions.calls import ExpectedCall, expected_call, spelled_out, task_name
from docket_sim.assertions.evidence import Evidence, place
from docket_sim.assertions.values import safe_repr
from docket_sim.dependencies import signature_of
from docket_sim.docket import Docket
from docket_sim.errors import PayloadError
from docket_sim.events import Source
from docket_sim.task import Task, TaskFunction

_PLAIN = (bool, bytes, float, int, str, type(None))


def known_call(what: object, evidence: Evidence) -> ExpectedCall:
    """What an assertion was given, as an expected call that the docket may have run.

    A function that is not registered may be meant: tasks are registered when they are first added.

    Raises:
        UnknownTask: the name of no task; the message offers close ones.
        TypeError: it is no task, or one whose name belongs to another function; or an argument is
            none that it has, or of a type that it never has.
    """
    __tracebackhide__ = True
    expected = expected_call(what)
    if expected.function is None:
        return _named(expected, evidence.docket)
    task = _task(expected.function, evidence.docket)
    _refuse_other_types(expected, task)
    return expected


def _named(expected: ExpectedCall, docket: Docket) -> ExpectedCall:
    __tracebackhide__ = True
    task = docket.task(expected.name)
    spelled, extra = spelled_out(task.function, expected.arguments)
    named = ExpectedCall(None, expected.name, spelled, extra=extra, exact=False)
    _refuse_other_types(named, task)
    return named


def _task(function: TaskFunction, docket: Docket) -> Task:
    __tracebackhide__ = True
    tasks = docket.tasks
    registered = next((name for name, one in tasks.items() if one == function), None)
    if registered is not None:
        return docket.task(registered)
    namesake = tasks.get(task_name(function))
    if namesake is not None:
        raise TypeError(
            f"{_placed(function)} is not the task of that name, which is {_placed(namesake)}: no "
            f"execution is one of it. Name the one that is registered."
        )
    return docket.unregistered_task(function)


def _refuse_other_types(expected: ExpectedCall, task: Task) -> None:
    """Refuse plain values that arguments never have, such as a text for a number.

    Whatever has an `==` of its own may be equal to what it is not, and is left alone.
    """
    __tracebackhide__ = True
    defaults = signature_of(task.function).with_defaults({})
    for name, value in expected.arguments.items():
        if type(value) not in _PLAIN or value != value or name.startswith("*"):  # noqa: PLR0124 - nan
            continue
        if name in defaults and defaults[name] == value:
            continue
        _refuse_other_type(task, name, value)


def _refuse_other_type(task: Task, name: str, value: object) -> None:
    __tracebackhide__ = True
    never = f"{task.name}{task.signature.arguments}: {name} is never {safe_repr(value)}"
    try:
        arrived = task.codec.decode_arguments(task.codec.encode_arguments({name: value}))[name]
    except (TypeError, PayloadError) as error:
        raise TypeError(f"{never}: {error}") from None
    if arrived != value:
        raise TypeError(f"{never}: as an argument, it would arrive as {safe_repr(arrived)}")


def _placed(function: TaskFunction) -> str:
    code = getattr(function, "__code__", None)
    line = None if code is None else Source(code.co_filename, code.co_firstlineno)
    return f"{task_name(function)} ({place(line)})"
