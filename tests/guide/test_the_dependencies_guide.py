"""The dependencies guide, first part: no block of it is lost, and those on context, retries and
timeouts run as written and do what the prose around them says.
"""

import ast
import asyncio
from datetime import timedelta
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest
from guide_document import open_names, read_document
from guide_helpers import seconds, starts, the_failure

from docket_sim import Retry, Simulation, Tally

SUPPLIED = """
    APIClient AuthService DEFAULT_CONFIG LoggerAdapter MetricsClient UserService acquire_file_lock
    database fetch_user fetch_user_permissions fetch_user_preferences http_client load_config
    logging longer_operation os personalize_email process_chunk_data process_data
    process_dataset_phase_one process_dataset_phase_two process_file_safely process_important_data
    quick_check random redis release_file_lock send_email sync_critical_data
"""


class Flaky:
    """A service that fails a number of times, whatever it is asked, before it answers."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.asked: list[str] = []

    async def get(self, url: str) -> "Flaky":
        self.asked.append(url)
        return self

    def raise_for_status(self) -> None:
        if len(self.asked) <= self.failures:
            raise ConnectionError(f"503 for the {len(self.asked)}. time")


# The document itself.


def test_the_document_has_seventeen_blocks_and_what_is_between_them_is_prose():
    """A block of code that the extraction took for prose would go untested."""
    blocks, prose = read_document()

    assert len(blocks) == 17
    assert len(prose) == 43
    for line in prose:
        with pytest.raises(SyntaxError):
            ast.parse(line)


def test_every_block_is_complete():
    """A block that was cut short or runs into prose would not parse, or would lose a function."""
    blocks, _ = read_document()

    for block in blocks:
        functions = [node for node in ast.parse(block.source).body if hasattr(node, "args")]
        assert [function.name for function in functions] == block.functions
    assert sum(len(block.functions) for block in blocks) == 31


def test_only_the_import_name_is_changed():
    """What runs is the guide's own text, `from docket` apart."""
    changed = 0
    for block in read_document()[0]:
        pairs = zip(block.source.splitlines(), block.runnable.splitlines(), strict=True)
        for written, run in pairs:
            assert run in (written, written.replace("from docket import", "from docket_sim import"))
            changed += run != written

    assert changed == 8


def test_the_application_supplies_only_what_the_guide_leaves_open():
    """Nothing that the guide imports or defines is replaced by a stand-in."""
    assert open_names(read_document()[0]) == set(SUPPLIED.split())


