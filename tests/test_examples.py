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


def test_the_examples_own_tests_pass():
    """`examples/test_shop.py` is how a user's own tests look."""
    report = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_shop.py")
    assert "3 passed" in report


def test_the_examples_own_property_tests_pass():
    """`examples/test_retry_policy.py` is how a user tests a policy of their own."""
    report = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_retry_policy.py")
    assert "3 passed" in report


def test_the_example_of_a_double_charge_finds_it_and_mends_it():
    """`examples/test_double_charge.py` is how a user searches, by a function and by a marker."""
    report = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_double_charge.py")
    assert "3 passed" in report


def test_the_example_of_a_retry_storm_finds_one():
    """`examples/test_retry_storm.py` counts attempts in any minute."""
    report = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_retry_storm.py")
    assert "2 passed" in report


def test_the_example_of_a_state_machine_passes_and_finds():
    """`examples/test_state_machine.py` is how a user lets hypothesis use a docket."""
    report = run("-m", "pytest", "-q", "-p", "no:cacheprovider", "examples/test_state_machine.py")
    assert "2 passed" in report


def test_no_example_is_forgotten():
    """A new example has to be listed here."""
    names = {file.stem for file in EXAMPLES.glob("*.py")}
    assert names == {
        *PRINTED,
        "story",
        "test_double_charge",
        "test_retry_policy",
        "test_retry_storm",
        "test_shop",
        "test_state_machine",
    }
