"""`check_determinism`: whether a scenario does the same when the world does the same."""

from collections.abc import Iterable, Mapping
from typing import Any

from docket_sim.search.explore import Scenario, Search
from docket_sim.search.silence import silenced
from docket_sim.search.sources import Walk
from docket_sim.search.token import read_token
from docket_sim.search.twice import TwiceAtFirst
from docket_sim.simulation.choices import Choices, Replay, Site, Source
from docket_sim.simulation.faults.rules import Faults


def check_determinism(
    scenario: Scenario,
    *,
    choices: Mapping[Site, int] | None = None,
    token: str | None = None,
    seed: int = 0,
    faults: str | Faults | Iterable[Faults] | None = "rough",
    workers: int = 2,
    **world: Any,
) -> None:
    """Make one run of `scenario` twice, and see that the same has happened.

        check_determinism(charged_once)
        check_determinism(charged_once, token="ds1-x7Qk")

    Searching and replaying rest on this. What is compared: every event with its time, key, call,
    worker and details; every choice that was asked for; and what the run has failed with. That it
    fails is no matter here.

    It costs two runs. Only when they differ, two more are made, and watched, to tell the cause. The
    order of a set of texts differs only from process to process: `docket-sim explore --jobs 2`
    finds that.

    Args:
        scenario: as for `explore`.
        choices: the choices of the run that are not 0, by label and number.
        token: the token of the run; instead of `choices`.
        seed: what the choices are drawn from where neither `choices` nor `token` is given.
        faults: as for `simulate`.
        workers: how many workers the world has.
        **world: further keywords of `simulate`.

    Raises:
        NotDeterministic: the two differ; it says where first, and why, as far as that can be seen.
        ValueError: both `choices` and a token, or a token that does not fit.
    """
    __tracebackhide__ = True
    search = Search(scenario, {"faults": Faults.of(faults), "workers": workers, **world})
    with silenced():
        TwiceAtFirst(search.attempt, scenario)(Choices(_source(search, choices, token, seed)))


def _source(
    search: Search, choices: Mapping[Site, int] | None, token: str | None, seed: int
) -> Source:
    if choices is not None and token is not None:
        raise ValueError("expected choices or a token, found both")
    if token is not None:
        return read_token(token, search.described)
    return Walk(seed) if choices is None else Replay(choices)
