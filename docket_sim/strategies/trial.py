"""A retry policy put to work: the real engine, in virtual time, under a script of failures."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from docket_sim.dependencies import Retry, Timeout, current_attempt
from docket_sim.entropy import SeededEntropy
from docket_sim.errors import EndlessRun
from docket_sim.events import Finished, Retried, Started, Superseded
from docket_sim.execution import Failed, Reschedule
from docket_sim.search.silence import silenced
from docket_sim.simulation import Raises, Runs, ScriptedOutcome, Simulation, Timeline, simulate

LIMIT = timedelta(minutes=1)
"""How long an attempt of a trial may run: what hangs is ended then, and has failed."""

_STANDS_FOR_IT = Retry()
_TWINS = ("first", "second")
_OTHER = "third"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a policy is put through.

    Attributes:
        policy: the policy.
        failing: how many attempts fail, before one succeeds.
        manners: how the first of them fail; the others fail at once.
        chance: what two executions draw for each jitter, from 0 up to 1.
        other_chance: what a third draws.
        edges: numbers of attempts, too high to be reached, to be looked at by themselves.
    """

    policy: Retry
    failing: int
    manners: tuple[ScriptedOutcome, ...]
    chance: float
    other_chance: float
    edges: tuple[int, ...] = ()

    def script(self, error: type[BaseException]) -> dict[int, ScriptedOutcome]:
        """What each attempt comes to, by its number; those that are not in it succeed."""
        numbers = (*range(1, self.failing + 1), *self.edges)
        at_once: dict[int, ScriptedOutcome] = dict.fromkeys(numbers, Raises(error))
        return at_once | dict(enumerate(self.manners[: self.failing], start=1))


@dataclass(slots=True)
class Try:
    """One attempt, as it was seen.

    Attributes:
        number: its number, counted from 1.
        began: when it began, since the start.
        ended: when it ended, or `None`.
        succeeded: whether it did.
        error: what it failed with.
        decided: the delay that the policy had decided on, as the body saw it; `None` if the body
            never ran.
        wait: how long it was from its end to the beginning of the next.
    """

    number: int
    began: timedelta
    ended: timedelta | None = None
    succeeded: bool = False
    error: BaseException | None = None
    decided: timedelta | None = None
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One execution, and what it drew for each jitter.

    Attributes:
        chance: what it drew.
        tries: its attempts, in order.
        edges: attempts with higher numbers, each looked at by itself; the `wait` after one is what
            was decided, or `None` if it was the last.
    """

    chance: float
    tries: list[Try]
    edges: list[Try]

    def waits(self) -> list[tuple[Try, timedelta]]:
        """The attempts that were followed by another, and how long after."""
        return _waits([*self.tries, *self.edges])

    def consecutive_waits(self) -> list[tuple[Try, timedelta]]:
        """Those of the attempts that follow each other."""
        return _waits(self.tries)


def _waits(tries: list[Try]) -> list[tuple[Try, timedelta]]:
    return [(one, one.wait) for one in tries if one.wait is not None]


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a trial: two runs with the same chances, and one with others."""

    twins: tuple[Run, Run]
    other: Run


_Decided = dict[tuple[str, int], list[timedelta]]


class _Witness(SeededEntropy):
    """Deals out the chances, the same in each draw of one execution, and hears the decisions."""

    def __init__(self, chances: Mapping[str, float]) -> None:
        super().__init__(0)
        self.decided: _Decided = {}
        self._chances = chances

    def random(self) -> float:
        context = current_attempt.get(None)
        return 0.0 if context is None else self._chances[context.execution.key.partition(",")[0]]


async def attempted(retry: Retry = _STANDS_FOR_IT) -> None:
    """The task whose failures a policy under trial decides on."""
    context = current_attempt.get()
    assert isinstance(context.entropy, _Witness)
    of_attempt = (context.execution.key, context.execution.attempt)
    context.entropy.decided.setdefault(of_attempt, []).append(retry.delay)


def put_through(trial: Trial, error: type[BaseException]) -> Seen:
    """Run a trial. What a policy raises ends its attempt, so it is seen like the rest."""
    witness = _Witness({**dict.fromkeys(_TWINS, trial.chance), _OTHER: trial.other_chance})
    lenient = simulate(
        allow_failures=True,
        allow_pending=True,
        allow_leaked_tasks=True,
        unchecked=["all"],  # what a policy breaks is told by its properties, in their words
    )
    with silenced(), lenient as sim:
        sim.docket.entropy = witness
        sim.docket.register(attempted)
        sim.override(attempted, retry=trial.policy, timeout=Timeout(LIMIT))
        script = {number: Runs(then=outcome) for number, outcome in trial.script(error).items()}
        sim.script(attempted, script, unused_ok=True)
        return sim.run(_drive(sim, trial, witness.decided))


async def _drive(sim: Simulation, trial: Trial, decided: _Decided) -> Seen:
    edges: dict[str, list[Try]] = {_TWINS[1]: []}  # one of the twins will do
    for key in (_TWINS[0], _OTHER):
        edges[key] = [await _edge(sim, number, key, decided) for number in trial.edges]
    for key in edges:
        await sim.docket.add(attempted, key=key)()
    with suppress(EndlessRun):  # the attempts tell
        await sim.run_until_idle(limit=4 * (trial.failing + 2))
    first, second = (
        Run(trial.chance, _tries(sim.timeline, key, decided), edges[key]) for key in _TWINS
    )
    other = Run(trial.other_chance, _tries(sim.timeline, _OTHER, decided), edges[_OTHER])
    return Seen((first, second), other)


async def _edge(sim: Simulation, number: int, key: str, decided: _Decided) -> Try:
    alone = f"{key}, {number}"
    performed = await sim.perform(attempted, attempt=number, key=alone)
    now, elapsed = sim.clock.now(), sim.clock.elapsed
    settlement, outcome = performed.settlement, performed.outcome
    return Try(
        number,
        began=elapsed,
        ended=elapsed,
        error=outcome.error if isinstance(outcome, Failed) else None,
        decided=next(iter(decided.get((alone, number), [])), None),
        wait=settlement.when - now if isinstance(settlement, Reschedule) else None,
    )


def _tries(timeline: Timeline, key: str, decided: _Decided) -> list[Try]:
    tries: list[Try] = []
    for event in timeline.events:
        if event.call.key != key:
            continue
        at = event.at - timeline.start
        if isinstance(event, Started):
            _begin(tries, Try(event.call.attempt, at), decided.get((key, event.call.attempt), []))
        elif tries and isinstance(event, Retried | Finished | Superseded):
            tries[-1].ended = at
            tries[-1].error = event.error
            tries[-1].succeeded = event.error is None
    return tries


def _begin(tries: list[Try], attempt: Try, decided: list[timedelta]) -> None:
    before = [one for one in tries if one.number == attempt.number]
    if len(before) < len(decided):
        attempt.decided = decided[len(before)]
    if tries and (ended := tries[-1].ended) is not None:
        tries[-1].wait = attempt.began - ended
    tries.append(attempt)
