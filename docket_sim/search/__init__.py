"""The search: many runs of one scenario, until one fails; it is shrunk, shown and replayed."""

from docket_sim.search.determinism import check_determinism
from docket_sim.search.explore import Scenario, explore
from docket_sim.search.explorer import Exploration, Found

__all__ = ["Exploration", "Found", "Scenario", "check_determinism", "explore"]
