"""The boundary between a simulation's code and its store: who may pass, and what happens then.

docket, workers  →  FaultyStore (the court)  →  Turnstile  →  the store
"""

from datetime import datetime, timedelta

from docket_sim.clock import VirtualClock
from docket_sim.entropy import Entropy, SeededEntropy
from docket_sim.simulation.bound import Bound
from docket_sim.simulation.choices import Choices, ChosenEntropy
from docket_sim.simulation.faults.court import Court
from docket_sim.simulation.faults.persistence import Persistence
from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.faults.store import FaultyStore
from docket_sim.simulation.invariants.base import Scene
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.rehearsal import Rehearsal
from docket_sim.simulation.turnstile import Turnstile
from docket_sim.simulation.unawaited import Unawaited
from docket_sim.store import Claim, MemoryStore, Store


class Boundary:
    """Everything between the workers of a simulation and its store.

    Attributes:
        entropy: what jitter and ids are drawn from.
        court: what disturbs calls.
        turnstile: what holds workers back between the verbs.
        faults: what goes wrong.
        rehearsal: which runs were only made once more.
        scene: what invariants look at.
        bound: how many steps the run may take.
        persistence: what the store forgets when it restarts.
        store: the store as the docket and the workers see it.
        unawaited: the calls of it that were prepared and have not begun.
    """

    def __init__(
        self,
        clock: VirtualClock,
        behind: Store,
        faults: Faults,
        choices: Choices | None,
        seed: int,
        steps: int,
    ) -> None:
        """
        Args:
            clock: the virtual time.
            behind: the store.
            faults: what goes wrong.
            choices: what decides, or `None` when nothing is left to choose.
            seed: what jitter is drawn from, when nothing is left to choose.
            steps: how many steps the run may take without progress.
        """
        self.entropy: Entropy = SeededEntropy(seed) if choices is None else ChosenEntropy(choices)
        self.turnstile = Turnstile(behind)
        self.court = Court(clock, faults, choices or Choices(), self._redeliver)
        self.store: Store = FaultyStore(self.turnstile, self.court, clock)
        self.unawaited = Unawaited()
        self.faults = faults
        self.rehearsal = Rehearsal(takes_place=faults.run_twice)
        self.court.after.append(self.rehearsal.note)
        self.scene = Scene(clock.start, behind, self.court.troubles)
        self.persistence = Persistence(behind, faults, clock)
        self.court.troubles.forget = self.persistence.lose
        if self.persistence.watches:
            self.court.before.append(self.persistence.note)
        calls = self.court.troubles.journal.entries
        self.bound = Bound.of_a_run(steps, calls, searching=choices is not None)
        self._direct = isinstance(behind, MemoryStore) and not behind.yields

    def use(self, loop: VirtualLoop) -> None:
        """Say which loop the simulation runs on."""
        loop.bound = self.bound
        self.court.use(loop, direct=self._direct)

    async def _redeliver(self, claim: Claim, now: datetime) -> None:
        """Give up a claim, by letting its lease end now."""
        await self.turnstile.renew([claim], lease=timedelta(0), now=now)
        self.turnstile.give_back(1, now)
