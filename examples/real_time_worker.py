"""The same engine in real time: a docket and a worker in one process, on `memory://`."""

import asyncio
from datetime import UTC, datetime, timedelta

from docket_sim import CurrentDocket, CurrentWorker, Docket, Worker


async def greet(name: str) -> str:
    return f"hello, {name}"


async def greet_later(
    name: str, docket: Docket = CurrentDocket(), worker: Worker = CurrentWorker()
) -> str:
    soon = datetime.now(UTC) + timedelta(milliseconds=50)
    await docket.add(greet, when=soon, key=f"greet-{name}")(name)
    return f"{name} will be greeted, says {worker.name}"


async def main() -> None:
    async with Docket(name="greetings", url="memory://") as docket:
        execution = await docket.add(greet_later)("Ada")
        async with Worker(docket, name="worker-1", concurrency=2) as worker:
            await worker.run_until_finished()
        print(await execution.get_result())

        greeting = await docket.get_execution("greet-Ada")
        assert greeting is not None
        print(f"{greeting.state.value}: {await greeting.get_result()}")


if __name__ == "__main__":
    asyncio.run(main())
