"""The house rules that a reader relies on: imports go downward, and rooms stay small."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("docket_sim", "pytest_docket")
FLOORS = {
    "errors": 1,
    "clock": 1,
    "entropy": 1,
    "events": 1,
    "codec": 1,
    "execution": 1,
    "settings": 1,
    "store": 2,
    "dependencies": 3,
    "task": 4,
    "perform": 4,
    "lookup": 5,
    "scheduling": 5,
    "logs": 5,
    "docket": 5,
    "worker": 6,
    "simulation": 7,
    "assertions": 7,
    "cli": 8,
    "strategies": 8,
    "search": 8,
    "pytest_docket": 8,
}
# A dependency may ask for the docket and the worker that run it, so these files name them; in
# annotations alone.
NAMES_ROOMS_ABOVE = {"docket_sim/dependencies/context.py", "docket_sim/dependencies/current.py"}
MODULE_LINES = 300
FUNCTION_LINES = 50

MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def room_of(module: str) -> str | None:
    """The room that a dotted module name lies in, or None for one that is not ours."""
    parts = module.split(".")
    if parts[0] == "pytest_docket":
        return "pytest_docket"
    return parts[1] if parts[0] == "docket_sim" and len(parts) > 1 else None


def imports_of(path: Path, *, typing_only: bool) -> Iterator[str]:
    """The modules that a file imports; those under `if TYPE_CHECKING:` only if asked for."""
    tree = ast.parse(path.read_text())
    if not typing_only:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def code_lines(source: str) -> set[int]:
    """The lines that hold code: no blank lines, comments or docstrings."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docstrings.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    idle = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in idle:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines - docstrings


def name_of(path: Path) -> str:
    """The path from the project's root, for messages and test ids."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_room_imports_only_from_its_own_floor_or_below(path):
    """A reader who knows a floor need not know those above it."""
    relative = path.relative_to(ROOT)
    own = room_of(".".join(relative.with_suffix("").parts))
    if relative.parts[0] == "docket_sim" and len(relative.parts) == 2 and path.stem == "__init__":
        return  # the front door shows every room
    assert own in FLOORS, f"{relative} is in a room without a floor: add it to the map"
    typing_only = name_of(path) not in NAMES_ROOMS_ABOVE
    rooms = {room_of(module) for module in imports_of(path, typing_only=typing_only)} - {None}
    above = {room for room in rooms if FLOORS[room] > FLOORS[own]}
    assert not above, f"{relative}, on floor {FLOORS[own]}, imports from above: {above}"


def test_the_check_of_the_floors_sees_a_forbidden_import(tmp_path):
    """A planted violation is caught, also one that only a type checker would run."""
    planted = tmp_path / "planted.py"
    planted.write_text("if TYPE_CHECKING:\n    from docket_sim.worker import Worker\n")
    assert list(imports_of(planted, typing_only=True)) == ["docket_sim.worker"]
    assert list(imports_of(planted, typing_only=False)) == []
    assert room_of("docket_sim.worker.leases") == "worker"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_small_enough_to_be_read_in_one_sitting(path):
    """A long module hides a noun that deserves a file of its own."""
    count = len(code_lines(path.read_text()))
    assert count <= MODULE_LINES, f"{name_of(path)} has {count} lines of code"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_function_fits_a_screen(path):
    """A function that does not fit a screen is two functions."""
    source = path.read_text()
    lines = code_lines(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = len(lines & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
            assert size <= FUNCTION_LINES, f"{name_of(path)}: {node.name} has {size} lines"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_opens_by_saying_what_it_is_for(path):
    """The first sentence of a file tells whether one has to read on."""
    assert ast.get_docstring(ast.parse(path.read_text())), f"{name_of(path)} has no docstring"


def test_the_map_of_the_building_in_the_front_door_names_every_room():
    """The floors that a reader is shown first are those that are enforced here."""
    front_door = ast.get_docstring(ast.parse((ROOT / "docket_sim/__init__.py").read_text())) or ""
    lines = [line.strip() for line in front_door.splitlines()]
    floors = {int(line[0]): line for line in lines if line[:1].isdigit()}
    for room, floor in FLOORS.items():
        assert room in floors[floor], f"{room} is missing on floor {floor}"


def test_coverage_is_measured_without_exemptions():
    """A line that no test runs shows up as such."""
    marker = "pragma" + ": no cover"
    assert not [name_of(path) for path in MODULES if marker in path.read_text()]
