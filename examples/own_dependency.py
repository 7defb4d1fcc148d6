"""Dependencies of your own: one knows the attempt, one annotates an argument and undoes itself."""

import logging
from types import TracebackType
from typing import Annotated, Self

from docket_sim import Dependency, Retry, Tally, current_attempt, simulate

stock = {"tea": 5}


class Journal(Dependency["Journal"]):
    """Writes lines that say which attempt wrote them."""

    def __init__(self, author: str = "nobody") -> None:
        self.author = author

    async def __aenter__(self) -> Self:
        execution = current_attempt.get().execution
        return type(self)(f"{execution.key}, attempt {execution.attempt}")

    def write(self, line: str) -> None:
        print(f"{self.author}: {line}")


class Reserved(Dependency[int]):
    """Takes the annotated number out of the stock, and puts it back when the body fails."""

    def __init__(self, quantity: int = 0) -> None:
        self.quantity = quantity

    def bind_to_parameter(self, name: str, value: object) -> "Reserved":
        assert isinstance(value, int), name
        return Reserved(value)

    async def __aenter__(self) -> int:
        stock["tea"] -= self.quantity
        return self.quantity

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_value is not None:
            stock["tea"] += self.quantity


async def sell(
    quantity: Annotated[int, Reserved()],
    journal: Journal = Journal(),
    retry: Retry = Retry(attempts=2),
) -> None:
    journal.write(f"sells {quantity}, which leaves {stock['tea']}")
    if retry.attempt == 1:
        raise ConnectionError("the till is offline")


if __name__ == "__main__":
    logging.getLogger("docket_sim").setLevel(logging.ERROR)
    with simulate() as sim:
        sim.run(sim.docket.add(sell, key="order-42")(2))
        assert sim.run(sim.run_until_idle()) == Tally(succeeded=1, retried=1)
    print(f"in stock: {stock['tea']}")
