"""Rules about the source that no linter knows."""

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))

PICKLERS = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
VAGUE_ROOMS = {"utils", "util", "common", "helpers", "core", "base", "misc", "manager"}
VAGUE_CLASS = re.compile(r"(Manager|Handler|Processor|Util|Utils|Helper|Impl|Base|\d)$")

OPEN_ENDED = {"src/endcap/ingest/engine.py: fill"}
"""Functions whose keywords are data: here, the placeholders of a template."""

# In pieces, so that this file does not hold what it looks for.
REGISTRIES = ("pypi" + ".org", "pythonhosted" + ".org", "pytorch" + ".org/whl", "npmjs" + ".org")
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|root|home|Users|mnt|private)/[\w.-]+")


def tracked_files() -> list[Path]:
    """What git holds or would add: an ignored file is nobody's business."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so nothing is tracked")
    listing = subprocess.run(
        [
            "git",
            "-c",
            f"safe.directory={ROOT}",
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def pickling(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = {alias.name.partition(".")[0] for alias in names}
            case ast.ImportFrom(module=str(module)):
                modules = {module.partition(".")[0]}
            case ast.Call(func=ast.Attribute(value=ast.Name(id="torch"), attr="save" | "load")):
                yield f"line {node.lineno}: torch.{node.func.attr} pickles; write safetensors"
                continue
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=False)):
                continue
            case ast.keyword(arg="allow_pickle"):
                yield f"line {node.value.lineno}: allow_pickle"
                continue
            case _:
                continue
        for module in sorted(modules & PICKLERS):
            yield f"line {node.lineno}: imports {module}"


def test_nothing_is_pickled():
    found = [f"{p.relative_to(ROOT)} {what}" for p in SOURCES for what in pickling(p.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "import pickle as safe",
        "def f():\n    from joblib import dump",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "torch.save(state, path)",
    ],
)
def test_pickling_is_seen(code):
    assert list(pickling(code))


@pytest.mark.parametrize("code", ["np.load(p, allow_pickle=False)", "import json", "model.save(p)"])
def test_what_is_no_pickling_is_let_be(code):
    assert not list(pickling(code))


def listing_order(name: str) -> tuple[int, str]:
    """Sort as ruff does: CONSTANTS, then Classes, then functions."""
    return (0 if name.isupper() else 1 if name[:1].isupper() else 2, name)


def test_every_dunder_all_is_sorted():
    unsorted = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                    names = list(ast.literal_eval(value))
                    if names != sorted(names, key=listing_order):
                        unsorted.append(f"{path.relative_to(ROOT)}: {names}")
    assert not unsorted, "\n".join(unsorted)


def test_no_module_or_class_has_a_name_that_says_nothing():
    vague = [str(p.relative_to(ROOT)) for p in SOURCES if {p.stem, p.parent.name} & VAGUE_ROOMS]
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and VAGUE_CLASS.search(node.name):
                vague.append(f"{path.relative_to(ROOT)}: class {node.name}")
    assert not vague, "name what it is, not that it is something:\n" + "\n".join(vague)


def test_public_functions_name_their_arguments():
    """`**kwargs` in a public function hides what it takes and swallows misspelt names."""
    hiding = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    if node.args.kwarg and not node.name.startswith("_"):
                        hiding.add(f"{path.relative_to(ROOT)}: {node.name}")
    assert hiding == OPEN_ENDED


def test_no_tracked_file_names_a_registry_or_a_path_of_a_machine():
    """Where packages come from is the user's business; where files lie, too."""
    found = []
    for path in tracked_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a picture
        for number, line in enumerate(text.splitlines(), start=1):
            words = [host for host in REGISTRIES if host in line]
            words += [match[0] for match in MACHINE_PATH.finditer(line)]
            found += [f"{path.relative_to(ROOT)}:{number}: {word}" for word in words]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("template", "is_found"),
    [
        ("open('/{root}/x')", True),
        ("see /{work}/main/x.py", True),
        ("GET /v1/{home}/7", False),
        ("on example.com/{home}/x", False),
        ("../{work}/data", False),
    ],
)
def test_what_counts_as_a_path_of_a_machine(template, is_found):
    text = template.format(root="root", work="work", home="home")
    assert bool(MACHINE_PATH.search(text)) is is_found


def test_no_two_test_files_have_the_same_name():
    """The folders of tests are no packages, so pytest knows a file by its name alone."""
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.name != "conftest.py"]
    assert [name for name, count in Counter(names).items() if count > 1] == []


def test_no_lock_with_addresses_is_tracked():
    names = {path.name for path in tracked_files()}
    assert "Makefile" in names
    assert not names & {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "pylock.toml"}
