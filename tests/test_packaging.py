"""The package as a stranger gets it: built, installed alone, and put to work."""

import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROGRAM = """
import asyncio
from docket_sim import Depends, Docket, Worker

async def get_greeting():
    yield "hello"

async def greet(name: str, greeting=Depends(get_greeting)) -> str:
    return f"{greeting} {name}"

async def main():
    async with Docket(url="memory://") as docket, Worker(docket) as worker:
        execution = await docket.add(greet)("world")
        await worker.run_until_finished()
        print(await execution.get_result())

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that the project's own build makes."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_carries_both_packages_their_types_and_the_plugin(wheel):
    """Type checkers read the annotations, and pytest finds the plugin by its entry point."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(name for name in names if name.endswith("entry_points.txt"))
        assert "docket = pytest_docket.plugin" in archive.read(entry_points).decode()
    assert {"docket_sim/py.typed", "pytest_docket/py.typed"} <= set(names)
    assert "docket_sim/store/redis/lua/claim.lua" in names
    assert not [name for name in names if name.startswith(("tests/", "examples/"))]


def test_the_wheel_alone_runs_a_worker(wheel, tmp_path):
    """Without any extra, in an environment of its own, a task is scheduled, run and read back."""
    venv.create(tmp_path / "clean")
    python = tmp_path / "clean" / "bin" / "python"
    # The pip of this environment serves: one in the other would take longer than all the rest.
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check"]
    installed = subprocess.run(
        [*pip, "install", "--quiet", str(wheel)], capture_output=True, text=True
    )
    assert installed.returncode == 0, installed.stderr
    listed = subprocess.run(
        [*pip, "list", "--format=freeze"], capture_output=True, text=True, check=True
    )
    assert "docket-sim==" in listed.stdout
    present = {line.partition("==")[0].lower() for line in listed.stdout.splitlines()}
    assert not present & {"pytest", "hypothesis", "freezegun", "fakeredis", "redis"}
    ran = subprocess.run([str(python), "-c", PROGRAM], capture_output=True, text=True, cwd=tmp_path)
    assert ran.stdout == "hello world\n", ran.stderr
