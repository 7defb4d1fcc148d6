"""Stand-ins: what a test puts in place of dependencies, policies and bodies, for a while."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from types import TracebackType
from typing import Any, Self

from docket_sim.assertions.values import safe_repr
from docket_sim.dependencies import (
    Body,
    BodyOverride,
    Dependency,
    DependencyOverride,
    Factory,
    Given,
    Override,
    Perpetual,
    PolicyOverride,
    Retry,
    Timeout,
    current_attempt,
    factory_name,
    refuse_target,
)
from docket_sim.docket import Docket
from docket_sim.errors import UnusedOverride
from docket_sim.events import Source
from docket_sim.simulation.fake_body import FakeBody
from docket_sim.simulation.script import Script, come_to
from docket_sim.simulation.usage import Usage
from docket_sim.task import TaskFunction

_SHOWN = 8
_POLICIES: dict[str, type[Dependency[Any]]] = {
    "retry": Retry,
    "timeout": Timeout,
    "perpetual": Perpetual,
}


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """One call of a task's body that something stood in for.

    Attributes:
        arguments: the task's arguments by name, its defaults included.
        at: when, an aware datetime in UTC.
        key: the key of the execution.
        attempt: the number of the attempt.
    """

    arguments: Mapping[str, object]
    at: datetime
    key: str
    attempt: int


class StandIn:
    """What a test has put in place of something else: in force from the moment when it is made.

    As a context manager, it is in force until the block ends; otherwise until `restore()`, or the
    end of the simulation.

    Attributes:
        calls: the calls of a body that it has stood in for, in order.
        source: the line of the test that made it.
    """

    def __init__(
        self,
        stand_ins: "StandIns",
        overrides: list[Override],
        what: str,
        *,
        source: Source | None,
        unused_ok: bool,
    ) -> None:
        self.calls: list[RecordedCall] = []
        self.overrides = overrides
        self.source = source
        self.unused_ok = unused_ok
        self._stand_ins = stand_ins
        self._what = what

    @property
    def uses(self) -> int:
        """How many attempts it has served."""
        return sum(override.uses for override in self.overrides)

    @property
    def unused(self) -> list[Override]:
        """What of it has served no attempt."""
        return [override for override in self.overrides if not override.uses]

    def restore(self) -> None:
        """Take it away: what was in place before counts again."""
        self._stand_ins.take_away(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        self.restore()
        if exc_value is None:
            self._stand_ins.check(self)
        else:
            self._stand_ins.excuse(self)

    def __repr__(self) -> str:
        where = (
            f" at {PurePath(self.source.filename).name}:{self.source.line}" if self.source else ""
        )
        return f"{self._what}{where}"


class StandIns:
    """Everything that stands in for something else in one simulation."""

    def __init__(
        self, docket: Docket, dependencies: Mapping[str, Any] | Sequence[Any] | None
    ) -> None:
        """
        Args:
            docket: whose tasks are concerned.
            dependencies: what the workers add to every task.
        """
        self._docket = docket
        self._usage = Usage(docket, dependencies)
        self._unchecked: list[StandIn] = []

    def override(
        self, target: Any, given: Mapping[str, Any], *, source: Source | None, unused_ok: bool
    ) -> StandIn:
        """Let what is `given` stand in for `target`: a factory, a value, or parts of a task.

        Raises:
            TypeError: none of these is given, or more than one, or something does not fit.
        """
        __tracebackhide__ = True
        ways = set(given)
        if ways == {"factory"}:
            return self.dependency(target, given["factory"], source=source, unused_ok=unused_ok)
        if ways == {"value"}:
            made_by = Given(given["value"])
            return self.dependency(target, made_by, source=source, unused_ok=unused_ok)
        if not given or not ways <= {"body", *_POLICIES}:
            raise TypeError(
                f"override() takes a factory, or value=, or for a task some of body=, "
                f"{', '.join(f'{name}=' for name in _POLICIES)}; found "
                f"{', '.join(given) or 'nothing'}"
            )
        task = self._docket.task(target).function
        policies = {name: one for name, one in given.items() if name != "body"}
        return self.task(task, policies, given.get("body"), source=source, unused_ok=unused_ok)

    def dependency(
        self, target: Factory, factory: Factory, *, source: Source | None, unused_ok: bool
    ) -> StandIn:
        """Let `factory` stand in for `target`.

        Raises:
            TypeError: `target` is nothing that can be overridden, or `factory` does not fit.
            UnusedOverride: no registered task needs `target`, but one needs its namesake.
        """
        refuse_target(target)
        if target in self._docket.tasks.values() and not self._usage.users_of(target):
            name = factory_name(target)
            raise TypeError(
                f"{name} is a task, and no dependency of one: its body is overridden by "
                f"sim.override({name}, body=...), its policy by sim.override({name}, retry=...)"
            )
        if not callable(factory):
            raise TypeError(
                f"what stands in for {factory_name(target)} must be a factory, found "
                f"{safe_repr(factory)}: write sim.override({factory_name(target)}, value=...) for "
                f"a value"
            )
        if not unused_ok:
            self._usage.refuse_namesake(target)
        shown = factory_name(factory)
        if isinstance(factory, Given):
            shown = f"value={safe_repr(factory.value)}"
        what = f"sim.override({factory_name(target)}, {shown})"
        override = DependencyOverride(target, factory)
        return self._put(StandIn(self, [override], what, source=source, unused_ok=unused_ok))

    def task(
        self,
        task: TaskFunction,
        policies: Mapping[str, Dependency[Any]],
        fake: Callable[..., Any] | None,
        *,
        source: Source | None,
        unused_ok: bool,
    ) -> StandIn:
        """Let `policies`, by kind, stand in for those of `task`, and `fake` for its body.

        Raises:
            TypeError: something is not of its kind, or `fake` needs what the task does not have.
        """
        _refuse_other_kinds(policies)
        shown = [f"{name}={safe_repr(policy)}" for name, policy in policies.items()]
        if fake is not None:
            shown.insert(0, f"body={factory_name(fake)}")
        what = f"sim.override({factory_name(task)}, {', '.join(shown)})"
        stand_in = StandIn(self, [], what, source=source, unused_ok=unused_ok)
        if fake is not None:
            stand_in.overrides.append(BodyOverride(task, self._faking(stand_in, task, fake)))
        stand_in.overrides += [PolicyOverride(task, policy) for policy in policies.values()]
        return self._put(stand_in)

    def _faking(
        self, stand_in: StandIn, task: TaskFunction, fake: Callable[..., Any]
    ) -> Callable[[Body], Body]:
        call_fake = FakeBody(fake, task)

        def around(_body: Body) -> Body:
            async def called(*args: Any, **kwargs: Any) -> Any:
                self._record(stand_in)
                made = call_fake(args, kwargs)
                return await made if inspect.isawaitable(made) else made

            return called

        return around

    def script(
        self,
        task: TaskFunction,
        script: Script,
        what: str,
        *,
        source: Source | None,
        unused_ok: bool,
    ) -> StandIn:
        """Let the attempts at `task` come to what `script` says."""
        stand_in = StandIn(self, [], what, source=source, unused_ok=unused_ok)

        def around(body: Body) -> Body:
            async def scripted(*args: Any, **kwargs: Any) -> Any:
                outcome = script.next_outcome()
                if outcome is None:
                    return await body(*args, **kwargs)
                self._record(stand_in)
                return await come_to(outcome, body, args, kwargs)

            return scripted

        stand_in.overrides.append(BodyOverride(task, around))
        return self._put(stand_in)

    def take_away(self, stand_in: StandIn) -> None:
        """Let `stand_in` be in force no longer."""
        for override in stand_in.overrides:
            self._docket.overrides.take_away(override)

    def excuse(self, stand_in: StandIn | None = None) -> list[StandIn]:
        """Let `stand_in`, by default all of them, stay unused; returns what was to be checked."""
        excused = [one for one in self._unchecked if stand_in is None or one is stand_in]
        self._unchecked = [one for one in self._unchecked if one not in excused]
        return excused

    def check(self, stand_in: StandIn | None = None) -> None:
        """Refuse `stand_in`, or any of them, if it has served no attempt; taken away or not.

        Raises:
            UnusedOverride: there is something; it is reported once.
        """
        __tracebackhide__ = True
        unused = [one for one in self.excuse(stand_in) if one.unused and not one.unused_ok]
        if unused:
            lines = "\n".join(f"  {one!r}: {self._why_unused(one)}" for one in unused)
            were = "overrides were" if len(unused) > 1 else "an override was"
            raise UnusedOverride(
                f"{were} never used:\n{lines}\n"
                f"Take it away, or say unused_ok=True where it may stay unused."
            )

    def _why_unused(self, stand_in: StandIn) -> str:
        """Why what it has put in place was not used, each reason once."""
        reasons = (self._usage.why_unused(override) for override in stand_in.unused)
        return "; ".join(dict.fromkeys(reasons))

    def _put(self, stand_in: StandIn) -> StandIn:
        """Put it in place; if it does not fit a registered task, it is not."""
        for override in stand_in.overrides:
            self._docket.overrides.put(override)
        try:
            for name in self._docket.tasks:
                self._docket.task(name).plan_with({}, overrides=self._docket.overrides)
        except BaseException:
            self.take_away(stand_in)
            raise
        self._unchecked.append(stand_in)
        return stand_in

    def _record(self, stand_in: StandIn) -> None:
        context = current_attempt.get()
        execution = context.execution
        stand_in.overrides[0].uses += 1
        stand_in.calls.append(
            RecordedCall(context.arguments, context.now(), execution.key, execution.attempt)
        )


def _refuse_other_kinds(policies: Mapping[str, Dependency[Any]]) -> None:
    """Refuse what is no policy of the kind that it is given for.

    Raises:
        TypeError: there is such a one.
    """
    for name, policy in policies.items():
        if not isinstance(policy, _POLICIES[name]):
            raise TypeError(
                f"{name}= takes a {_POLICIES[name].__name__}, found "
                f"{safe_repr(policy)}; to do without one, give one that never acts, such as "
                f"Retry(attempts=1)"
            )
