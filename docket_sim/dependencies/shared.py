"""What lives as long as a worker: each `Shared` instance, kept by an asyncio task of its own.

A context manager wants to be left in the task that entered it, and attempts come and go: so a
keeper enters it, holds it until the worker stops, and leaves it.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from contextvars import Context, copy_context
from typing import Any

from docket_sim.dependencies.context import AttemptContext
from docket_sim.dependencies.functional import FactoryDependency, factory_name
from docket_sim.dependencies.resolver import resolve
from docket_sim.dependencies.steps import Plan
from docket_sim.errors import DocketError, ResolutionFailed


class SharedScope:
    """The `Shared` instances of one worker."""

    def __init__(self) -> None:
        self._keepers: list[_Keeper] = []
        self._made: list[_Keeper] = []
        # The worker's own context: an instance must not see the attempt that first asked for it.
        self._context = copy_context()

    async def get(self, dependency: FactoryDependency, plan: Plan, context: AttemptContext) -> Any:
        """The worker's instance of `dependency`, made as `plan` says if it is not there yet.

        One that was made while other overrides were in place is another instance.

        Those who ask while it is being made wait for it; if that fails they all fail, and the next
        one to ask tries again.
        """
        for keeper in self._keepers:
            if keeper.plan is plan or keeper.makes(dependency, plan):
                break
        else:
            keeper = _Keeper(dependency, plan)
            self._keepers.append(keeper)
            keeper.begin(self._keep(keeper, context), self._context.copy())
        return await asyncio.shield(keeper.ready)

    async def close(self) -> None:
        """Tear down every instance, the last made first.

        Raises:
            ExceptionGroup: some failed to be torn down; the others were torn down all the same.
        """
        errors: list[Exception] = []
        unfinished = [keeper.task for keeper in self._keepers if not keeper.ready.done()]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        while self._made:
            keeper = self._made.pop()
            keeper.stop.set()
            (outcome,) = await asyncio.gather(keeper.task, return_exceptions=True)
            if isinstance(outcome, Exception):
                errors.append(outcome)
            elif isinstance(outcome, BaseException):
                errors.append(DocketError(f"tearing it down raised {outcome!r}"))
        self._keepers.clear()
        if errors:
            raise ExceptionGroup("shared dependencies failed to be torn down", errors)

    async def _keep(self, keeper: "_Keeper", context: AttemptContext) -> None:
        async with AsyncExitStack() as stack:
            try:
                values: list[Any] = []
                await resolve(keeper.plan, context, stack, values)
            except BaseException as error:  # noqa: BLE001 - whoever asked for it is to see it
                self._keepers.remove(keeper)
                keeper.fail(_own_failure(error))
                return
            self._made.append(keeper)
            keeper.ready.set_result(values[-1])
            await keeper.stop.wait()


class _Keeper:
    """One instance: ready when it is made, and torn down when told to stop."""

    def __init__(self, dependency: FactoryDependency, plan: Plan) -> None:
        self.dependency = dependency
        self.plan = plan
        self.ready: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def makes(self, dependency: FactoryDependency, plan: Plan) -> bool:
        """Whether this is an instance of `dependency`, made under the same overrides."""
        return self.dependency.same_as(dependency) and self.plan.made_by == plan.made_by

    @property
    def task(self) -> asyncio.Task[None]:
        """What makes and holds it."""
        assert self._task is not None
        return self._task

    def begin(self, keeping: Coroutine[Any, Any, None], context: Context) -> None:
        """Start what makes and holds it."""
        self._task = asyncio.get_running_loop().create_task(
            keeping, name=f"shared {factory_name(self.dependency.factory)}", context=context
        )

    def fail(self, error: BaseException) -> None:
        """Tell those who wait that it could not be made."""
        if isinstance(error, asyncio.CancelledError):
            self.ready.cancel()
            return
        self.ready.set_exception(error)
        self.ready.exception()  # seen, even if those who asked have gone meanwhile


def _own_failure(error: BaseException) -> BaseException:
    """The failure itself, where only one thing failed: the attempt's report names the path."""
    if isinstance(error, ResolutionFailed) and len(error.exceptions) == 1:
        return error.exceptions[0]
    return error
