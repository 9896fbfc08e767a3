"""The Makefile says what it can do, and passes on what it is told."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())


def make(*arguments, **environment):
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def endcap_arguments(*arguments, **environment):
    """Return what `make -n demo` would hand to the endcap command."""
    last = make("-n", "demo", *arguments, **environment).splitlines()[-1]
    program, *rest = shlex.split(last)
    assert program == ".venv/bin/endcap"
    return rest


def test_plain_make_lists_every_target():
    listed = set(re.findall(r"^  ([a-z-]+) ", make(), re.MULTILINE))
    assert listed == TARGETS
    assert {"demo", "test", "test-all", "check", "lock", "bench", "clean"} <= TARGETS


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], ["demo"]),
        (["DATA=a b.csv"], ["demo", "--data", "a b.csv"]),
        (["SERVE=0", "PORT=81"], ["demo", "--no-serve", "--port", "81"]),
        (["SERVE=1"], ["demo"]),
    ],
)
def test_demo_passes_its_variables_on(given, expected):
    assert endcap_arguments(*given) == expected


def test_the_environment_does_not_meddle():
    assert endcap_arguments(PORT="3000", DATA="x", SERVE="0", ARGS="--json") == ["demo"]


@pytest.mark.parametrize("target", sorted(TARGETS - {"help", "clean", "lock"}))
def test_every_target_installs_first_and_heeds_the_wish_for_a_small_torch(target):
    first = make("-n", target, "TORCH=cpu").splitlines()[0]
    assert "tools/install.py --torch cpu " in first


def test_the_locks_hold_no_address_and_agree_with_each_other():
    commands = [line for line in make("-n", "lock").splitlines() if "pip compile" in line]
    written = [re.search(r"(?:-o|>>) requirements/(\w+)\.txt", command)[1] for command in commands]
    assert written == ["spark", "dev", "demo", "serve", "peers", "peers", "rivals", "uv"]
    for command in commands:
        for flag in ("--universal", "--generate-hashes", "--no-header", "--no-emit-index-url"):
            assert flag in command
    for command, outer in zip(commands[1:4], ("spark", "dev", "dev"), strict=True):
        assert f"-c requirements/{outer}.txt" in command


def test_the_libraries_to_compare_with_come_into_an_environment_of_their_own():
    first, second, test = make("-n", "test-peers", "TORCH=cpu").splitlines()
    assert first.endswith("dev")
    assert second.endswith("peers")
    assert shlex.split(test)[0] == "ENDCAP_REQUIRE_SERVICES=1"
    assert {".peers", ".rivals"} <= set(shlex.split(make("-n", "clean").splitlines()[0]))


@pytest.mark.parametrize(("name", "sets"), [("models.speed", ["dev", "rivals"]), ("demo", ["dev"])])
def test_a_benchmark_beside_others_installs_theirs(name, sets):
    *installs, _ = make("-n", "bench", f"NAME={name}").splitlines()
    assert [line.split()[-1] for line in installs if line.strip()] == sets


def test_ci_runs_what_people_run():
    script = (ROOT / ".ci" / "run").read_text()
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
    for command in ("make check", "make test", "make demo SERVE=0", "ENDCAP_REQUIRE_SERVICES=1"):
        assert command in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_make_test_leaves_out_slow_tests_only():
    """The browser tests are part of it: without a browser they skip and say why."""
    command = shlex.split(make("-n", "test").splitlines()[-1])
    assert command[command.index("-m") + 1] == "not slow and not gpu and not spark and not peers"
    everything = shlex.split(make("-n", "test-all").splitlines()[-1])
    assert everything[0] == "ENDCAP_REQUIRE_SERVICES=1"
    assert "slow" not in everything[everything.index("-m") + 1]
