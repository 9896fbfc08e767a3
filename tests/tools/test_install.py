"""The installer against a stand-in for uv that notes how it was called."""

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "install.py"

FAKE_UV = """#!{python}
import json, os, pathlib, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("uv {version} (made up)")
    sys.exit()
with open({log!r}, "a") as log:
    names = [f"UV_{{n}}" for n in ("DEFAULT_INDEX", "INDEX", "INDEX_STRATEGY", "FIND_LINKS")]
    names.append("UV_TORCH_BACKEND")
    seen = {{name: os.environ[name] for name in names if name in os.environ}}
    print(json.dumps([arguments, seen]), file=log)
if arguments[0] == "venv":
    bin_folder = pathlib.Path(arguments[-1]) / "bin"
    bin_folder.mkdir(parents=True, exist_ok=True)
    python = bin_folder / "python"
    python.unlink(missing_ok=True)
    python.write_text("#!/bin/sh\\nPYTHONPATH={source} exec {python} \\"$@\\"\\n")
    python.chmod(0o755)
if os.environ.get("FAIL_AT") in arguments:
    sys.exit(7)
"""

LOCKED = """\
filelock==4.2.12 \\
    --hash=sha256:{0}
nvidia-cublas==13.4.1.3 ; sys_platform == 'linux' \\
    --hash=sha256:{0} \\
    --hash=sha256:{0}
    # via torch
torch==2.15.0 \\
    --hash=sha256:{0}
torchmetrics==1.0 \\
    --hash=sha256:{0}
triton==3.9.0 ; sys_platform == 'linux' \\
    --hash=sha256:{0}
""".format("0" * 64)


