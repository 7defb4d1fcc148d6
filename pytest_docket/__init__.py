"""The pytest plugin of docket-sim: a simulated world as a fixture."""
