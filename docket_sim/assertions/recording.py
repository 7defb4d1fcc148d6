"""A recording: what happened while one block of a test ran."""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from docket_sim.assertions.assertions import Assertions
from docket_sim.assertions.evidence import Evidence, Window
from docket_sim.events import Event


class Recording(Assertions):
    """The assertions, for what happened while a block ran: what was scheduled, and what ended.

        with sim.recording() as rec:
            await sim.run_due()
        rec.assert_scheduled(review, due_in="1d")

    Attributes:
        first, last: the numbers of the events with which it begins and, once it is over, ends.
    """

    def __init__(self, evidence: Evidence, events: Sequence[Event]) -> None:
        """
        Args:
            evidence: what is looked at.
            events: what has happened; it grows.
        """
        super().__init__(evidence.during(self._window))
        self._events = events
        self.first = len(events)
        self.last: int | None = None

    @property
    def events(self) -> list[Event]:
        """What happened, as the engine told it."""
        return list(self._events[self.first : self.last])

    def __enter__(self) -> Self:
        self.first = len(self._events)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.last = len(self._events)

    def _window(self) -> Window:
        return Window(self.first, self.last)
