"""`DocketMachine`: a stateful test in which hypothesis uses a docket, and makes trouble for it."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, ClassVar, TypeVar

from hypothesis import currently_in_test_context, note
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException, StopTest
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from hypothesis.strategies import SearchStrategy

from docket_sim.clock.durations import duration_of, short
from docket_sim.search.diagram import Diagram
from docket_sim.search.silence import silenced
from docket_sim.simulation import Faults, Simulation
from docket_sim.strategies.calls import Call, Tasks, calls_of
from docket_sim.strategies.durations import durations
from docket_sim.strategies.faults import worker_names
from docket_sim.strategies.interleavings import is_read

T = TypeVar("T")
_SECOND = duration_of("1s")
_spans = st.sampled_from(["1s", "heartbeat", "lease"])
_moments = st.sampled_from(["before settle", "after claim"])
_delays = durations(0 * _SECOND, 60 * _SECOND).map(short)
_advances = durations(_SECOND, 600 * _SECOND).map(short)


@cache
def _calls(kind: "type[DocketMachine]") -> SearchStrategy[Call]:
    return calls_of(kind.tasks)


def _own(choose: Callable[["DocketMachine"], SearchStrategy[T]]) -> SearchStrategy[T]:
    """What is drawn from what a machine's own class says."""
    machines: SearchStrategy[DocketMachine] = st.runner()
    return machines.flatmap(choose)


_CALLS = _own(lambda machine: _calls(type(machine)))
_KEYS = _own(lambda machine: st.sampled_from(machine.keys))
_WORKERS = _own(lambda machine: st.sampled_from(worker_names(machine.workers)))


def _has_troubles_left(machine: RuleBasedStateMachine) -> bool:
    assert isinstance(machine, DocketMachine)
    return machine.troubles < machine.most_troubles


