"""The laboratory: the engine on a virtual clock, in a world of its own."""

from docket_sim.simulation.faults.rules import Faults
from docket_sim.simulation.loop import VirtualLoop
from docket_sim.simulation.rates import Rates, Window
from docket_sim.simulation.script import Hangs, Raises, Returns, Runs, ScriptedOutcome, Takes
from docket_sim.simulation.simulation import Simulation
from docket_sim.simulation.stand_ins import RecordedCall, StandIn
from docket_sim.simulation.tally import Tally
from docket_sim.simulation.timeline import Moment, Timeline

__all__ = [
    "Faults",
    "Hangs",
    "Moment",
    "Raises",
    "Rates",
    "RecordedCall",
    "Returns",
    "Runs",
    "ScriptedOutcome",
    "Simulation",
    "StandIn",
    "Takes",
    "Tally",
    "Timeline",
    "VirtualLoop",
    "Window",
    "simulate",
]

simulate = Simulation
"""A simulation, to be entered: `with simulate() as sim`."""
