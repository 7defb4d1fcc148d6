"""The public names: sorted, complete, documented, and importable without the extras."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import docket_sim

ROOT = Path(__file__).parents[1]
PUBLIC = [name for name in docket_sim.__all__ if name != "__version__"]


def test_the_names_are_sorted():
    """A sorted list has one place for each name, and merges without conflicts."""
    assert list(docket_sim.__all__) == sorted(docket_sim.__all__)


def test_the_names_are_complete():
    """What the package's front door binds, apart from its rooms, is what it offers."""
    bound = {
        name
        for name, value in vars(docket_sim).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert bound == set(docket_sim.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_documented(name):
    """Help on a public name says what it is."""
    value = getattr(docket_sim, name)
    if not (
        inspect.isclass(value) or inspect.isfunction(value)
    ):  # a value carries no docstring: a page has to explain it
        pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
        assert f"`{name}`" in pages, f"{name} is explained on no page of docs/"
        return
    documentation = inspect.getdoc(value)
    assert documentation, f"{name} has no docstring"
    assert documentation != inspect.getdoc(type(value)), f"{name} only inherits a docstring"


@pytest.mark.parametrize("name", [n for n in PUBLIC if inspect.isclass(getattr(docket_sim, n))])
def test_the_public_methods_of_a_public_class_are_documented(name):
    """So does help on each of its methods, here or where the method was declared first."""
    for method_name, method in inspect.getmembers(getattr(docket_sim, name)):
        if method_name.startswith("_") or not inspect.isroutine(method):
            continue
        module = getattr(method, "__module__", None) or ""
        if module.startswith("docket_sim"):
            assert inspect.getdoc(method), f"{name}.{method_name} has no docstring"


def test_importing_the_package_loads_none_of_the_extras():
    """A production process does not pay for what tests need."""
    program = (
        "import sys, docket_sim; "
        "print([m for m in ('pytest', 'hypothesis', 'freezegun', 'fakeredis', 'redis') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_plugin_does_not_load_the_engine_before_a_test_asks_for_it():
    """A test run that does not use the fixture does not pay for the engine."""
    program = "import sys, pytest_docket.plugin; print('docket_sim' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
