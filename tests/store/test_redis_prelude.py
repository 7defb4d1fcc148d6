"""What a script is sent of what all scripts share."""

import re

import pytest

from docket_sim.store.redis import scripts
from docket_sim.store.redis.prelude import with_prelude

COMMON = """\
-- What all share.
local PREFIX = KEYS[1]
local WIDTH, HEIGHT = 13, 7 -- digits

if PREFIX == '' then -- always looked at
    return false
end

local function doubled(number)
    return number * 2
end

-- It calls the one above: doubled().
local function fourfold(number)
    return doubled(doubled(number))
end

local function unused(number)
    return fourfold(number)
end
"""


def test_what_a_script_uses_comes_with_it_in_order():
    """What is used by what it uses comes, too, and so does what stands outside of functions."""
    source = with_prelude("return fourfold(2)\n", COMMON)
    places = [source.index(text) for text in ("PREFIX ==", "function doubled", "function fourfold")]
    assert places == sorted(places)
    assert "unused" not in source


def test_what_only_a_comment_names_stays_away():
    """Comments are for readers, and are not sent."""
    source = with_prelude("-- unlike unused()\nreturn doubled(2)\n", COMMON)
    assert "local function unused" not in source
    assert "What all share" not in source


def test_constants_are_written_where_they_are_used():
    """A number costs nothing, while a local is looked for at each run."""
    source = with_prelude("return WIDTH + HEIGHT\n", COMMON)
    assert source.endswith("return 13 + 7\n")
    assert "WIDTH" not in source


@pytest.mark.parametrize("script", scripts.ALL, ids=lambda script: script.name)
def test_no_script_has_a_function_that_it_does_not_use(script):
    """Each name of a local function stands there at least twice."""
    names = re.findall(r"local function (\w+)", script.source)
    assert names
    for name in names:
        assert len(re.findall(rf"\b{name}\b", script.source)) > 1, name
