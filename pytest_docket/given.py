"""What hypothesis raises of its own accord, told without loading it: it need not be installed."""

HINT = """\
The fixture sim is one world for all examples of @given. Make a world for each of them instead:

    from docket_sim import simulate

    @given(...)
    def test(...):
        with simulate() as sim:
            sim.run(sim.docket.add(task)())
            sim.run(sim.run_until_idle())

docket_sim.strategies has what such a test draws from: policies, schedules, faults."""


def is_of_hypothesis(error: BaseException | None) -> bool:
    """Whether hypothesis says how the test is written or run, and not what the test has found."""
    return type(error).__module__ == "hypothesis.errors"


def refuses_fixture(error: BaseException | None) -> bool:
    """Whether hypothesis refuses a fixture that is the same for all examples."""
    return is_of_hypothesis(error) and "function-scoped fixture" in str(error)
