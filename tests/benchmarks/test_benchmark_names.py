"""Every benchmark that `make bench` knows is there, and every one that is there is known."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.__main__ import NAMES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks"


def source_of(name):
    """Return the syntax of the module, or of the package, that a benchmark is."""
    path = FOLDER.joinpath(*name.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    return ast.parse(file.read_text(encoding="utf-8"))


def runs(tree):
    """Return what a module offers as `run`: its functions and what it imports by that name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == "run":
            yield [argument.arg for argument in node.args.kwonlyargs], node.args.args
        if isinstance(node, ast.ImportFrom) and "run" in [alias.name for alias in node.names]:
            yield from runs(source_of(node.module.removeprefix("benchmarks.")))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_is_run_with_quick_alone(name):
    assert list(runs(source_of(name))) == [(["quick"], [])]


def test_no_benchmark_of_models_is_forgotten():
    found = {
        f"models.{path.stem}"
        for path in (FOLDER / "models").glob("*.py")
        if path.stem != "__init__" and list(runs(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {name for name in NAMES if name.startswith("models.")}
    assert {"models.temporal", "models.speed", "models.cold_items"} <= found


def test_a_name_that_is_none_is_answered_with_the_names():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "models.nothing"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "models.temporal" in done.stderr


def test_scripts_of_rivals_know_nothing_of_this_project():
    """They run where it is not installed."""
    for path in (FOLDER / "models").glob("peer_*.py"):
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in getattr(node, "names", [])]
            )
        }
        assert "rectools" in imported
        assert not [name for name in imported if name.split(".")[0] in ("endcap", "benchmarks")]
