"""The failures that nobody has looked at: a hidden one is to fail the test."""

from collections.abc import Callable

from docket_sim.assertions import Run
from docket_sim.clock.durations import short
from docket_sim.entropy import short_key
from docket_sim.errors import UnseenFailures, error_text, own_traceback
from docket_sim.events import ErrorRead, Event, Finished, Superseded
from docket_sim.execution import ExecutionState, TaskCall
from docket_sim.simulation.timeline import Timeline

Failure = Finished | Superseded
"""How a run failed for good; a superseded one is not retried, and its failure is nowhere kept."""


class Failures:
    """The executions that ended failed, until they are acknowledged, and what broke the run itself.

    Attributes:
        unseen: the failures that nobody has acknowledged.
    """

    def __init__(self, timeline: Timeline, describe: Callable[[TaskCall], str]) -> None:
        """
        Args:
            timeline: whose start the times in messages count from.
            describe: gives a call as it reads in code.
        """
        self.unseen: list[Failure] = []
        self._broken: BaseException | None = None
        self._timeline = timeline
        self._describe = describe

    def notify(self, event: Event) -> None:
        """Note a failure."""
        if isinstance(event, Failure) and event.state is ExecutionState.FAILED:
            self.unseen.append(event)

    def note_broken(self, error: BaseException) -> None:
        """Note what has broken the run, a task or a planted action; the first is reported."""
        self._broken = self._broken or error

    def forget(self, error: BaseException) -> None:
        """Take note that the caller has had `error` already."""
        if error is self._broken:
            self._broken = None

    def acknowledge(self) -> list[Failure]:
        """The failures that nobody has acknowledged, which is done herewith."""
        seen, self.unseen = self.unseen, []
        return seen

    def acknowledge_run(self, seen: Run) -> None:
        """Somebody has looked at the failure of `seen`; other runs of a perpetual are others."""
        if seen.ended_event is not None:
            ended = self._timeline.events[seen.ended_event]
            self.unseen = [failure for failure in self.unseen if failure is not ended]

    def acknowledge_read(self, read: ErrorRead) -> None:
        """Somebody has read what an execution failed with in the end."""
        self.unseen = [failure for failure in self.unseen if not _is_end_of(failure, read.call)]

    def raise_broken(self) -> None:
        """Raise what a task did to the run, if anything."""
        __tracebackhide__ = True
        broken, self._broken = self._broken, None
        if broken is not None:
            raise broken

    def raise_unseen(self) -> None:
        """Raise if there are failures that nobody has acknowledged.

        Raises:
            UnseenFailures: there are; they count as acknowledged herewith.
        """
        __tracebackhide__ = True
        failures = self.acknowledge()
        if not failures:
            return
        count = f"{len(failures)} executions" if len(failures) > 1 else "an execution"
        lines = "\n".join(f"  {self._line(failure)}" for failure in failures)
        for failure in failures:
            if failure.error is not None:
                failure.error.__traceback__ = own_traceback(failure.error)
        raise UnseenFailures(
            f"{count} ended failed, and nothing acknowledged it:\n{lines}\n"
            f"If that is meant, say sim.acknowledge_failures(), or allow_failures=True."
        ) from failures[0].error

    def _line(self, failure: Failure) -> str:
        call = failure.call
        return (
            f"{self._describe(call)} [{short_key(call.key)}] "
            f"at +{short(failure.at - self._timeline.start)}, attempt {call.attempt}"
            + (f": {error_text(failure.error)}" if failure.error is not None else "")
        )


def _is_end_of(failure: Failure, call: TaskCall) -> bool:
    """Whether an execution has ended with that failure, and not only a run of it."""
    same = (failure.call.key, failure.call.generation) == (call.key, call.generation)
    return same and isinstance(failure, Finished) and failure.next_run is None
