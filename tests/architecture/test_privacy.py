"""Using Endcap writes nothing outside the checkout and tells nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

USE_A_NETWORK = """
import onnx, onnxruntime
from onnx import TensorProto, helper

value = helper.make_tensor_value_info
graph = helper.make_graph(
    [helper.make_node("Identity", ["x"], ["y"])], "graph",
    [value("x", TensorProto.FLOAT, [1])], [value("y", TensorProto.FLOAT, [1])],
)
opset = [helper.make_opsetid("", 18)]
model = helper.make_model(graph, opset_imports=opset, ir_version=9)
onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": [1.0]})
"""


def files_in_home_after(code, home, **environment):
    """Return what a new process wrote into its home, somewhere that is not known to be CI."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ORT_", "XDG_"))}
    for name in ("CI", "GITHUB_ACTIONS", "TF_BUILD", "PYTEST_CURRENT_TEST"):
        kept.pop(name, None)
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=kept | {"HOME": str(home)} | environment,
        check=True,
        capture_output=True,
    )
    return [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "room", ["endcap.serving.app", "endcap.cli", "endcap.models.two_tower.model"]
)
def test_networks_run_without_telemetry(room, tmp_path):
    assert files_in_home_after(f"import {room}\n{USE_A_NETWORK}", tmp_path) == []
