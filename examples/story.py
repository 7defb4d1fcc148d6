"""A simulated story: an order, a gateway in trouble, and a review asked for days later.

The tasks are those of `shop.py`; only the time is virtual. Run it: `python examples/story.py`
"""

import logging
from time import perf_counter

import shop

from docket_sim import Simulation, simulate


def play(sim: Simulation) -> None:
    shop.sandbox.script = ["down", "hang"]  # then it accepts
    sim.run(sim.docket.add(shop.place_order, key="order-7")(7))
    tally = sim.run(sim.run_until_idle())

    print(sim.timeline)
    print()
    print(tally)


def main() -> None:
    logging.getLogger("docket_sim").setLevel(logging.ERROR)  # the timeline shows the retries
    began = perf_counter()
    with simulate(tasks=shop.tasks) as sim:
        play(sim)
        virtual = sim.clock.elapsed
    real = perf_counter() - began
    took = "less than a second" if real < 1 else f"{real:.0f} seconds"
    print(f"{virtual} of virtual time, in {took} of real time")


if __name__ == "__main__":
    main()
