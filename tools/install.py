"""Installs what this checkout needs, inside it: uv where there is none, then one locked set.

The Makefile runs it before everything else, so it knows the standard library only. It is not for
servers: those install `requirements/serve.txt` with whatever they install packages with.
"""

from __future__ import annotations

import argparse
import ast
import fcntl
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SETS = ("serve", "demo", "dev", "spark")
"""Each holds all of the one before it, in the same versions."""

APART = ("peers", "rivals")
"""Other people's libraries, which need older versions of much else: each set has its own place.

`peers` measure lists as we do, for a test; `rivals` make them, for a benchmark, and bring PyTorch.
"""

MIN_PYTHON = (3, 11)
MIN_UV = (0, 8)
PACKAGES_MB = {"serve": 60, "demo": 280, "dev": 560, "spark": 1020, "peers": 210, "rivals": 120}
"""What a set downloads for Linux x86-64 without PyTorch and what only PyTorch needs."""

CUDA_TORCH_MB = {"x86_64": 3000, "aarch64": 3200}
SMALL_TORCH_MB = 200
GPU_ONLY = re.compile(r"(torch|triton|cuda-[\w-]+|nvidia-[\w-]+)==([^\s;]+)")

PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
"""uv does not read pip's settings; a person who set up pip for a mirror means both."""

STAMP = "endcap-installed.json"
NEW_VENV = (
    *("venv", "--clear", "--quiet", "--no-project", "--no-python-downloads"),
    *("--python", sys.executable),
)

NO_INSTALLER = """neither uv, pip nor venv is there for {python}; any one of them is enough:
  Debian, Ubuntu   apt install python3-venv
  Fedora, RHEL     dnf install python3-pip
  Alpine           apk add py3-pip
  Arch             pacman -S python-pip
  openSUSE         zypper install python3-pip
  macOS            brew install uv"""


class InstallError(Exception):
    """What stopped the installation, said for the person who ran it."""


