"""One test on several stores: what happened on each is compared with what happened on the first."""

from dataclasses import dataclass

import pytest

from docket_sim import Simulation
from docket_sim.simulation.difference import first_difference
from docket_sim.simulation.timeline import Moment
from pytest_docket.options import masked


@dataclass(frozen=True, slots=True)
class _Run:
    store: str
    moments: list[Moment]


_FIXTURE = "_docket_named_store"
_FIRST_RUNS = pytest.StashKey[dict[str, _Run]]()


def compare(item: pytest.Item, world: Simulation) -> None:
    """Compare what happened with what happened on the first store on which this test ran.

    Raises:
        Failed: something else happened.
    """
    __tracebackhide__ = True
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    store = parameters.get(_FIXTURE)
    if store is None:
        return
    others = {name: value for name, value in parameters.items() if name != _FIXTURE}
    runs = item.config.stash.setdefault(_FIRST_RUNS, {})
    name = f"{item.nodeid.partition('[')[0]} {others!r}"
    first = runs.setdefault(name, _Run(store, list(world.timeline)))
    difference = first_difference(first.moments, list(world.timeline))
    if difference is not None:
        pytest.fail(
            f"the same test, on {masked(first.store)} and on {masked(store)}, did not do the same. "
            f"The first event that differs is on {masked(first.store)}\n  {difference}",
            pytrace=False,
        )
