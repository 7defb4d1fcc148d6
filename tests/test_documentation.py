"""The documentation is executed: what a page shows is what a reader gets.

The blocks of a page, by what stands after the three backticks:

- `python`: together, in order, the page's program. It is run by pytest in a process of its own.
- `python fails`: belongs to the same program; the tests that it defines must fail.
- `text`: lines that the program prints or pytest reports, in this order. `…` stands for anything;
  indentation, pytest's mark for errors and line numbers of the program itself are not compared.
- `console`: a command of this checkout, after `$`, and its exact output.
- `sh`: a set-up command.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from docket_sim.execution.state import TRANSITIONS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(?P<kind>[^\n`]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])


def blocks(page: Path, *kinds: str) -> list[str]:
    found = BLOCK.finditer(page.read_text("utf-8"))
    return [block["text"] for block in found if block["kind"] in kinds]


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    # As where nothing but docket-sim is installed: other plugins have opinions of their own.
    alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": "-p docket"}
    return subprocess.run(
        command,
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        env={**os.environ, **alone},
    )


def shows(output: str, expected: str) -> str | None:
    """The first line of `expected` that does not follow in `output`, or `None`."""
    lines = iter(output.splitlines())
    for wanted in expected.splitlines():
        parts = [re.escape(part) for part in re.split(r"…|(?<=\.py:)\d+", wanted.strip())]
        pattern = re.compile(".*".join(parts))
        if not any(pattern.fullmatch(line.removeprefix("E ").strip()) for line in lines):
            return wanted
    return None


@each_page
def test_every_page_does_what_it_says(page: Path, tmp_path: Path):
    """A page's blocks run as one program; the tests in it pass or fail as announced."""
    program = "\n\n".join(blocks(page, "python", "python fails"))
    tests = TEST.findall(program)
    failing = TEST.findall("\n\n".join(blocks(page, "python fails")))
    file = tmp_path / f"test_{page.stem.lower()}.py"
    # A page without tests still has a program, and pytest wants a test.
    file.write_text(program + "\n\ndef test_the_page_was_read(): pass\n", "utf-8")

    options = ["-rA", "-W", "error", "-p", "no:cacheprovider"]
    done = run([sys.executable, "-m", "pytest", *options, file.name], tmp_path)

    output = done.stdout.replace(f"{tmp_path}/", "")
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S+?(?:::(\w+))?(?: |$)", output, re.MULTILINE))
    passed = set(re.findall(r"^PASSED \S+::(\w+)", output, re.MULTILINE))
    assert failed == set(failing), output + done.stderr
    assert passed == {*tests, "test_the_page_was_read"} - set(failing), output + done.stderr
    assert done.stderr == ""
    for expected in blocks(page, "text"):
        missing = shows(output, expected)
        assert missing is None, f"{page.name} shows a line that is not there:\n{missing}\n{output}"


@each_page
def test_every_command_that_a_page_shows_prints_what_it_shows(page: Path):
    """A `console` block is one command of this checkout and its output, to the letter."""
    for block in blocks(page, "console"):
        command, _, expected = block.partition("\n")
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program == "python"
        done = run([sys.executable, *arguments], ROOT)
        assert (done.stdout, done.stderr, done.returncode) == (expected, "", 0)


@each_page
def test_every_internal_link_leads_somewhere(page: Path):
    """A link that is not a URL names a file of this checkout."""
    for link in LINK.finditer(BLOCK.sub("", page.read_text("utf-8"))):
        target = link["target"].partition("#")[0]
        if target and "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_readme_has_two_set_up_commands():
    """One installs and runs the main job, the other installs and passes all tests."""
    main_job, tests = blocks(ROOT / "README.md", "sh")
    assert main_job == 'python -m pip install -e ".[test]" && python examples/story.py\n'
    assert tests == 'python -m pip install -e ".[dev]" && python -m pytest\n'


def test_the_gate_runs_the_test_command_of_the_readme():
    """What a newcomer is told to run is what `.ci/run` runs."""
    _, command = blocks(ROOT / "README.md", "sh")
    _, _, test_command = command.strip().partition(" && ")
    gate = (ROOT / ".ci" / "run").read_text("utf-8")
    lines = [line.strip() for line in gate.splitlines()]
    assert any(line.endswith((test_command, command.strip())) for line in lines), gate


def test_the_diagram_of_the_lifecycle_is_the_engines_own():
    """`docs/lifecycle.md` draws `TRANSITIONS`: every arrow, and no other."""
    (diagram,) = blocks(ROOT / "docs" / "lifecycle.md", "mermaid")
    arrows = set(re.findall(r"^\s*(\S+) --> (\S+)$", diagram, re.MULTILINE))
    drawn = {arrow for arrow in arrows if "[*]" not in arrow}
    ends = {state for state, end in arrows if end == "[*]"}
    begins = {state for begin, state in arrows if begin == "[*]"}

    assert drawn == {(a.value, b.value) for a, following in TRANSITIONS.items() for b in following}
    assert ends == {state.value for state in TRANSITIONS if state.finished}
    assert begins == {"scheduled", "queued", "blocked"}


def test_a_page_that_promises_too_much_is_caught():
    """The comparison of outputs can fail: for a missing line, a changed one, and a wrong order."""
    output = "first\nby test_page.py:12, attempt 1\nlast\n"
    assert shows(output, "first\nby test_page.py:7, attempt 1\n") is None
    assert shows(output, "fi…\nlast") is None
    assert shows(output, "first\nby test_page.py:12, attempt 2") is not None
    assert shows(output, "last\nfirst") == "first"
