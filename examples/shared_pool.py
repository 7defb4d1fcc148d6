"""One pool for a worker's whole life, and a transaction around every task that it runs."""

import asyncio
import logging
from collections.abc import AsyncGenerator

from docket_sim import Depends, Shared, Simulation, Tally, TaskKey, simulate

SEATS = 2


class Pool:
    """A connection pool; opening it is slow, so it should happen once."""

    async def execute(self, statement: str) -> None:
        print(f"  {statement}")


async def open_pool() -> AsyncGenerator[Pool, None]:
    await asyncio.sleep(2)
    print("the pool opens")
    yield Pool()
    print("the pool closes")


async def transaction(
    pool: Pool = Shared(open_pool), key: str = TaskKey()
) -> AsyncGenerator[None, None]:
    await pool.execute(f"begin     {key}")
    try:
        yield
    except Exception:
        await pool.execute(f"rollback  {key}")
        raise
    await pool.execute(f"commit    {key}")


async def book(seat: int, pool: Pool = Shared(open_pool)) -> None:
    await asyncio.sleep(seat)
    if seat > SEATS:
        raise LookupError(f"there is no seat {seat}")
    await pool.execute(f"book      seat {seat}")


async def book_three(sim: Simulation) -> None:
    for seat in (1, 2, 3):
        await sim.docket.add(book, key=f"seat-{seat}")(seat)
    assert await sim.run_until_idle() == Tally(succeeded=2, failed=1)
    sim.acknowledge_failures()


if __name__ == "__main__":
    logging.getLogger("docket_sim").setLevel(logging.CRITICAL)  # seat 3 is meant to fail
    with simulate(dependencies=[Depends(transaction)]) as sim:
        sim.run(book_three(sim))
