"""`Plan`: a whole simulation as a value: its settings, what is asked of it, what goes wrong."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from hypothesis.vendor.pretty import RepresentationPrinter

from docket_sim.dependencies import Timeout
from docket_sim.search import Exploration, Scenario
from docket_sim.simulation import Faults, ScriptedOutcome, Simulation
from docket_sim.strategies.calls import Call
from docket_sim.strategies.interleavings import interleave
from docket_sim.strategies.schedules import Schedule


@dataclass(frozen=True)
class Plan:
    """A whole simulation: its settings, what is asked of it, and what goes wrong.

        @given(plan=simulations([charge]))
        def test_nothing_breaks(plan):
            plan.check()

    Attributes:
        calls: what each key stands for.
        schedule: what is asked, in order.
        workers: how many workers there are.
        concurrency: how many attempts each may run at once.
        scripts: what the attempts at some keys come to.
        timeouts: how long attempts at some tasks may take, by the task's name.
        faults: what goes wrong.
    """

    calls: Mapping[str, Call]
    schedule: Schedule
    workers: int = 1
    concurrency: int = 1
    scripts: Mapping[str, Sequence[ScriptedOutcome]] = field(
        default_factory=dict[str, Sequence[ScriptedOutcome]]
    )
    timeouts: Mapping[str, Timeout] = field(default_factory=dict[str, Timeout])
    faults: Faults = field(default_factory=Faults)

    @property
    def world(self) -> dict[str, Any]:
        """The keywords of `simulate`.

        Executions may end failed where there are scripts or timeouts that let attempts fail.
        """
        return {
            "tasks": list(dict.fromkeys(call.task for call in self.calls.values())),
            "workers": self.workers,
            "concurrency": self.concurrency,
            "faults": self.faults,
            "allow_failures": bool(self.scripts or self.timeouts),
        }

    async def play(self, sim: Simulation) -> None:
        """Do what is planned in a world that has these settings, until nothing is left to run.

        Args:
            sim: the simulation, entered: that of the scenario given to `check`, or
                `simulate(**plan.world)`.

        Raises:
            InvariantBroken: something that must hold in every run does not.
            Deadlock, EndlessRun: something that was accepted does not end.
        """
        for name, timeout in self.timeouts.items():
            sim.override(name, timeout=timeout, unused_ok=True)
        for key, script in self.scripts.items():
            sim.script(self.calls[key].task, script, key=key, unused_ok=True)
        for step in self.schedule:
            call = self.calls[step.key]
            await step.take(sim, call.task, *call.args)
        await sim.run_until_idle()
        sim.excuse_overrides()  # what a run makes use of is drawn

    def check(
        self,
        scenario: Scenario | None = None,
        *,
        schedules: int = 5,
        replay: str | None = None,
        **world: Any,
    ) -> Exploration:
        """Play it in the default order and in a few others, as `run_schedules` does.

            @given(plan=simulations([charge]))
            def test_an_order_is_charged_once(plan):
                async def charged_once(sim):
                    ledger = Ledger()
                    sim.override(get_ledger, value=ledger)
                    await plan.play(sim)
                    assert max(ledger.counts, default=0) <= 1

                plan.check(charged_once)

        Args:
            scenario: a function of a world, plain or async, that plays the plan and looks at what
                has come of it; by default nothing but `play`, which checks the invariants.
            schedules: how many orders there are besides the default one.
            replay: the token of a failing run: only that one is made.
            **world: further keywords of `simulate`, or others than the plan's.

        Raises:
            FailureFound: a run failed; the cause is what it failed with.
        """
        __tracebackhide__ = True
        settings = {**self.world, **world}
        return interleave(
            scenario or self.play, settings, schedules, replay=replay, told="plan.check"
        )

    def _repr_pretty_(self, printer: RepresentationPrinter, cycle: bool) -> None:
        """How hypothesis shows it, by the protocol of IPython."""
        for number, line in enumerate(repr(self).splitlines()):
            if number:
                printer.break_()
            printer.text(line)

    def __repr__(self) -> str:
        """One thing a line; what is as usual is left out."""
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        usual: dict[str, Any] = {"workers": 1, "concurrency": 1, "scripts": {}, "timeouts": {}}
        usual["faults"] = Faults()
        steps = "".join(f"\n        {step!r}," for step in self.schedule)
        lines = [f"    calls={self.calls!r},", f"    schedule=Schedule(({steps}\n    )),"]
        lines += [
            f"    {name}={said[name]!r}," for name, value in usual.items() if said[name] != value
        ]
        return "Plan(\n" + "\n".join(lines) + "\n)"
