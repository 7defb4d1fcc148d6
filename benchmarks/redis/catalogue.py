"""The systems that are measured, each in the best configuration that its users could run.

Read in every process, whatever is installed there: it imports none of them.
"""

from dataclasses import dataclass, field

from benchmarks.redis.sizes import CONCURRENCY


@dataclass(frozen=True, slots=True)
class System:
    """A task system in one configuration.

    Attributes:
        name: what `--only` selects it by.
        environment: what has to be installed for it.
        adapter: `module:class` in `benchmarks.redis.systems`.
        configuration: how it is set up, in words.
        tasks: how many no-op tasks are added and run.
        acknowledges: whether a task is still there when its worker dies.
        concurrency: how many tasks run at once.
        in_flight: whether a producer can have several requests under way.
        bulk: whether it takes many calls at once.
        finishes: whether a worker can end by itself when nothing is left.
    """

    name: str
    environment: str
    adapter: str
    configuration: str
    tasks: int
    acknowledges: bool = field(default=True, kw_only=True)
    concurrency: int = field(default=CONCURRENCY, kw_only=True)
    in_flight: bool = field(default=True, kw_only=True)
    bulk: bool = field(default=False, kw_only=True)
    finishes: bool = field(default=False, kw_only=True)


OURS = "docket-sim"
TUNED = "pydocket-5ms"
SAQ = "saq"

SYSTEMS = [
    System(
        OURS,
        "docket-sim",
        "docket_sim:DocketSim",
        "default settings",
        20_000,
        bulk=True,
        finishes=True,
    ),
    System(
        "pydocket",
        "pydocket",
        "pydocket:Pydocket",
        "polls every 250 ms, as by default; 500 connections, since 100 are too few",
        5_000,
        bulk=True,
    ),
    System(
        TUNED,
        "pydocket",
        "pydocket:Tuned",
        "polls every 5 ms, as its own tests do; 500 connections",
        5_000,
        bulk=True,
    ),
    System("arq", "arq", "arq:Arq", "polls every 5 ms, keeps no results", 5_000),
    System(SAQ, "saq", "saq:Saq", "default settings", 5_000),
    System("taskiq", "taskiq", "taskiq:Taskiq", "stream broker, no results", 10_000),
    System(
        "taskiq-results",
        "taskiq",
        "taskiq:Results",
        "stream broker, results kept for 15 minutes",
        10_000,
    ),
    System("streaq", "streaq", "streaq:Streaq", "default settings", 5_000, bulk=True),
    System(
        "dramatiq",
        "dramatiq",
        "dramatiq:Dramatiq",
        "100 threads, no results",
        10_000,
        in_flight=False,
    ),
    System(
        "huey",
        "huey",
        "huey:Huey",
        "10 threads, no results; never acknowledges: what a dying worker has taken is lost",
        10_000,
        acknowledges=False,
        concurrency=10,
        in_flight=False,
    ),
]

FLOORS = ("drain-awaited", "drain-coalesced", "drain-batched", "add-awaited", "add-pipelined")
"""What a client reaches with nothing around it but what a durable queue needs."""


def system(name: str) -> System:
    """The system that is called so."""
    return next(system for system in SYSTEMS if system.name == name)
