"""docs/reference says what the code does: all of it, and nothing that is gone."""

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from endcap.cli import app
from endcap.serving.metrics import ServingMetrics
from endcap.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"


def load_tool(name):
    spec = importlib.util.spec_from_file_location(f"{name}_tool", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = load_tool("reference")
tables = load_tool("tables")
NOT_YET = {"models.temporal", "models.speed"}
"""Results of hours that nobody has measured so far; their tables say so."""
COMMANDS = dict(reference.verbs(typer.main.get_command(app)))


@pytest.mark.parametrize("name", reference.PAGES)
def test_page_is_what_the_code_says(name):
    path = ROOT / name
    assert path.exists(), f"run `make reference`: {name} is missing"
    assert path.read_text() == reference.PAGES[name](), f"run `make reference`: {name} is stale"


@pytest.mark.parametrize("name", tables.TABLES)
def test_table_is_what_the_result_of_the_benchmark_says(name):
    page, result, render = tables.TABLES[name]
    is_there = (tables.RESULTS / f"{result}.json").exists()
    assert is_there or result in NOT_YET, f"run `make bench NAME={result}`: it is missing"
    text = (ROOT / page).read_text()
    said = tables.filled(text, name, tables.table_of(result, render))
    assert text == said, f"run `make reference`: {page} is stale"


@pytest.mark.parametrize("name", COMMANDS)
def test_command_is_documented_with_every_option(name):
    page = (REFERENCE / "cli.md").read_text()
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL)
    assert section, f"cli.md has no section on {name}"
    for parameter in COMMANDS[name].params:
        for option in parameter.opts + parameter.secondary_opts:
            shown = option if option.startswith("-") else option.upper()
            assert f"`{shown}`" in section[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_explains_every_option_and_shows_an_example(name):
    result = CliRunner().invoke(
        app, [*name.split(), "--help"], env={"COLUMNS": "200", "TERM": "dumb"}
    )
    assert result.exit_code == 0
    assert f"endcap {name}" in result.output.partition("Examples")[2]
    assert all(parameter.help for parameter in COMMANDS[name].params)
    assert "--json" in result.output


def test_the_root_help_names_the_exit_codes():
    page = (REFERENCE / "cli.md").read_text()
    help_text = CliRunner().invoke(app, ["--help"]).output
    assert "Exit codes" in page
    assert "Exit codes" in help_text


def setting_names(model=Settings, prefix="ENDCAP_"):
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from setting_names(field.annotation, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def test_every_setting_is_documented_by_its_variable():
    page = (REFERENCE / "settings.md").read_text()
    assert len(list(setting_names())) > 10
    assert [name for name in setting_names() if f"`{name}`" not in page] == []


def test_the_example_file_says_the_defaults():
    example = tomllib.loads((ROOT / "endcap.example.toml").read_text())
    assert Settings(**example) == Settings()


def error_classes():
    """Return every class in src whose chain of bases ends in EndcapError."""
    bases = {}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = {ast.unparse(base) for base in node.bases}
    found = {"EndcapError"}
    while grown := {name for name, parents in bases.items() if parents & found} - found:
        found |= grown
    return found - {"EndcapError"}


def test_every_error_is_documented():
    page = (REFERENCE / "errors.md").read_text()
    assert {"StoreError", "EventError"} <= error_classes()
    assert [name for name in error_classes() if f"`{name}`" not in page] == []


def test_every_metric_is_documented():
    page = (REFERENCE / "metrics.md").read_text()
    source = (ROOT / "src" / "endcap" / "serving" / "metrics.py").read_text()
    named = set(re.findall(r'"(endcap_\w+)"', source))
    assert {family.name for family in ServingMetrics().registry.collect()} <= named
    assert [name for name in named if f"`{name}" not in page] == []
