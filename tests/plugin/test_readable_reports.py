"""What a failing test shows is the user's own: no frames of the engine, no long keys, no noise."""


def test_two_tallies_are_compared_count_by_count(run):
    """Only the counts that differ are shown."""
    result = run("""
    async def test_tally(sim):
        await sim.docket.add(succeeds)()
        assert await sim.run_until_idle() == Tally(succeeded=2, retried=1)
    """)
    result.stdout.fnmatch_lines(
        [
            "E*assert Tally(succeeded=1) == Tally(succeeded=2, retried=1)",
            "E*succeeded: 1 on the left, 2 on the right",
            "E*retried: 0 on the left, 1 on the right",
        ]
    )
    result.stdout.no_fnmatch_line("*failed: *on the left*")


def test_a_traceback_begins_in_the_tasks_own_code(run):
    """In the report and in the log: what the engine did before is of no use to the reader."""
    result = run("""
    async def test_failure(sim):
        await sim.docket.add(fails)()
        await sim.run_until_idle()
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ['*raise LookupError("card declined")*', "*UnseenFailures: an exec*"]
    )
    result.stdout.no_fnmatch_line("*perform.py*")
    assert result.stdout.str().count("UnseenFailures: an execution ended failed") == 1


def test_a_generated_key_is_shown_by_its_last_digits(run):
    """It is unique among those of a test, and leaves room for the rest of the line."""
    result = run("""
    async def test_key(sim):
        execution = await sim.docket.add(succeeds)()
        await sim.run_until_idle()
        lines = str(sim.timeline).splitlines()
        assert all(f"  …{execution.key[-8:]}  " in line for line in lines)
        assert execution.key not in str(sim.timeline)
        await sim.docket.add(succeeds, key="mine")()
        await sim.run_until_idle()
        assert "  mine  " in str(sim.timeline)
    """)
    result.assert_outcomes(passed=1)
