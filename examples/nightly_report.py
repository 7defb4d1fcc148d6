"""A report that perpetuates itself: a month of nights, one of which goes wrong."""

import logging
from datetime import UTC, datetime, timedelta

from docket_sim import Perpetual, Tally, simulate

FIRST_NIGHT = datetime(2030, 3, 1, 3, 0, tzinfo=UTC)
BAD_NIGHT = 17


async def report(nightly: Perpetual = Perpetual(every=timedelta(days=1), automatic=True)) -> None:
    """Write last night's report."""
    today = datetime.now(UTC)
    if today.day == BAD_NIGHT:
        raise OSError("the disk is full")
    if today.month > FIRST_NIGHT.month:
        nightly.cancel()


def main() -> None:
    logging.getLogger("docket_sim").setLevel(logging.CRITICAL)  # the failure is printed below
    with simulate(tasks=[report], start=FIRST_NIGHT) as sim:
        tally = sim.run(sim.run_for(timedelta(days=60)))
        assert tally == Tally(succeeded=31, failed=1)

        nights = [moment.at for moment in sim.timeline if moment.what == "started"]
        print(f"{len(nights)} nights, from {nights[0]:%B %d %H:%M} to {nights[-1]:%B %d %H:%M}")
        for failure in sim.acknowledge_failures():
            print(f"{failure.at:%B %d}: {failure.error!r}, and it went on the night after")


if __name__ == "__main__":
    main()