class DocketMachine(RuleBasedStateMachine):
    """A stateful test: adds, replaces, cancels, lets time pass, and makes trouble.

        class Charging(DocketMachine):
            tasks = [charge]

            def __init__(self):
                super().__init__()
                self.ledger = Ledger()
                self.sim.override(get_ledger, value=self.ledger)

            @invariant()
            def nobody_is_charged_twice(self):
                assert max(self.ledger.counts, default=0) <= 1

        TestCharging = Charging.TestCase

    The invariants of the engine are checked throughout. In the end, everything heals and all that
    was accepted has to end. Add rules and invariants of your own as to any state machine; in them,
    `self.sim` is the world, driven by `self.sim.run(...)`.

    Attributes:
        tasks: the tasks, the simplest first, if they need no arguments; or each with a strategy of
            tuples of its arguments.
        keys: the keys of executions, the simplest first.
        workers: how many workers there are.
        concurrency: how many attempts each may run at once.
        most_troubles: how often workers crash, stand still or are cut off, all in all. An attempt
            that has been delivered 5 times without an answer counts as poison.
        world: further keywords of `simulate`.
        sim: the world.
        troubles: how often workers have had trouble so far.
    """

    tasks: ClassVar[Tasks] = ()
    keys: ClassVar[Sequence[str]] = ("a", "b", "c")
    workers: ClassVar[int] = 2
    concurrency: ClassVar[int] = 10
    most_troubles: ClassVar[int] = 4
    world: ClassVar[Mapping[str, Any]] = {}

    def __init__(self) -> None:
        super().__init__()
        self._outer = sys.exc_info()[1]
        self._used: dict[str, None] = {}
        self.troubles = 0
        settings: dict[str, Any] = {"workers": self.workers, "concurrency": self.concurrency}
        settings["tasks"] = list(self.tasks)
        self.sim = Simulation(**{**settings, **self.world})
        self._entered = ExitStack()
        self._entered.enter_context(silenced())
        self._entered.enter_context(self.sim)
        known = [self.sim.docket.task(task).perpetual for task in self.tasks]
        if not any(perpetual is not None and perpetual.automatic for perpetual in known):
            self.sim.run(self.sim.run_due())  # so that there are workers from the beginning

    # What is asked.

    @rule(key=_KEYS, call=_CALLS, due=_delays)
    def add(self, key: str, call: Call, due: str) -> None:
        """Add a call, due after a while."""
        self._used[key] = None
        when = self.sim.clock.now() + duration_of(due)
        self.sim.run(self.sim.docket.add(call.task, when=when, key=key)(*call.args))

    @rule(key=_KEYS, call=_CALLS, due=_delays)
    def replace(self, key: str, call: Call, due: str) -> None:
        """Put a call in place of what a key stands for."""
        self._used[key] = None
        when = self.sim.clock.now() + duration_of(due)
        self.sim.run(self.sim.docket.replace(call.task, when=when, key=key)(*call.args))

    @rule(key=_KEYS)
    def cancel(self, key: str) -> None:
        """Cancel what a key stands for, if anything."""
        self.sim.run(self.sim.docket.cancel(key))

    @rule(by=_advances)
    def advance(self, by: str) -> None:
        """Let time pass, and run what becomes due."""
        self.sim.run(self.sim.run_for(by))

    # What goes wrong.

    @precondition(_has_troubles_left)
    @rule(worker=_WORKERS)
    def crash(self, worker: str) -> None:
        """Cut the power of a worker's machine; another takes its place a second later."""
        self.troubles += 1
        self.sim.strike(Faults.crash_worker(worker=worker))

    @precondition(_has_troubles_left)
    @rule(when=_moments)
    def crash_next(self, when: str) -> None:
        """Cut the power of the next machine that makes such a call of the store."""
        self.troubles += 1
        position, _, verb = when.partition(" ")
        place: dict[str, Any] = {position: verb}
        self.sim.strike(Faults.crash_worker(**place))

    @precondition(_has_troubles_left)
    @rule(worker=_WORKERS, span=_spans)
    def pause(self, worker: str, span: str) -> None:
        """Let a worker's machine stand still for a while."""
        self.troubles += 1
        self.sim.strike(Faults.pause(worker, for_=span))

    @precondition(_has_troubles_left)
    @rule(worker=_WORKERS, span=_spans)
    def partition(self, worker: str, span: str) -> None:
        """Cut a worker off from the store for a while."""
        self.troubles += 1
        self.sim.strike(Faults.partition(worker, for_=span))

    @rule(away=st.sampled_from(["1s", "30s"]))
    def restart_store(self, away: str) -> None:
        """Let the store go away for a while."""
        self.sim.strike(Faults.restart_store(for_=away))

    @rule()
    def heal(self) -> None:
        """End what lasts."""
        self.sim.heal()

    # The end.

    def at_end(self) -> None:
        """Called when all has ended; make your last assertions here."""

    def teardown(self) -> None:
        """Heal everything, let all end, and look at what is left, unless the run has failed.

        Raises:
            AssertionError: something that was accepted has not ended.
        """
        __tracebackhide__ = True
        error = sys.exc_info()[1]
        if error is not None and error is not self._outer:
            self._leave(error)
            return
        try:
            self.sim.heal()
            self.sim.run(self.sim.run_until_idle())
            for key in self._used:
                self.sim.run(self._refuse_unended(key))
            self.at_end()
            self.sim.excuse_overrides()  # what a run makes use of is drawn
            self.sim.check()
        except BaseException as failure:
            self._leave(failure)
            raise
        self._entered.close()

    async def _refuse_unended(self, key: str) -> None:
        execution = await self.sim.docket.get_execution(key)
        if execution is not None and not execution.state.finished:
            raise AssertionError(
                f"liveness: all that was accepted has to end, found {key!r} {execution.state.value}"
            )

    def _leave(self, error: BaseException) -> None:
        """Leave a world in which something has failed; the report shows what happened there."""
        self._entered.__exit__(type(error), error, error.__traceback__)
        if (
            currently_in_test_context()
            and is_read()
            and not isinstance(error, HypothesisException | StopTest)
        ):
            note(f"\n{Diagram(self.sim.journal, self.sim.timeline)}")
