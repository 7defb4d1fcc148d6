"""What docket-sim is to reach, much of it in relation to what others reach in the same run."""

from benchmarks.redis.catalogue import OURS, SAQ, SYSTEMS, TUNED
from benchmarks.rows import Measured, Results, Row
from benchmarks.table import median

_DRAIN = Measured(f"{OURS} queue", "drain")
_ONE = Measured(f"{OURS} queue", "one")
_MANY = Measured(f"{OURS} bulk", "rate")
_ABREAST = Measured(f"{OURS} in flight", "rate")


def goal_rows(results: Results) -> list[Row]:
    """A row for each comparison and each goal; without the peer where that was not measured."""
    rows = [*_draining(results), *_adding(results), *_several_workers(results), *_absolute()]
    return [row for row in rows if _is_measured(row.ours, results)]


def _draining(results: Results) -> list[Row]:
    fastest = _fastest(results)
    return [
        _compared(
            "drain",
            _DRAIN,
            f"fastest that acknowledges: {fastest or '-'}",
            Measured(f"{fastest} queue", "drain"),
            results,
            times=2,
        ),
        _compared("drain", _DRAIN, TUNED, Measured(f"{TUNED} queue", "drain"), results, times=5),
        _compared(
            "drain", _DRAIN, "floor: two awaited scripts a task", _floor("drain-awaited"), results
        ),
        _compared(
            "drain", _DRAIN, "floor: the same, coalesced", _floor("drain-coalesced"), results
        ),
        _compared(
            "drain", _DRAIN, "floor: one script for 100 tasks", _floor("drain-batched"), results
        ),
    ]


def _adding(results: Results) -> list[Row]:
    return [
        _compared(
            "add one at a time",
            _ONE,
            "floor: one awaited script",
            _floor("add-awaited"),
            results,
            times=0.8,
        ),
        _compared(
            "add, 50 in flight",
            _ABREAST,
            SAQ,
            Measured(f"{SAQ} in flight", "rate"),
            results,
            times=1,
        ),
        _compared(
            "add in bulk",
            _MANY,
            "floor: pipelined scripts",
            _floor("add-pipelined"),
            results,
            times=0.65,
        ),
    ]


def _several_workers(results: Results) -> list[Row]:
    return [
        _compared(
            "two workers, tasks that wait",
            Measured("scaling waiting", "two"),
            "one worker",
            Measured("scaling waiting", "one"),
            results,
            times=1.7,
        ),
        _compared(
            "two workers, no-op tasks, cores shared with the server",
            Measured("scaling no-op", "two"),
            "one worker",
            Measured("scaling no-op", "one"),
            results,
        ),
    ]


def _absolute() -> list[Row]:
    latency, commands = f"{OURS} latency", f"{OURS} commands"
    return [
        _alone("idle latency, p50", "ms", Measured(latency, "p50"), 0.8),
        _alone("idle latency, p99", "ms", Measured(latency, "p99"), 2),
        _alone("client commands a task, drain", "commands", Measured(commands, "client"), 0.2),
        _alone(
            "idle worker, 100,000 scheduled",
            "commands/s",
            Measured("scheduled idle", "commands"),
            2,
        ),
        _alone("memory of a queued no-op task", "bytes", Measured(f"{OURS} queue", "bytes"), 500),
        _alone(
            "worker's growth, 100,000 tasks", "MB", Measured("growth resident", "megabytes"), 10
        ),
        _alone(
            "worker's resident memory after them", "MB", Measured("growth resident", "resident")
        ),
    ]


def _compared(
    work: str,
    ours: Measured,
    peer: str,
    theirs: Measured,
    results: Results,
    *,
    times: float | None = None,
) -> Row:
    """A row with somebody else's rate, of which ours is to be a multiple."""
    if not _is_measured(theirs, results):
        return Row(OURS, work, "/s", ours, peer, instead="not measured")
    goal = None if times is None else times * median(theirs, results)
    return Row(OURS, work, "/s", ours, peer, theirs, goal)


def _alone(work: str, unit: str, ours: Measured, goal: float | None = None) -> Row:
    return Row(OURS, work, unit, ours, "-", goal=goal)


def _floor(name: str) -> Measured:
    return Measured(f"floors {name}", "rate")


def _fastest(results: Results) -> str | None:
    """The peer that works a queue off fastest, of those that lose nothing when a worker dies."""
    rates = {
        system.name: median(drain, results)
        for system in SYSTEMS
        if system.acknowledges and system.name != OURS
        if _is_measured(drain := Measured(f"{system.name} queue", "drain"), results)
    }
    return max(rates, key=rates.__getitem__, default=None)


def _is_measured(measured: Measured, results: Results) -> bool:
    return bool(results.get(measured.case))
