"""Walks a plan: fills the slots of one attempt, and reports everything that failed, together."""

import asyncio
from contextlib import AsyncExitStack

from docket_sim.dependencies.context import AttemptContext
from docket_sim.dependencies.steps import Plan, Step, Values
from docket_sim.errors import DocketError, ResolutionFailed, error_text


async def resolve(
    plan: Plan, context: AttemptContext, stack: AsyncExitStack, values: Values
) -> None:
    """Fill every slot of `plan` into `values`; what has to be released is pushed on `stack`.

    A step that fails does not stop those that do not need it, so that one report names all
    failures.

    Raises:
        ResolutionFailed: one or more steps failed; the group holds what they raised.
    """
    failed: set[int] = set()
    errors: list[tuple[Step, Exception]] = []
    for override in plan.overridden:
        override.uses += 1
    for slot, step in enumerate(plan.steps):
        values.append(None)
        if failed and not failed.isdisjoint(step.needs):
            failed.add(slot)
            continue
        try:
            values[slot] = await step.fill(context, values, stack)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError) and _being_cancelled():
                raise
            failed.add(slot)
            errors.append((step, _as_exception(error)))
    if errors:
        raise _report(plan, errors)


def _report(plan: Plan, errors: list[tuple[Step, Exception]]) -> ResolutionFailed:
    lines: list[str] = []
    for step, error in errors:
        note = f"raised while resolving {step.path} for {plan.task}"
        if note not in getattr(error, "__notes__", ()):  # one Shared failure reaches many attempts
            error.add_note(note)
        lines.append(f"{step.path}: {error_text(error)}")
    count = f"{len(errors)} dependencies" if len(errors) > 1 else "a dependency"
    message = f"{count} of {plan.task} failed: {'; '.join(lines)}"
    return ResolutionFailed(message, [error for _, error in errors])


def _as_exception(error: BaseException) -> Exception:
    """`error`, in a shape that an exception group can hold."""
    if isinstance(error, Exception):
        return error
    wrapped = DocketError(f"a factory raised {error!r}")
    wrapped.__cause__ = error
    return wrapped


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