def test_every_function_of_the_guide_is_run_by_some_test(guide):
    """A test names it, or names a task that needs it."""
    here = Path(__file__).parent
    named = {
        node.attr
        for path in here.glob("test_the_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        if node.value.id in ("guide", "focused")
    }
    needed = set().union(*(_needs(guide, name) for name in named))

    assert {name for block in read_document()[0] for name in block.functions} <= named | needed


def _needs(guide: ModuleType, name: str) -> set[str]:
    """The guide's functions that `name` calls or depends on, to any depth."""
    function = getattr(guide, name, None)
    if not isinstance(function, FunctionType):
        return set()
    names = set(function.__code__.co_names)
    for default in function.__defaults__ or ():
        factory = getattr(default, "factory", None)
        if factory is not None:
            code: CodeType = getattr(factory, "__wrapped__", factory).__code__
            names |= {factory.__name__, *code.co_names}
    names &= {each for each in vars(guide) if each != name}
    return names.union(*(_needs(guide, each) for each in names))


# Built-in context dependencies.


async def test_poll_for_file_looks_again_every_30_seconds_until_the_file_is_there(
    guide, sim, tmp_path
):
    """A task that is given its docket can schedule its own next run."""
    path = tmp_path / "report.csv"
    await sim.docket.add(guide.poll_for_file)(str(path))
    assert await sim.run_for(timedelta(seconds=75)) == Tally(succeeded=3)

    path.touch()

    assert await sim.run_until_idle() == Tally(succeeded=1)
    assert starts(sim) == seconds(0, 30, 60, 90)
    assert guide.printed == [f"File {path} found!"]


async def test_process_data_chunk_schedules_the_next_chunk_under_a_related_key(guide, sim):
    """A chain of work can be followed by its keys."""
    processed: list[tuple[int, int]] = []

    async def process_chunk_data(dataset_id: int, chunk: int) -> None:
        processed.append((dataset_id, chunk))

    guide.process_chunk_data = process_chunk_data
    await sim.docket.add(guide.process_data_chunk, key="dataset-7")(7, 1, 3)

    assert await sim.run_until_idle() == Tally(succeeded=3)

    assert processed == [(7, 1), (7, 2), (7, 3)]
    keys = [moment.key for moment in sim.timeline if moment.what == "completed"]
    assert keys == ["dataset-7", "dataset-7-chunk-2", "dataset-7-chunk-3"]
    assert guide.printed[-1] == "Processing chunk 3/3 for dataset 7"


@pytest.mark.docket(concurrency=25)
async def test_diagnostic_task_sees_its_worker_and_its_execution(guide, sim):
    """What a task prints about itself is what its worker and execution are."""
    due = sim.clock.now() + timedelta(hours=1)
    await sim.docket.add(guide.diagnostic_task, when=due, key="check")()

    assert await sim.run_until_idle() == Tally(succeeded=1)

    assert guide.printed == [
        "Running on worker: worker-1",
        "Task key: check",
        f"Scheduled at: {due}",
        "Worker concurrency: 25",
    ]


# Advanced retry patterns.


async def test_call_external_api_is_retried_after_1_2_4_and_8_seconds(guide, sim):
    """Exponential backoff waits twice as long each time; five attempts are four delays."""
    guide.http_client = Flaky(failures=4)
    await sim.docket.add(guide.call_external_api)("https://example.org")

    assert await sim.run_until_idle() == Tally(succeeded=1, retried=4)

    assert starts(sim) == seconds(0, 1, 3, 7, 15)
    assert guide.http_client.asked == ["https://example.org"] * 5
    assert guide.printed[0] == "Attempt 1 failed: 503 for the 1. time"
    assert guide.printed[-1] == "API call succeeded on attempt 5"


async def test_call_external_api_gives_up_after_its_fifth_attempt(guide, sim):
    """When the attempts are used up, the last error is the task's."""
    guide.http_client = Flaky(failures=99)
    await sim.docket.add(guide.call_external_api)("https://example.org")

    assert await sim.run_until_idle() == Tally(failed=1, retried=4)
    assert str(the_failure(sim)) == "503 for the 5. time"


async def test_critical_data_sync_is_retried_every_5_minutes_until_it_succeeds(guide, sim):
    """`attempts=None` never gives up, and time that passes in waiting costs the test nothing."""
    source = Flaky(failures=250)

    async def sync_critical_data(source_url: str) -> None:
        (await source.get(source_url)).raise_for_status()

    guide.sync_critical_data = sync_critical_data
    await sim.docket.add(guide.critical_data_sync)("https://example.org")

    assert await sim.run_until_idle() == Tally(succeeded=1, retried=250)
    assert starts(sim) == seconds(*range(0, 251 * 300, 300))
    assert guide.printed == ["Critical sync completed after 251 attempts"]


# Task timeouts.


class Phases:
    """Work whose two phases take as many minutes as it is told."""

    def __init__(self, first: float, second: float = 0) -> None:
        self.minutes = {"one": first, "two": second}
        self.ended: list[str] = []

    async def _work(self, phase: str) -> None:
        try:
            await asyncio.sleep(60 * self.minutes[phase])
        except asyncio.CancelledError:
            await asyncio.sleep(1)  # cleaning up takes its time
            self.ended.append(f"{phase} cancelled")
            raise
        self.ended.append(f"{phase} done")

    async def one(self, large_dataset: object = None) -> None:
        await self._work("one")

    async def two(self, large_dataset: object = None) -> None:
        await self._work("two")


async def _process(guide: ModuleType, sim: Simulation, phases: Phases) -> Tally:
    guide.process_dataset_phase_one = phases.one
    guide.process_dataset_phase_two = phases.two
    await sim.docket.add(guide.data_processing_task, key="nightly")({"rows": [1, 2, 3]})
    return await sim.run_until_idle()


async def test_data_processing_task_is_cancelled_when_it_runs_longer_than_10_minutes(guide, sim):
    """The body is cancelled, its cleanup awaited, and the error names task, key and limit."""
    phases = Phases(first=11)

    assert await _process(guide, sim, phases) == Tally(failed=1, timed_out=1)

    assert phases.ended == ["one cancelled"]
    assert sim.clock.elapsed == timedelta(minutes=10, seconds=1)
    error = the_failure(sim)
    assert type(error) is TimeoutError
    assert all(part in str(error) for part in ("data_processing_task", "nightly", "0:10:00"))


async def test_data_processing_task_extends_its_timeout_by_5_minutes_for_phase_two(guide, sim):
    """`extend(by)` moves the deadline: 14 minutes are fine for a task that began with 10."""
    phases = Phases(first=9, second=5)

    assert await _process(guide, sim, phases) == Tally(succeeded=1)
    assert phases.ended == ["one done", "two done"]


async def test_data_processing_task_is_cancelled_at_its_extended_deadline(guide, sim):
    """An extension is not the end of the limit: at 15 minutes it holds."""
    phases = Phases(first=9, second=7)

    assert await _process(guide, sim, phases) == Tally(failed=1, timed_out=1)
    assert sim.clock.elapsed == timedelta(minutes=15, seconds=1)
    assert "0:15:00" in str(the_failure(sim))


@pytest.mark.parametrize(
    ("second", "tally"),
    [(2.9, Tally(succeeded=1)), (3.1, Tally(failed=1, timed_out=1))],
    ids=["within", "beyond"],
)
async def test_adaptive_timeout_task_extends_by_its_base_timeout(guide, sim, second, tally):
    """`extend()` without a duration adds the original one: 2 minutes become 4."""
    phases = Phases(first=1, second=second)
    guide.quick_check = phases.one
    guide.longer_operation = phases.two
    await sim.docket.add(guide.adaptive_timeout_task)()

    assert await sim.run_until_idle() == tally
    sim.acknowledge_failures()


@pytest.mark.docket(dependencies=[Retry(attempts=2, delay=timedelta(minutes=1))])
async def test_a_task_that_times_out_is_retried_according_to_its_retry_policy(guide, sim):
    """Timeouts work alongside retries: here the worker gives the guide's task a policy."""
    phases = Phases(first=11)

    assert await _process(guide, sim, phases) == Tally(failed=1, retried=1, timed_out=2)
    assert starts(sim) == seconds(0, 661)
    sim.acknowledge_failures()
