"""What is measured of docket-sim alone: two workers, a full timetable, and memory over time."""

from contextlib import ExitStack

from benchmarks.redis import sizes
from benchmarks.redis.cases import Case, expect, fill, idle, rate_of, work_off
from benchmarks.redis.catalogue import OURS, system
from benchmarks.redis.cores import pin
from benchmarks.redis.setting import Setting

_OURS = system(OURS)


def extra_cases() -> list[Case]:
    """Everything that is measured of docket-sim alone."""
    environment = _OURS.environment
    return [
        Case("scaling", "waiting", environment, scaling_waiting),
        Case("scaling", "no-op", environment, scaling_noop),
        Case("scheduled", "idle", environment, scheduled, once=True),
        Case("growth", "resident", environment, growth, once=True),
    ]


def scaling_waiting(setting: Setting) -> dict[str, float]:
    """Tasks that wait, so that a worker is held up by its concurrency instead of its core."""
    count = setting.scaled(sizes.SCALING)
    one = _workers(setting, "waiting", count // 2, workers=1)
    return {"one": one, "two": _workers(setting, "waiting", count, workers=2)}


def scaling_noop(setting: Setting) -> dict[str, float]:
    """Tasks that do nothing; workers may use every core, the server's too."""
    count = setting.scaled(sizes.SCALING)
    one = _workers(setting, "in-flight", count, workers=1, spread=True)
    return {"one": one, "two": _workers(setting, "in-flight", count, workers=2, spread=True)}


def scheduled(setting: Setting) -> dict[str, float]:
    """What an idle worker sends while very many tasks are due some time later."""
    fill(_OURS, setting, "later", setting.scaled(sizes.SCHEDULED))
    return {"commands": idle(_OURS, setting, sizes.SCHEDULED_SECONDS)}


def growth(setting: Setting) -> dict[str, float]:
    """By how much a worker grows over very many tasks, after those that warm it up."""
    warm_up = setting.scaled(sizes.GROWTH_WARM_UP)
    count = warm_up + setting.scaled(sizes.GROWTH)
    fill(_OURS, setting, "in-flight", count)
    worked = work_off(_OURS, setting, count, "--warm-up", str(warm_up))
    return {"megabytes": worked["growth"] / 1e6, "resident": worked["resident"] / 1e6}


def _workers(
    setting: Setting, how: str, count: int, *, workers: int, spread: bool = False
) -> float:
    """How many tasks so many workers run in a second, all let go at once."""
    fill(_OURS, setting, how, count)
    with ExitStack() as stack:
        crew = [
            stack.enter_context(setting.worker(_OURS, 0, "--until-finished"))
            for _ in range(workers)
        ]
        for worker in crew:
            worker.until_ready()
            if spread:
                pin(worker.process, setting.cores.every)
        for worker in crew:
            worker.go()
        worked = [worker.result() for worker in crew]
    expect(sum(one["runs"] for one in worked), count)
    return rate_of([one for one in worked if one["runs"]])