class Checkout:
    """The folders of one checkout, and the stamp of what is installed in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.venv = root / ".venv"
        self.python = self.venv / "bin" / "python"
        self.stamp = self.venv / STAMP
        self.own = root / ".uv"
        self.uv = self.own / "uv"

    def requirements(self, name: str) -> Path:
        """Return the locked file of a set."""
        return self.root / "requirements" / f"{name}.txt"

    def apart(self, name: str) -> Path:
        """Return the environment of a set that is none of ours."""
        return self.root / f".{name}"

    def installed(self) -> dict[str, str]:
        """Return what the stamp says; empty when an installation never came to its end."""
        return read_stamp(self.stamp)

    def works(self) -> bool:
        """Return whether the interpreter in the environment starts and finds this project."""
        code = "import endcap, sys; print(endcap.__file__)"
        try:
            found = run_quietly([str(self.python), "-c", code])
        except OSError:
            return False
        return found.returncode == 0 and Path(found.stdout.strip()).is_relative_to(self.root)


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 when the wanted set is there."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "wanted", choices=(*SETS, *APART, "uv"), help="a set; or uv, to print its path"
    )
    parser.add_argument("--torch", choices=("default", "cpu"), help="which build of PyTorch")
    options = parser.parse_args(arguments)
    checkout = Checkout(ROOT)
    try:
        if sys.version_info < MIN_PYTHON:
            raise InstallError(
                f"Python {platform.python_version()} is too old; Endcap needs "
                f"{MIN_PYTHON[0]}.{MIN_PYTHON[1]} or newer. Choose one: make PYTHON=python3.12 …"
            )
        with one_at_a_time(checkout):
            if options.wanted == "uv":
                print(find_uv(checkout))
            elif options.wanted in APART:
                install_apart(checkout, options.wanted, options.torch)
            else:
                install(checkout, options.wanted, options.torch)
    except InstallError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; run the same command again to go on")
        return 130
    return 0


def install(checkout: Checkout, wanted: str, torch: str | None) -> None:
    """Bring `.venv` to at least the wanted set; at once when it is there already.

    A set that is installed is never made smaller, and the build of PyTorch stays what it is
    until another one is asked for.
    """
    have = checkout.installed()
    want = target(checkout, have, wanted, torch)
    fresh = any(have.get(key) != want[key] for key in ("checkout", "python", "torch"))
    fresh = fresh or not checkout.works()
    if have == want and not fresh:
        return
    uv = find_uv(checkout)
    announce(want)
    environment = uv_environment()
    checkout.stamp.unlink(missing_ok=True)  # from here to the end, an interruption shows
    if fresh:
        run([uv, *NEW_VENV, str(checkout.venv)], environment)
    for command in install_commands(checkout, want):
        run([uv, "pip", *command], environment)
    checkout.stamp.write_text(json.dumps(want, indent=2) + "\n")


def install_apart(checkout: Checkout, name: str, torch: str | None) -> None:
    """Bring `.peers` or `.rivals` to its locked set; at once when it is there already.

    Rivals take the build of PyTorch that `.venv` has, unless another one is asked for.
    """
    locked, venv = checkout.requirements(name), checkout.apart(name)
    want = {"python": python_version(), "requirements": sha256(locked)}
    if name != "peers":
        want["torch"] = torch or checkout.installed().get("torch", "default")
    if read_stamp(venv / STAMP) == want:
        return
    uv, environment = find_uv(checkout), uv_environment()
    announce({"set": name, **want}, f".{name}")
    run([uv, *NEW_VENV, str(venv)], environment)
    python = ["--python", str(venv / "bin" / "python")]
    for command in sync_commands(locked, python, checkout.own, torch=want.get("torch", "default")):
        run([uv, "pip", *command], environment)
    (venv / STAMP).write_text(json.dumps(want, indent=2) + "\n")


def target(
    checkout: Checkout, have: Mapping[str, str], wanted: str, torch: str | None
) -> dict[str, str]:
    """Return the stamp that the environment shall have."""
    known = have.get("set", "")
    name = max(wanted, known, key=SETS.index) if known in SETS else wanted
    return {
        "set": name,
        "torch": torch or have.get("torch", "default"),
        "python": python_version(),
        "checkout": str(checkout.root),
        "requirements": sha256(checkout.requirements(name)),
        "project": sha256(checkout.root / "pyproject.toml"),
    }


def install_commands(checkout: Checkout, want: Mapping[str, str]) -> list[list[str]]:
    """Return the arguments of each `uv pip` call that brings the environment to the target."""
    python = ["--python", str(checkout.python)]
    locked = checkout.requirements(want["set"])
    torch = "default" if want["set"] == "serve" else want["torch"]
    project = ["--no-deps", "--no-build-isolation", "--editable", str(checkout.root)]
    return [
        *sync_commands(locked, python, checkout.own, torch=torch),
        ["install", *python, "--quiet", *project],
    ]


def sync_commands(locked: Path, python: list[str], own: Path, *, torch: str) -> list[list[str]]:
    """Return the arguments of each `uv pip` call that installs a locked file."""
    if torch != "cpu":
        return [["sync", *python, "--require-hashes", str(locked)]]
    # The locked hashes are those of the builds on the package index. PyTorch's CPU build lies
    # elsewhere, so this one package comes by its version alone; all it needs is locked.
    locked, version = without_gpu_packages(locked, own)
    return [
        ["sync", *python, "--require-hashes", str(locked)],
        ["install", *python, "--no-deps", "--torch-backend", "cpu", f"torch=={version}"],
    ]


def without_gpu_packages(locked: Path, folder: Path) -> tuple[Path, str]:
    """Return a copy of the locked file without PyTorch and what only a GPU needs, and its version.

    Raises:
        InstallError: the file does not lock PyTorch.
    """
    kept, version, dropping = [], "", False
    for line in locked.read_text().splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            match = GPU_ONLY.match(line)
            dropping = match is not None
            if match and match[1] == "torch":
                version = match[2]
        if not dropping:
            kept.append(line)
    if not version:
        raise InstallError(f"{locked.name} holds no torch: cannot choose its build")
    folder.mkdir(exist_ok=True)
    copy = folder / f"{locked.stem}-without-gpu.txt"
    copy.write_text("".join(kept))
    return copy, version


def announce(want: Mapping[str, str], place: str = ".venv") -> None:
    """Say what is going to be installed where and how much that downloads."""
    size_mb, small = PACKAGES_MB[want["set"]], ""
    if want["set"] not in ("serve", "peers"):
        cuda_mb = CUDA_TORCH_MB.get(platform.machine()) if sys.platform == "linux" else None
        if cuda_mb and want["torch"] == "default":
            size_mb += cuda_mb
            small = (
                f"; {cuda_mb / 1000:.1f} GB of that is PyTorch for NVIDIA GPUs. Without such a GPU,"
                f" press Ctrl-C and add TORCH=cpu: about {size_mb - cuda_mb + SMALL_TORCH_MB} MB"
            )
        else:
            size_mb += SMALL_TORCH_MB
    size = f"{size_mb / 1000:.1f} GB" if size_mb >= 1000 else f"{size_mb} MB"
    say(
        f"installing the {want['set']} set into {place} (Python {want['python']}): about {size} to "
        f"download, less what uv has in its cache{small}"
    )


def find_uv(checkout: Checkout) -> str:
    """Return the path of a uv that is new enough, installed into the checkout if need be.

    Raises:
        InstallError: there is none and no way to install it.
    """
    for candidate in (shutil.which("uv"), str(checkout.uv)):
        if candidate and uv_version(candidate) >= MIN_UV:
            return candidate
    checkout.own.mkdir(exist_ok=True)
    say("putting uv into .uv of this checkout (about 20 MB to download)")
    with tempfile.TemporaryDirectory(dir=checkout.own) as scratch:
        pip = find_pip(Path(scratch) / "venv")
        packages = Path(scratch) / "packages"
        locked = ["--require-hashes", "-r", str(checkout.requirements("uv"))]
        into = ["--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--target", str(packages)]
        run([*pip, "install", *into, *locked], pip_environment())
        (packages / "bin" / "uv").replace(checkout.uv)
    return str(checkout.uv)


def uv_version(uv: str) -> tuple[int, ...]:
    """Return the version that a uv says it has; empty when it does not start."""
    try:
        answer = run_quietly([uv, "--version"])
    except OSError:
        return ()
    match = re.match(r"uv (\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, match.groups())) if answer.returncode == 0 and match else ()


def find_pip(scratch_venv: Path) -> list[str]:
    """Return a command that runs pip: the user's own, else one in a throw-away environment.

    pip may install into a folder of ours even where Python is externally managed (PEP 668).

    Raises:
        InstallError: there is neither pip nor venv.
    """
    own = [sys.executable, "-m", "pip"]
    if run_quietly([*own, "--version"]).returncode == 0:
        return own
    if run_quietly([sys.executable, "-m", "venv", str(scratch_venv)]).returncode == 0:
        return [str(scratch_venv / "bin" / "python"), "-m", "pip"]
    raise InstallError(NO_INSTALLER.format(python=sys.executable))


def pip_environment() -> dict[str, str]:
    """Return the user's environment, less what would send pip elsewhere or touch their Python."""
    elsewhere = {"PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"}
    kept = {key: value for key, value in os.environ.items() if key not in elsewhere}
    return kept | {
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def uv_environment() -> dict[str, str]:
    """Return the user's environment with pip's index, proxy and certificate handed to uv."""
    meddling = {"VIRTUAL_ENV", "CONDA_PREFIX", "UV_TORCH_BACKEND", "UV_NO_VERIFY_HASHES"}
    environment = {key: value for key, value in os.environ.items() if key not in meddling}
    if any(name in environment for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX")):
        return environment
    settings = pip_settings()
    if "extra-index-url" in settings:
        # As pip does it. Safe here: whatever index a file comes from, its hash must be the locked.
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    for option, value in settings.items():
        environment.setdefault(PIP_TO_UV[option], value)
    return environment


def pip_settings() -> dict[str, str]:
    """Return what pip's files and variables say about where packages come from."""
    listing = run_quietly([sys.executable, "-m", "pip", "config", "list"]).stdout
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # the later wins, as in pip
        for option in PIP_TO_UV:
            match = re.search(rf"^{section}\.{option}=(.*)$", listing, re.MULTILINE)
            variable = f"PIP_{option.upper().replace('-', '_')}"
            value = os.environ.get(variable) if section == ":env:" else None
            if match:
                value = str(ast.literal_eval(match[1]))
            if value and value.lower() not in ("0", "false", "no", "off"):
                found[option] = " ".join(value.split())
    # pip passes over folders that are not there; uv stops.
    links = [
        link for link in found.pop("find-links", "").split() if "://" in link or Path(link).is_dir()
    ]
    if links:
        found["find-links"] = ",".join(links)
    return found


@contextmanager
def one_at_a_time(checkout: Checkout) -> Iterator[None]:
    """Hold the lock of the checkout, so that `make -j` installs once."""
    checkout.own.mkdir(exist_ok=True)
    with (checkout.own / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command in sight of the user.

    Raises:
        InstallError: it failed; it has printed why.
    """
    if subprocess.run(command, env=environment, check=False).returncode != 0:
        raise InstallError(
            f"this failed, for the reason above: {shlex.join(command)}\n"
            "Behind a proxy or a mirror: set it up for pip or uv as usual; both are heeded. "
            "Then run the same command again: what was downloaded is kept."
        )


def run_quietly(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Return the finished process with its output."""
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read_stamp(stamp: Path) -> dict[str, str]:
    """Return what a stamp says; empty when there is none or it says nothing."""
    try:
        found = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def python_version() -> str:
    """Return the version of the running Python as environments tell them apart, such as 3.11."""
    return ".".join(map(str, sys.version_info[:2]))


def sha256(path: Path) -> str:
    """Return the checksum of a file, in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def say(message: str) -> None:
    """Print a line on standard error."""
    print(f"endcap: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
