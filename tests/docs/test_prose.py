"""What people wrote by hand names only what exists: links, paths, commands, imports."""

import ast
import importlib
import re
import shlex
import textwrap
from pathlib import Path

import pytest
import typer

from endcap.cli import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md"))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)[1].split())
VARIABLES = {*re.findall(r"^([A-Z]+) =", MAKEFILE, re.MULTILINE), "QUICK", "UPGRADE"}
COMMANDS = typer.main.get_command(app).commands
KNOWN_PROGRAMS = {"git", "cd", "make", "endcap", "curl", "pip", "uv", "python3", "export", "cp"}

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(
    r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|<img[^>]*src=\"([^\"]+)\""
)
ROOM_PATH = re.compile(r"^(?:src|tests|docs|tools|requirements|benchmarks|\.ci|\.github)/[\w./-]+$")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(page):
    """Return the text outside fenced blocks, less the files yet to be written."""
    return re.sub(r"\*\*Write it\*\*: `[^`]+`", "", FENCE.sub("", page.read_text()))


def anchors(page):
    """Return the anchors that GitHub gives the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(page):
    """Return every command line in the console blocks, without its prompt and comments."""
    for language, body in FENCE.findall(page.read_text()):
        if language in ("console", "sh", "bash"):
            for line in body.replace("\\\n", " ").splitlines():
                text = line.removeprefix("$ ").strip()
                is_output = language == "console" and not line.startswith("$ ")
                if text and not text.startswith("#") and not is_output:
                    yield shlex.split(text, comments=True)


def test_the_pages_that_a_newcomer_needs_exist():
    names = {str(page.relative_to(ROOT)) for page in PAGES}
    assert {
        *("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/README.md"),
        *("docs/glossary.md", "docs/reference/cli.md", "docs/reference/settings.md"),
    } <= names


def dead_links(page):
    for target in ("".join(groups) for groups in LINK.findall(prose(page))):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        linked = (page.parent / path).resolve() if path else page
        checks_anchor = anchor and linked.suffix == ".md" and linked.exists()
        if not linked.exists() or (checks_anchor and anchor not in anchors(linked)):
            yield target


@pages
def test_links_lead_somewhere(page):
    assert list(dead_links(page)) == []


@pages
def test_paths_in_the_text_exist(page):
    named = [name for name in re.findall(r"`([^`\n]+)`", prose(page)) if ROOM_PATH.match(name)]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pages
def test_commands_in_blocks_exist(page):
    for words in commands(page):
        while words and re.match(r"^[A-Z_]+=", words[0]):
            words.pop(0)
        program = words[0].removeprefix(".venv/bin/")
        assert program in KNOWN_PROGRAMS, f"{program}: not checked here; add a check"
        if program == "make":
            check_make(words[1:])
        if program == "endcap":
            check_endcap(words[1:])


@pages
def test_commands_in_the_text_exist(page):
    for text in re.findall(r"`((?:make|endcap) [^`\n]+)`", prose(page)):
        if "…" in text or "..." in text or "COMMAND" in text or "TARGET" in text:
            continue
        program, *words = shlex.split(text)
        check_make(words) if program == "make" else check_endcap(words)


def check_make(words):
    targets = [word for word in words if "=" not in word and not word.startswith("-")]
    variables = {word.partition("=")[0] for word in words if "=" in word}
    assert set(targets) <= TARGETS, f"make has no {set(targets) - TARGETS}"
    assert variables <= VARIABLES, f"the Makefile knows no {variables - VARIABLES}"


def check_endcap(words):
    if words[0].startswith("--"):
        assert words[0] in ("--help", "--version")
        return
    assert words[0] in COMMANDS, f"endcap has no command {words[0]}"
    command, *words = COMMANDS[words[0]], *words[1:]
    if hasattr(command, "commands") and words and not words[0].startswith("--"):
        assert words[0] in command.commands, f"endcap has no command {words[0]}"
        command, *words = command.commands[words[0]], *words[1:]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)}
    used = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert used <= known | {"--help"}, f"endcap {command.name} has no {used - known}"


@pages
def test_python_blocks_compile_and_import_what_exists(page):
    # Modules that the reader is to write; test_walkthroughs.py runs them.
    to_write = {
        path.replace("/", ".")
        for path in re.findall(r"\*\*Write it\*\*: `src/([^`]+)\.py`", page.read_text())
    }
    for language, body in FENCE.findall(page.read_text()):
        if language != "python":
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(body))):
            match node:
                case ast.ImportFrom(module=str(name)) if name in to_write:
                    continue
                case ast.ImportFrom(module=str(name), names=names) if name.startswith("endcap"):
                    module = importlib.import_module(name)
                    assert [n.name for n in names if not hasattr(module, n.name)] == []
                case ast.Import(names=names):
                    for alias in names:
                        importlib.import_module(alias.name)


def test_the_glossary_is_sorted_and_defines_each_term_once():
    terms = re.findall(r"^\*\*(.+?)\*\*", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    assert len(terms) > 20
    assert terms == sorted(set(terms), key=str.casefold)


def test_a_dead_link_would_be_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A heading\n[x](gone.md) [y](#no-such) [z](#a-heading) ![](gone.png)")
    assert list(dead_links(page)) == ["gone.md", "#no-such", "gone.png"]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (check_make, ["no-such-target"]),
        (check_make, ["demo", "DTAA=x"]),
        (check_endcap, ["no-such-command"]),
        (check_endcap, ["doctor", "--no-such-option"]),
        (check_endcap, ["simulate", "no-such-command"]),
        (check_endcap, ["simulate", "events", "--no-such-option"]),
    ],
)
def test_a_command_that_does_not_exist_would_be_found(check, words):
    with pytest.raises(AssertionError):
        check(words)