@pytest.fixture(scope="module")
def install():
    """The script as a module, for its pure functions."""
    spec = importlib.util.spec_from_file_location("install_tool", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Sandbox:
    """A checkout with three locked sets, and a PATH on which our uv comes first."""

    root: Path
    log: Path
    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def put_uv(self, version="0.13.9"):
        self.path.mkdir(exist_ok=True)
        uv = self.path / "uv"
        source = self.root / "src"
        uv.write_text(
            FAKE_UV.format(python=sys.executable, version=version, log=str(self.log), source=source)
        )
        uv.chmod(0o755)

    def run(self, *arguments, python=sys.executable, **environment):
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_", "PYTHON"))}
        return subprocess.run(
            [python, str(self.root / "tools" / "install.py"), *arguments],
            env=kept | {"PATH": f"{self.path}:/usr/bin:/bin"} | self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def calls(self):
        """Return the arguments of each call of uv since the last look."""
        return [arguments for arguments, _ in self.calls_with_environment()]

    def calls_with_environment(self):
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    def stamp(self):
        return json.loads((self.root / ".venv" / "endcap-installed.json").read_text())


@pytest.fixture
def sandbox(tmp_path):
    root = tmp_path / "checkout"
    (root / "tools").mkdir(parents=True)
    (root / "src" / "endcap").mkdir(parents=True)
    (root / "requirements").mkdir()
    shutil.copy(SCRIPT, root / "tools")
    (root / "src" / "endcap" / "__init__.py").touch()
    (root / "pyproject.toml").write_text("[project]\n")
    for name in ("serve", "demo", "dev", "spark", "peers", "rivals"):
        (root / "requirements" / f"{name}.txt").write_text(f"# {name}\n{LOCKED}")
    made = Sandbox(root=root, log=tmp_path / "uv.log", path=tmp_path / "bin")
    made.put_uv()
    return made


def kinds(calls):
    return [" ".join(call[:2]) if call[0] == "pip" else call[0] for call in calls]


def test_first_run_makes_the_environment_syncs_by_hash_and_adds_the_project(sandbox):
    result = sandbox.run("demo")
    assert result.returncode == 0, result.stderr
    venv, sync, project = sandbox.calls()
    assert venv[0] == "venv"
    assert {"--clear", "--no-python-downloads"} <= set(venv)
    assert venv[venv.index("--python") + 1] == sys.executable
    assert sync[:2] == ["pip", "sync"]
    assert "--require-hashes" in sync
    assert sync[-1] == str(sandbox.root / "requirements" / "demo.txt")
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(project)
    assert sandbox.stamp()["set"] == "demo"


def test_it_says_how_big_the_download_is_and_how_to_keep_it_small(sandbox):
    message = sandbox.run("demo").stderr
    assert "to download" in message
    if sys.platform == "linux":
        assert "GB" in message
        assert "TORCH=cpu" in message
    assert "TORCH=cpu" not in sandbox.run("demo", "--torch", "cpu").stderr


def test_second_run_does_nothing(sandbox):
    sandbox.run("demo")
    sandbox.calls()
    result = sandbox.run("demo")
    assert (result.returncode, result.stderr, sandbox.calls()) == (0, "", [])


def test_a_larger_set_is_added_and_a_smaller_one_is_there_already(sandbox):
    sandbox.run("demo")
    sandbox.calls()
    sandbox.run("dev")
    assert kinds(sandbox.calls()) == ["pip sync", "pip install"]
    assert sandbox.stamp()["set"] == "dev"
    sandbox.run("demo")
    assert sandbox.calls() == []


def test_spark_comes_on_top_of_everything_else(sandbox, install):
    sandbox.run("dev")
    sandbox.calls()
    message = sandbox.run("spark").stderr
    assert "installing the spark set" in message
    sync, _ = sandbox.calls()
    assert sync[-1] == str(sandbox.root / "requirements" / "spark.txt")
    sandbox.run("dev")
    assert sandbox.calls() == []
    locked = {
        name: set((ROOT / "requirements" / f"{name}.txt").read_text().split())
        for name in ("dev", "spark")
    }
    versions = {name: {w for w in words if "==" in w} for name, words in locked.items()}
    assert versions["dev"] < versions["spark"]
    added = {word.partition("==")[0] for word in versions["spark"] - versions["dev"]}
    assert {"pyspark", "sqlglot"} <= added


def test_libraries_to_compare_with_stay_out_of_the_environment(sandbox):
    sandbox.run("dev")
    before = sandbox.stamp()
    sandbox.calls()
    message = sandbox.run("peers").stderr
    assert "installing the peers set into .peers" in message
    venv, sync = sandbox.calls()
    assert venv[-1] == str(sandbox.root / ".peers")
    assert {"--clear", "--no-python-downloads"} <= set(venv)
    assert sync[:2] == ["pip", "sync"]
    assert "--require-hashes" in sync
    assert sync[-1] == str(sandbox.root / "requirements" / "peers.txt")
    assert sync[sync.index("--python") + 1] == str(sandbox.root / ".peers" / "bin" / "python")
    assert sandbox.stamp() == before
    sandbox.run("peers")
    assert sandbox.calls() == []


def test_rivals_have_a_place_of_their_own_with_the_pytorch_of_the_environment(sandbox):
    sandbox.run("dev", "--torch", "cpu")
    sandbox.calls()
    message = sandbox.run("rivals").stderr
    assert "installing the rivals set into .rivals" in message
    venv, sync, torch = sandbox.calls()
    assert venv[-1] == str(sandbox.root / ".rivals")
    assert Path(sync[-1]).name == "rivals-without-gpu.txt"
    assert torch[-3:] == ["--torch-backend", "cpu", "torch==2.15.0"]
    assert sync[3] == torch[3] == str(sandbox.root / ".rivals" / "bin" / "python")
    sandbox.run("rivals")
    assert sandbox.calls() == []
    sandbox.run("rivals", "--torch", "default")
    assert kinds(sandbox.calls()) == ["venv", "pip sync"]


@pytest.mark.parametrize("step", ["venv", "sync"])
def test_an_interrupted_comparison_environment_is_made_anew(sandbox, step):
    assert sandbox.run("peers", FAIL_AT=step).returncode == 1
    sandbox.calls()
    assert sandbox.run("peers").returncode == 0
    assert kinds(sandbox.calls()) == ["venv", "pip sync"]
    with (sandbox.root / "requirements" / "peers.txt").open("a") as file:
        file.write("# newer\n")
    sandbox.run("peers")
    assert kinds(sandbox.calls()) == ["venv", "pip sync"]


@pytest.mark.parametrize("changed", ["requirements/demo.txt", "pyproject.toml"])
def test_a_changed_lock_or_project_is_installed_into_the_same_environment(sandbox, changed):
    sandbox.run("demo")
    sandbox.calls()
    with (sandbox.root / changed).open("a") as file:
        file.write("# newer\n")
    sandbox.run("serve")  # asking for less keeps what is there up to date
    calls = sandbox.calls()
    assert kinds(calls) == ["pip sync", "pip install"]
    assert calls[0][-1].endswith("demo.txt")


@pytest.mark.parametrize("broken", ["moved", "no python", "python of another place", "no stamp"])
def test_an_environment_that_cannot_be_trusted_is_made_anew(sandbox, broken):
    sandbox.run("dev")
    sandbox.calls()
    python = sandbox.root / ".venv" / "bin" / "python"
    match broken:
        case "moved":
            sandbox.root = sandbox.root.rename(sandbox.root.with_name("elsewhere"))
            sandbox.put_uv()
        case "no python":
            python.unlink()
            python.symlink_to("/nowhere/python3")
        case "python of another place":
            python.write_text("#!/bin/sh\necho /elsewhere/endcap/__init__.py\n")
        case "no stamp":
            (sandbox.root / ".venv" / "endcap-installed.json").unlink()
    assert sandbox.run("dev").returncode == 0
    assert kinds(sandbox.calls()) == ["venv", "pip sync", "pip install"]
    assert sandbox.run("dev").returncode == 0
    assert sandbox.calls() == []


@pytest.mark.parametrize("step", ["sync", "--editable"])
def test_a_failed_run_says_so_and_the_next_starts_afresh(sandbox, step):
    sandbox.run("serve")
    sandbox.calls()
    result = sandbox.run("demo", FAIL_AT=step)
    assert result.returncode == 1
    assert "run the same command again" in result.stderr
    assert "Traceback" not in result.stderr
    sandbox.calls()
    assert sandbox.run("demo").returncode == 0
    assert kinds(sandbox.calls()) == ["venv", "pip sync", "pip install"]


def test_cpu_build_of_torch_comes_apart_from_the_hashed_rest(sandbox):
    assert sandbox.run("demo", "--torch", "cpu").returncode == 0
    _, sync, torch, project = sandbox.calls()
    names = [
        line.split("==")[0] for line in Path(sync[-1]).read_text().splitlines() if "==" in line
    ]
    assert names == ["filelock", "torchmetrics"]
    assert "--require-hashes" in sync
    assert torch[:2] == ["pip", "install"]
    assert torch[-3:] == ["--torch-backend", "cpu", "torch==2.15.0"]
    assert "--no-deps" in torch
    assert "--editable" in project


def test_the_build_of_torch_is_remembered_and_only_a_wish_changes_it(sandbox):
    sandbox.run("demo", "--torch", "cpu")
    sandbox.calls()
    sandbox.run("dev")
    assert kinds(sandbox.calls()) == ["pip sync", "pip install", "pip install"]
    sandbox.run("dev", "--torch", "default")
    assert kinds(sandbox.calls()) == ["venv", "pip sync", "pip install"]


def test_a_serving_install_asks_for_no_torch(sandbox):
    sandbox.run("serve", "--torch", "cpu")
    assert kinds(sandbox.calls()) == ["venv", "pip sync", "pip install"]


def test_gpu_packages_of_the_real_lock_are_left_out_and_nothing_else(install, tmp_path):
    locked = ROOT / "requirements" / "dev.txt"
    copy, version = install.without_gpu_packages(locked, tmp_path)

    def names(path):
        return {line.split("==")[0] for line in path.read_text().splitlines() if line[:1].isalpha()}

    dropped = names(locked) - names(copy)
    assert f"torch=={version} " in locked.read_text()
    assert {"torch", "triton", "nvidia-cublas", "cuda-toolkit"} <= dropped
    assert {name.split("-")[0] for name in dropped} == {"torch", "triton", "nvidia", "cuda"}
    assert {"numpy", "sympy", "networkx", "filelock", "typing-extensions"} <= names(copy)


def test_pip_settings_reach_uv(sandbox, python_with_pip):
    config = sandbox.root / "pip.conf"
    config.write_text("[global]\nindex-url = https://files.example/simple\n")
    extra = "https://more.example/simple"
    settings = {"PIP_CONFIG_FILE": str(config), "PIP_EXTRA_INDEX_URL": extra}
    sandbox.run("serve", python=str(python_with_pip), **settings)
    for _, seen in sandbox.calls_with_environment():
        assert seen["UV_DEFAULT_INDEX"] == "https://files.example/simple"
        assert seen["UV_INDEX"] == extra
        assert seen["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_settings_of_uv_itself_come_first_and_none_may_change_the_lock(sandbox):
    sandbox.run(
        "serve",
        UV_DEFAULT_INDEX="https://mine.example",
        PIP_INDEX_URL="https://pip.example",
        UV_TORCH_BACKEND="cu126",
    )
    for _, seen in sandbox.calls_with_environment():
        assert seen == {"UV_DEFAULT_INDEX": "https://mine.example"}


def test_a_folder_of_wheels_that_is_not_there_is_passed_over_as_pip_does(sandbox, tmp_path):
    sandbox.run("serve", PIP_FIND_LINKS=f"{tmp_path} {tmp_path / 'missing'}")
    assert [seen["UV_FIND_LINKS"] for _, seen in sandbox.calls_with_environment()] == (
        [str(tmp_path)] * 3
    )


@pytest.mark.parametrize("version", ["0.7.22", "0.1.0"])
def test_a_uv_that_is_too_old_is_not_used(install, sandbox, version):
    sandbox.put_uv(version)
    assert install.uv_version(str(sandbox.path / "uv")) < install.MIN_UV
    sandbox.put_uv("0.8.0")
    assert install.uv_version(str(sandbox.path / "uv")) >= install.MIN_UV
    assert install.uv_version(str(sandbox.path / "missing")) < install.MIN_UV


# Without a uv: a wheel that holds our stand-in, and the Pythons that people really have.


@pytest.fixture
def without_uv(sandbox, tmp_path):
    """The same sandbox with no uv on PATH, but one that pip can install from a folder."""
    script = (sandbox.path / "uv").read_bytes()
    (sandbox.path / "uv").unlink()
    info = "uv-0.13.9.dist-info"
    files = {
        "uv-0.13.9.data/scripts/uv": script,
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: uv\nVersion: 0.13.9\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},"
        for name, data in files.items()
    ]
    files[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,"]).encode()
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel = wheels / "uv-0.13.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (0o100755 if "scripts" in name else 0o100644) << 16
            archive.writestr(entry, data)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (sandbox.root / "requirements" / "uv.txt").write_text(f"uv==0.13.9 --hash=sha256:{digest}\n")
    home = tmp_path / "home"
    home.mkdir()
    sandbox.environment = {
        "HOME": str(home),
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
        # What people set for their own good, and what must not stop or divert us.
        "PIP_REQUIRE_VIRTUALENV": "1",
        "PIP_USER": "1",
        "PIP_TARGET": str(tmp_path / "diverted"),
    }
    return sandbox


def need_ensurepip():
    if importlib.util.find_spec("ensurepip") is None:
        missing = "this Python has no ensurepip (on Debian: apt install python3-venv)"
        (pytest.fail if os.environ.get("ENDCAP_REQUIRE_SERVICES") else pytest.skip)(missing)


@pytest.fixture(scope="module")
def python_with_pip(tmp_path_factory):
    """A Python with a pip of its own, whatever this test runs in."""
    need_ensurepip()
    folder = tmp_path_factory.mktemp("python") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder / "bin" / "python"


def bare_python(folder):
    """Return a Python without pip; `venv` works."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return str(folder / "bin" / "python")


def assert_installed_inside(sandbox, result, tmp_path):
    assert result.returncode == 0, result.stderr
    assert kinds(sandbox.calls()) == ["venv", "pip sync", "pip install"]
    assert sorted(path.name for path in (sandbox.root / ".uv").iterdir()) == ["lock", "uv"]
    assert not list((tmp_path / "home").rglob("*")), "something was written into HOME"
    assert not (tmp_path / "diverted").exists()


def test_uv_comes_by_pip_into_the_checkout(without_uv, python_with_pip, tmp_path):
    result = without_uv.run("demo", python=str(python_with_pip))
    assert_installed_inside(without_uv, result, tmp_path)
    without_uv.run("dev", python=str(python_with_pip))
    assert kinds(without_uv.calls()) == ["pip sync", "pip install"]


def test_uv_comes_by_venv_where_pip_is_missing(without_uv, tmp_path):
    need_ensurepip()
    python = bare_python(tmp_path / "other")
    assert_installed_inside(without_uv, without_uv.run("demo", python=python), tmp_path)


def test_uv_comes_by_pip_where_python_is_externally_managed(without_uv, python_with_pip, tmp_path):
    """PEP 668: pip refuses to touch such a Python, but not a folder of ours."""
    home = tmp_path / "managed"
    library = f"python{sys.version_info.major}.{sys.version_info.minor}"
    (home / "lib" / library).mkdir(parents=True)
    base = Path(sys.base_prefix) / "lib" / library
    for entry in base.iterdir():
        if entry.name not in ("site-packages", "EXTERNALLY-MANAGED"):
            (home / "lib" / library / entry.name).symlink_to(entry)
    marker = "[externally-managed]\nError=ask your distribution\n"
    (home / "lib" / library / "EXTERNALLY-MANAGED").write_text(marker)
    python = str(Path(sys.base_prefix) / "bin" / library)
    packages = python_with_pip.parents[1] / "lib" / library / "site-packages"

    refused = subprocess.run(
        [python, "-m", "pip", "install", "--no-index", "uv"],
        env=os.environ | {"PYTHONHOME": str(home), "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "externally-managed-environment" in refused.stderr

    # Only pip and the script under test run in that home, not the stand-in for uv.
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nPYTHONHOME={home} PYTHONPATH={packages} exec {python} "$@"\n')
    wrapper.chmod(0o755)
    result = without_uv.run("demo", python=str(wrapper))
    assert_installed_inside(without_uv, result, tmp_path)


def test_a_wheel_with_another_hash_is_refused(without_uv, python_with_pip):
    (without_uv.root / "requirements" / "uv.txt").write_text(
        f"uv==0.13.9 --hash=sha256:{'1' * 64}\n"
    )
    result = without_uv.run("demo", python=str(python_with_pip))
    assert result.returncode == 1
    assert not (without_uv.root / ".uv" / "uv").exists()


def test_without_pip_and_venv_the_error_names_the_packages_to_install(without_uv, tmp_path):
    python = bare_python(tmp_path / "other")
    (tmp_path / "shadow").mkdir()
    (tmp_path / "shadow" / "venv.py").write_text("raise SystemExit(1)\n")
    result = without_uv.run("demo", python=python, PYTHONPATH=str(tmp_path / "shadow"))
    assert result.returncode == 1
    for package in ("python3-venv", "python3-pip", "py3-pip", "python-pip"):
        assert package in result.stderr
    assert "Traceback" not in result.stderr


def test_an_old_python_is_told_so(sandbox):
    script = sandbox.root / "tools" / "install.py"
    script.write_text(SCRIPT.read_text().replace("sys.version_info < MIN", "(3, 8) < MIN"))
    result = sandbox.run("demo")
    assert result.returncode == 1
    assert "needs 3.11 or newer" in result.stderr
    assert sandbox.calls() == []
