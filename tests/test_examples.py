"""Every example runs, and prints what it is meant to show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"

PRINTED = {
    "nightly_report": """\
32 nights, from March 01 03:00 to April 01 03:00
March 17: OSError('the disk is full'), and it went on the night after
""",
    "own_dependency": """\
order-42, attempt 1: sells 2, which leaves 3
order-42, attempt 2: sells 2, which leaves 3
in stock: 3
""",
    "real_time_worker": """\
Ada will be greeted, says worker-1
completed: hello, Ada
""",
    "shared_pool": """\
the pool opens
  begin     seat-1
  begin     seat-2
  begin     seat-3
  book      seat 1
  commit    seat-1
  book      seat 2
  commit    seat-2
  rollback  seat-3
the pool closes
""",
    "shop": "",
}

TESTS = {
    "test_double_charge": 3,
    "test_retry_policy": 3,
    "test_retry_storm": 2,
    "test_shop": 3,
    "test_state_machine": 2,
}
"""How many tests each of those that pytest runs has."""


def run(*arguments: str, cwd: Path = ROOT) -> str:
    """The output of a Python process that must succeed and complain of nothing."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p docket"},
    )
    assert (done.stderr, done.returncode) == ("", 0), done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_shows(name: str):
    """Its output is the same in every run."""
    assert run(f"examples/{name}.py") == PRINTED[name]


def test_the_story_is_the_one_in_the_readme(tmp_path: Path):
    """The main job prints what the README shows, to the letter and wherever it is started from."""
    readme = (ROOT / "README.md").read_text("utf-8")
    _, _, shown = readme.partition("$ python examples/story.py\n")
    story = run(str(EXAMPLES / "story.py"), cwd=tmp_path)
    assert shown.startswith(f"{story}```\n")
    assert max(map(len, story.splitlines())) <= 110, "a line does not fit a terminal"


@pytest.mark.parametrize("name", TESTS)
def test_the_tests_among_the_examples_pass(name: str):
    """They are how a user's own tests look; each says itself what it shows."""
    report = run("-m", "pytest", "-q", "-p", "no:cacheprovider", f"examples/{name}.py")
    assert f"{TESTS[name]} passed" in report


def test_no_example_is_forgotten():
    """A new example has to be listed here."""
    names = {file.stem for file in EXAMPLES.glob("*.py")}
    assert names == {*PRINTED, *TESTS, "story"}
