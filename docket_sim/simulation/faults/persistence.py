"""What a store that restarts has not written down yet, and therefore forgets.

A server that writes its log once a second, as Redis does with `appendfsync everysec`, comes back
without the last writes. Here the store is put back to what it was so long before it went away. It
is only watched, and copied before each write, where a rule of the run asks for that.
"""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from docket_sim.clock import VirtualClock
from docket_sim.errors import SimulationError
from docket_sim.simulation.faults.calls import StoreCall
from docket_sim.simulation.faults.effects import RestartStore
from docket_sim.simulation.faults.rules import Faults
from docket_sim.store import MemoryStore, Store

_READS = frozenset({"get", "snapshot"})
_MICROSECOND = timedelta(microseconds=1)


class Persistence:
    """Remembers what a store was before each of its last writes.

    Attributes:
        told: are told when the store has forgotten some.
    """

    def __init__(self, store: Store, faults: Faults, clock: VirtualClock) -> None:
        """
        Args:
            store: the store.
            faults: the rules of the run; the one that loses most says how much is remembered.
            clock: the virtual time.

        Raises:
            ValueError: a rule loses writes, but the store is not in memory.
        """
        effects = [rule.effect for rule in faults.rules]
        losing = (one.losing for one in effects if isinstance(one, RestartStore))
        self._longest = max(losing, default=timedelta())
        if self._longest and not isinstance(store, MemoryStore):
            raise ValueError(
                f"restart_store(losing=...) needs the store in memory, which can be put back to "
                f"what it was; found {type(store).__name__}. Leave out losing=, or say "
                f"store='memory'"
            )
        self.told: list[Callable[[], object]] = []
        self._store = store
        self._clock = clock
        self._before: deque[tuple[int, tuple[Any, ...]]] = deque()

    @property
    def watches(self) -> bool:
        """Whether the store is watched: some rule loses writes."""
        return bool(self._longest)

    @property
    def outstanding(self) -> bool:
        """Whether the store, as it is now, holds executions that have not ended."""
        return isinstance(self._store, MemoryStore) and bool(self._store.outstanding())

    def note(self, call: StoreCall) -> None:
        """Remember what the store is, before it applies `call`."""
        if call.verb in _READS or not isinstance(self._store, MemoryStore):
            return
        now = self._clock.microseconds
        kept_since = now - self._longest // _MICROSECOND
        while self._before and self._before[0][0] <= kept_since:
            self._before.popleft()
        self._before.append((now, self._store.checkpoint()))

    def lose(self, losing: timedelta) -> None:
        """Forget what was written in the last `losing`, this instant included.

        Raises:
            SimulationError: the store was not watched for so long.
        """
        if losing > self._longest:
            raise SimulationError(
                f"the store cannot forget what was written in the last {losing}: it is remembered "
                f"only where a rule says so from the beginning, such as "
                f"simulate(faults=Faults.restart_store(at=..., losing=...))"
            )
        written_since = self._clock.microseconds - losing // _MICROSECOND
        lost = (state for at, state in self._before if at > written_since)
        state = next(lost, None)
        self._before.clear()
        if state is not None and isinstance(self._store, MemoryStore):
            self._store.restore(state)
            for tell in self.told:
                tell()
