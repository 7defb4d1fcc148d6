"""From a claim to what is to be run for it, or to the reason why it cannot be."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from docket_sim.codec import TaskCodec
from docket_sim.dependencies import (
    AnyDependency,
    AttemptContext,
    Plan,
    SharedScope,
    plan_for,
    signature_of,
)
from docket_sim.docket import Docket
from docket_sim.errors import CycleError, DocketError, PayloadError, UnknownTask
from docket_sim.execution import Refused
from docket_sim.perform import Assignment
from docket_sim.store import Claim
from docket_sim.task import Task, TaskFunction
from docket_sim.worker.patience import Patience

if TYPE_CHECKING:
    from docket_sim.worker.worker import Worker


class Assigner:
    """Turns the claims of one worker into assignments."""

    def __init__(
        self,
        docket: Docket,
        *,
        dependencies: Mapping[str, AnyDependency],
        fallback: TaskFunction | None,
        max_deliveries: int,
    ) -> None:
        """
        Args:
            docket: whose tasks are run.
            dependencies: what the worker adds to every task.
            fallback: what runs for a task that the docket does not know.
            max_deliveries: how often one attempt may be delivered.

        Raises:
            ValueError: a task and the worker both have a policy of one kind.
            TypeError: the fallback is no task.
        """
        self._docket = docket
        self._dependencies = dependencies
        self._max_deliveries = max_deliveries
        self._patience = Patience()
        self._plans: dict[Task, Plan] = {}
        self._planned_under = docket.overrides.version
        plan_for("any task", signature_of(_nothing), worker_dependencies=dependencies)
        self._fallback = None if fallback is None else docket.unregistered_task(fallback)
        if self._fallback is not None:
            self._plan(self._fallback)
        for name in docket.tasks:
            self._plan(docket.task(name))

    def assign(
        self, claim: Claim, worker: "Worker", shared: SharedScope
    ) -> tuple[Assignment | Refused, TaskCodec]:
        """What to run for `claim`, and the codec for what comes of it."""
        call = claim.call
        if claim.delivery > self._max_deliveries:
            return self._poison(claim), self._docket.untyped_codec(call.task)
        try:
            task = self._docket.task(call.task)
        except UnknownTask as error:
            return self._unknown(claim, error, worker, shared)
        try:
            arguments = task.decode(call.arguments)
        except BaseException as error:  # noqa: BLE001 - decoding builds the user's own classes
            return Refused(_refusal(error)), task.codec
        try:
            plan = self._plan_of_call(task, arguments)
        except (ValueError, TypeError, CycleError) as error:
            return Refused(error), task.codec  # registered, or overridden, after all was checked
        context = self._context(claim, worker, shared, task, arguments)
        overrides = self._docket.overrides
        body = overrides.body_of(task.function) if overrides else task.function
        return (
            Assignment(body, plan, task.codec, context, task.signature.spread, arguments),
            task.codec,
        )

    def _plan_of_call(self, task: Task, arguments: Mapping[str, object]) -> Plan:
        given = task.given_in(arguments)
        if given:
            return task.plan_with(self._dependencies, given, self._docket.overrides)
        return self._plan(task)

    def _context(
        self,
        claim: Claim,
        worker: "Worker",
        shared: SharedScope,
        task: Task,
        arguments: Mapping[str, object],
    ) -> AttemptContext:
        docket = self._docket
        execution = docket.running(claim.call, claim.worker, claim.delivery)
        return AttemptContext(
            docket=docket,
            worker=worker,
            execution=execution,
            arguments=task.signature.with_defaults(arguments),
            now=docket.now,
            entropy=docket.entropy,
            encode_arguments=task.encode,
            shared=shared,
        )

    def _plan(self, task: Task) -> Plan:
        overrides = self._docket.overrides
        if not self._dependencies and not overrides:
            return task.plan
        if self._planned_under != overrides.version:
            self._planned_under = overrides.version
            self._plans.clear()
        plan = self._plans.get(task)
        if plan is None:
            plan = self._plans[task] = task.plan_with(self._dependencies, overrides=overrides)
        return plan

    def _poison(self, claim: Claim) -> Refused:
        return Refused(
            DocketError(
                f"{self._docket.describe(claim.call)} was handed to a worker "
                f"{self._max_deliveries} times, and none of them reported back: it seems to take "
                f"its worker down. Look for what kills the process, then schedule it again."
            )
        )

    def _unknown(
        self, claim: Claim, error: UnknownTask, worker: "Worker", shared: SharedScope
    ) -> tuple[Assignment | Refused, TaskCodec]:
        codec = self._docket.untyped_codec(claim.call.task)
        if self._fallback is None:
            return Refused(error, left_for=self._patience.wait_for(claim)), codec
        task = self._fallback
        try:
            arguments = codec.decode_arguments(claim.call.arguments)
        except BaseException as unreadable:  # noqa: BLE001 - a codec of the user's own
            return Refused(_refusal(unreadable)), codec
        context = self._context(claim, worker, shared, task, arguments)
        plan = self._plan(task)
        return Assignment(task.function, plan, codec, context, _spread_all, arguments), codec


def _nothing() -> None: ...


def _spread_all(arguments: Mapping[str, object]) -> tuple[list[Any], dict[str, Any]]:
    """Arguments of an unknown signature: what is not known to be positional goes by keyword."""
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for name, value in arguments.items():
        variadic: Any = value
        if name.startswith("**"):
            kwargs.update(variadic)
        elif name.startswith("*"):
            args.extend(variadic)
        else:
            kwargs[name] = value
    return args, kwargs


def _refusal(error: BaseException) -> Exception:
    if isinstance(error, PayloadError):
        return error
    return PayloadError(f"the arguments cannot be rebuilt: {type(error).__name__}: {error}")
