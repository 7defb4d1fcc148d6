"""The sizes of the work, the same for every library that does it."""

WORLDS = 40
"""How many worlds, or fixtures, one process makes one after another."""

TASKS = 1_000
CONCURRENCY = 10
WARM_UP = 100
"""How many tasks run before those whose memory is measured, in a world of their own."""

ATTEMPTS = 5
RUNS = 24 * 365

SLEEPERS = 10_000
SLEEPER_HORIZON = 3_600.0
"""Sleepers wake at random instants within so many seconds."""

BATCHES = 5
"""How often one process repeats what is short, after a first time that does not count."""

EXAMPLES = 100
"""How many examples a test with hypothesis has."""

EXAMPLES_IN_REAL_TIME = 20

STARTS = 40
"""How many pairs of test runs are started, with the plugin and without."""
