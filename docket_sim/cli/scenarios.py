"""From `module:scenario` to a function that a search can run, or to one line that says why not."""

import inspect
from difflib import get_close_matches
from typing import Any

from docket_sim.cli.complaints import usage
from docket_sim.cli.loading import import_module, look_here
from docket_sim.search import Scenario

_OF = "SCENARIO"


def load_scenario(path: str) -> Scenario:
    """Import the scenario that `path` names, the current directory first.

    Raises:
        BadParameter: there is none there, or it does not take one world.
        DocketError: its module failed while it was imported.
    """
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise usage(
            f"expected a module and a function in it, such as tests.searches:charged_once, "
            f"found {path!r}",
            of=_OF,
        )
    look_here()
    found: Any = import_module(module_name, of=_OF)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise usage(_missing(module_name, part, found), of=_OF) from None
    _check(path, found)
    scenario: Scenario = found
    return scenario


def _missing(module: str, name: str, holder: object) -> str:
    public = [one for one in dir(holder) if not one.startswith("_")]
    near = " or ".join(get_close_matches(name, public))
    return (
        f"{module} has no {name!r}: expected a function that takes a world"
        f"{f'; did you mean {near}?' if near else ''}"
    )


def _check(path: str, found: object) -> None:
    if not callable(found):
        raise usage(
            f"expected a function that takes a world, found {path} to be "
            f"{type(found).__name__} {found!r:.60}: name the function itself",
            of=_OF,
        )
    try:
        signature = inspect.signature(found)
    except ValueError:  # some built-in ones have none; they are taken at their word
        return
    try:
        signature.bind(object())
    except TypeError:
        raise usage(
            f"expected a function of one parameter, the world (sim), found {path}{signature}: give "
            f"the other parameters defaults, or wrap it in a function of one",
            of=_OF,
        ) from None
