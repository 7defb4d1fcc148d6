"""The sizes of the work, the same for every system that does it."""

CONCURRENCY = 100
IN_FLIGHT = 50
BULK = 1_000
"""How many calls are handed over at once, where a system takes many."""

WARM_UP = 5
"""How many tasks are added before the clock runs."""

TRICKLE = 400
TRICKLES_PER_SECOND = 100.0
TRICKLE_WARM_UP = 10

COUNTED = 2_000
"""How many tasks run under the eyes of MONITOR, which slows down everyone."""

IDLE_SECONDS = 4.0

FLOOR = 20_000
SCALING = 20_000
SCALING_WAIT = 0.04
"""How many seconds a task waits in the case of two workers that are not short of a core."""

SCHEDULED = 100_000
SCHEDULED_FROM, SCHEDULED_TO = 300.0, 3_900.0
"""Between how many seconds from now those are due; none is due while they are watched."""

SCHEDULED_SECONDS = 10.0

GROWTH_WARM_UP = 10_000
GROWTH = 100_000

QUICK = 20
"""By how much `--quick` divides what is not a duration."""

LEAST = 100


def scaled(tasks: int, *, quick: bool) -> int:
    """How many tasks to take, when so many would be right if there was time."""
    return max(LEAST, tasks // QUICK) if quick else tasks
