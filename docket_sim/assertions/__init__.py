"""What a test asserts of scheduled work, and the messages that say why it is not so."""

from docket_sim.assertions.assertions import Assertions
from docket_sim.assertions.calls import ExpectedCall, any_call, call
from docket_sim.assertions.evidence import Evidence, place
from docket_sim.assertions.history import History, Run
from docket_sim.assertions.observed import Observed
from docket_sim.assertions.recording import Recording
from docket_sim.assertions.search import Duration, Instant, What

__all__ = [
    "Assertions",
    "Duration",
    "Evidence",
    "ExpectedCall",
    "History",
    "Instant",
    "Observed",
    "Recording",
    "Run",
    "What",
    "any_call",
    "call",
    "place",
]
