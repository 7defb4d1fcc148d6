"""A desk at each of the stores."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from conformance import STORES, TTL, Desk, StoreFactory

from docket_sim import Simulation


@pytest.fixture(params=STORES.values(), ids=STORES.keys())
def store_factory(request: pytest.FixtureRequest) -> StoreFactory:
    """Each of the stores in turn."""
    return request.param


@pytest.fixture
def desk_keeping(sim: Simulation, store_factory: StoreFactory) -> Iterator[Callable[..., Desk]]:
    """Makes a desk whose store keeps records for the given time."""
    desks: list[Desk] = []

    def make(execution_ttl: timedelta) -> Desk:
        desk = Desk(store_factory(execution_ttl))
        sim.run(desk.store.open())
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        sim.run(desk.store.close())


@pytest.fixture
def desk(desk_keeping: Callable[..., Desk]) -> Desk:
    """A desk whose store keeps records for a quarter of an hour."""
    return desk_keeping(TTL)


@pytest.fixture
def forgetful_desk(desk_keeping: Callable[..., Desk]) -> Desk:
    """A desk whose store keeps no record of what has ended."""
    return desk_keeping(timedelta(0))
