"""What a test leaves behind: work that nobody ran, and tasks that nobody waited for."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from docket_sim.assertions import Evidence, Run, place
from docket_sim.dependencies import Perpetual
from docket_sim.entropy import short_key
from docket_sim.errors import LeakedTasks, Unchecked, UnfinishedWork, UnknownTask
from docket_sim.events import Source
from docket_sim.simulation.planted import Planted

_SHOWN = 8


def refuse_all(checks: Iterable[Callable[[], None]]) -> None:
    """Make every check, so that one thing that was left behind does not hide another.

    Raises:
        Unchecked: what the first check that fails raises, with a note for each of the others.
    """
    __tracebackhide__ = True
    found: list[Unchecked] = []
    for check in checks:
        try:
            check()
        except Unchecked as error:
            found.append(error)
    for further in found[1:]:
        found[0].add_note(f"Besides, {type(further).__name__}: {further}")
    if found:
        raise found[0]


class Leftovers:
    """Finds what is left over at the end of a simulation."""

    def __init__(self, evidence: Evidence, planted: Planted) -> None:
        """
        Args:
            evidence: the runs.
            planted: the actions whose time has yet to come.
        """
        self._evidence = evidence
        self._planted = planted

    def refuse_pending(self, allowed: bool | Literal["future"], *, outstanding: bool) -> None:
        """Say so if work is left over; it is reported once.

        Args:
            allowed: what may be left over.
            outstanding: whether there can be any; if not, the runs need not be gone through.

        Raises:
            UnfinishedWork: more than is allowed.
        """
        __tracebackhide__ = True
        actions = self._planted.take()
        if allowed is True:
            return
        unseen = self._unseen() if outstanding else []
        runs = [run for run in unseen if self._counts(run, allowed)]
        for run in runs:
            self._evidence.note_seen(run)
        lines = [*actions, *(self._line(run) for run in runs)]
        if lines:
            raise UnfinishedWork(
                f"the test ended with work left over:\n{_indented(lines)}\n"
                f"Run it with a verb such as sim.run_due() or sim.run_until_idle(), look at it "
                f"with an assertion such as sim.assert_scheduled(), or say allow_pending=True."
            )

    def described(self, tasks: "Sequence[asyncio.Task[Any]]") -> list[str]:
        """Tasks that nobody waits for, each with the line where it stands."""
        self._planted.close()
        return [
            f"{task.get_name()}: {_coroutine(task)}, {_where(task)}"
            for task in tasks
            if not task.done() and not self._planted.owns(task)
        ]

    def refuse_leaked(self, leaked: Sequence[str]) -> None:
        """Say so if tasks were left running.

        Raises:
            LeakedTasks: some were.
        """
        __tracebackhide__ = True
        if leaked:
            were = "asyncio tasks were" if len(leaked) > 1 else "an asyncio task was"
            raise LeakedTasks(
                f"{were} still running at the end of the test:\n{_indented(leaked)}\n"
                f"Await or cancel what a task or the test starts, best with asyncio.TaskGroup; or "
                f"say allow_leaked_tasks=True."
            )

    def _unseen(self) -> list[Run]:
        return [run for run in self._evidence.runs if run not in self._evidence.seen]

    def _counts(self, run: Run, allowed: object) -> bool:
        if allowed is False and run.status == "running":
            return True
        if run.status != "waiting" or self._goes_on_for_ever(run):
            return False
        return allowed is False or run.when <= self._evidence.now

    def _goes_on_for_ever(self, run: Run) -> bool:
        """Whether it is the next run of a perpetual, or the first of one that begins by itself."""
        try:
            perpetual: Perpetual | None = self._evidence.docket.task(run.call.task).perpetual
        except UnknownTask:
            return False
        return perpetual is not None and (not run.first or perpetual.automatic)

    def _line(self, run: Run) -> str:
        evidence = self._evidence
        return (
            f"{evidence.describe(run)} [{short_key(run.call.key)}]: {evidence.status(run)}, "
            f"{evidence.scheduler(run)}"
        )


def _indented(lines: Sequence[str]) -> str:
    shown = [f"  {line}" for line in lines[:_SHOWN]]
    if len(lines) > _SHOWN:
        shown.append(f"  … and {len(lines) - _SHOWN} more")
    return "\n".join(shown)


def _coroutine(task: "asyncio.Task[Any]") -> str:
    coroutine: Any = task.get_coro()
    return str(getattr(coroutine, "__qualname__", coroutine))


def _where(task: "asyncio.Task[Any]") -> str:
    stack = task.get_stack(limit=1)
    if not stack:
        return "about to begin"
    return f"at {place(Source(stack[-1].f_code.co_filename, stack[-1].f_lineno))}"
