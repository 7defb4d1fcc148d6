"""The log of a test with a world: it tells virtual time, and whose attempt it was."""

WORK = """
    import logging

    logger = logging.getLogger("shop")

    async def charge():
        await asyncio.sleep(3)
        logger.warning("charging\\nin two lines")

"""


def test_the_captured_log_shows_the_virtual_time_and_the_key(run):
    """Outside of tasks there is no key; a record of several lines is marked at its beginning."""
    result = run(
        WORK
        + """
    async def test_red(sim, caplog):
        logger.warning("the test begins")
        await sim.docket.add(charge, key="order-7")()
        await sim.run_until_idle()
        lines = caplog.text.splitlines()
        assert lines[0].startswith("+0s | WARNING  shop:test_shop.py")
        assert lines[1].startswith("+3s order-7 | WARNING  shop:test_shop.py")
        assert lines[2].strip() == "in two lines"
        assert caplog.messages[:2] == ["the test begins", "charging\\nin two lines"]
        assert caplog.records[0].message == "the test begins"
        assert False
    """
    )
    result.stdout.fnmatch_lines(
        [
            "E*assert False",
            "*- Captured log call -*",
            "+0s | WARNING  shop:test_shop.py:* the test begins",
            "+3s order-7 | WARNING  shop:test_shop.py:* charging",
            "in two lines",
        ]
    )


def test_the_engines_own_lines_bear_the_key_that_they_are_about(run):
    """They are logged by the worker, outside of the attempt."""
    result = run(
        """
    async def test_red(sim):
        await sim.docket.add(fails, key="order-7")()
        await sim.run_until_idle()
    """
    )
    result.stdout.fnmatch_lines(["+0s order-7 | ERROR    docket_sim:logs.py:* failed fails()*"])


def test_the_time_of_day_in_the_log_is_virtual_whether_or_not_it_is_frozen(run):
    """`%(asctime)s` agrees with the world's clock; an unfrozen record itself keeps real time."""
    result = run(
        WORK
        + """
    @pytest.mark.parametrize("frozen", [
        pytest.param(True, marks=pytest.mark.docket(freeze=True)),
        pytest.param(False, marks=pytest.mark.docket(freeze=False)),
    ])
    @pytest.mark.docket(start="2001-02-03T12:00:00Z")
    async def test_time(sim, caplog, frozen):
        await asyncio.sleep(90.25)
        logger.warning("look")
        local = datetime.fromtimestamp(sim.clock.now().timestamp())
        assert f"{local:%Y-%m-%d %H:%M:%S} 250 look" in caplog.text
        assert (caplog.records[0].created == sim.clock.now().timestamp()) is frozen
        assert caplog.records[0].msecs == 250 or not frozen
    """,
        *("-o", "log_format=%(asctime)s %(msecs)d %(message)s"),
        *("-o", "log_date_format=%Y-%m-%d %H:%M:%S"),
    )
    result.assert_outcomes(passed=2)


def test_live_logs_and_log_files_show_it_too(pytester, run):
    """They are other handlers of the same plugin."""
    result = run(
        WORK
        + """
    async def test_green(sim):
        await sim.docket.add(charge, key="order-7")()
        await sim.run_until_idle()
    """,
        *("--log-cli-level=WARNING", "--log-file=log.txt", "--log-file-level=WARNING"),
    )
    result.stdout.fnmatch_lines(["+3s order-7 | WARNING  shop:test_shop.py:* charging"])
    assert (pytester.path / "log.txt").read_text().startswith("+3s order-7 | WARNING  shop:")


def test_the_log_of_other_tests_is_as_it_was(run):
    """Before and after a world, and where the user has put a formatter of their own."""
    result = run(
        WORK
        + """
    def test_before(caplog):
        logger.warning("look")
        assert caplog.text.startswith("WARNING  shop:")

    def test_world(sim, caplog):
        logger.warning("look")
        assert caplog.text.startswith("+0s | WARNING  shop:")

    def test_formatter(sim, caplog, monkeypatch):
        monkeypatch.setattr(caplog.handler, "formatter", logging.Formatter("mine: %(message)s"))
        logger.warning("look")
        assert caplog.text == "mine: look\\n"

    def test_after(caplog):
        logger.warning("look")
        assert caplog.text.startswith("WARNING  shop:")
    """
    )
    result.assert_outcomes(passed=4)


def test_a_world_does_without_pytests_logging(run):
    """`-p no:logging` takes the handlers away."""
    result = run("    def test_world(sim): ...", "-p", "no:logging")
    result.assert_outcomes(passed=1)
