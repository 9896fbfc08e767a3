"""Writes what can be read off the code: docs/reference/*.md and endcap.example.toml.

`--check` writes nothing and fails when a file is not what the code says. Guides and reasons are
written by people and stand elsewhere in docs/.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from endcap.cli import app
from endcap.schema.errors import EndcapError
from endcap.serving.metrics import ServingMetrics
from endcap.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parent.parent
NOTE = "<!-- Written by `make reference` from the code; edit the code. -->"


def commands_page() -> str:
    """Return the page of every command with its arguments, options and examples."""
    root: Any = typer.main.get_command(app)
    parts = [
        "# Commands",
        NOTE,
        str(root.help),
        "`endcap COMMAND --help` says the same at the terminal.",
        str(root.epilog).strip(),
    ]
    for name, command in verbs(root):
        arguments = [p for p in command.params if not p.opts[0].startswith("-")]
        usage = " ".join([f"endcap {name}", *(p.opts[0].upper() for p in arguments), "[OPTIONS]"])
        parts += [f"## {name}", str(command.help), f"```text\n{usage}\n```"]
        parts.append(table(("option", "value", "default", "meaning"), options(command.params)))
        if command.epilog:
            parts.append(command.epilog.strip())
    return page(parts)


def verbs(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (name, command) of every command; one of a group is named with it: `group command`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from verbs(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def options(parameters: list[Any]) -> Iterator[tuple[str, ...]]:
    """Yield the row of each argument and option of a command."""
    for parameter in parameters:
        if parameter.hidden:
            continue
        is_argument = not parameter.opts[0].startswith("-")
        names = [parameter.opts[0].upper()] if is_argument else parameter.opts
        shown = ", ".join(f"`{name}`" for name in [*names, *parameter.secondary_opts])
        default = "required" if parameter.required else value_text(parameter.default)
        kind = type_text(parameter.type_descriptor.annotation)
        yield shown, kind + (", repeatable" if parameter.multiple else ""), default, parameter.help


def settings_page() -> str:
    """Return the page of every setting with its environment variable, default and bounds."""
    parts = [
        "# Settings",
        NOTE,
        "Strongest first: a command's flag, the environment variable, `endcap.toml` in the folder "
        "where the command runs (or the file that `ENDCAP_CONFIG` names), the default. A name "
        "that does not exist is an error in each of them, never ignored.",
        "[`endcap.example.toml`](../../endcap.example.toml) holds every setting with its default.",
    ]
    for section, model in sections():
        parts += [f"## {section or 'top level'}", inspect.getdoc(model) or ""]
        rows = []
        for name, field in own_fields(model):
            variable = PREFIX + "__".join([*filter(None, section.split(".")), name]).upper()
            rows.append((f"`{name}`", f"`{variable}`", default_text(field), meaning(field)))
        parts.append(table(("setting", "variable", "default", "meaning"), rows))
    return page(parts)


def example_toml() -> str:
    """Return a settings file that says the defaults, each under its meaning."""
    lines = [
        "# Every setting with its default. Copy what you change to endcap.toml.",
        "# Written by `make reference` from the code; edit the code.",
    ]
    for section, model in sections():
        if section:
            lines += ["", f"[{section}]"]
        for name, field in own_fields(model):
            value = field.get_default(call_default_factory=True)
            given = f"{name} = {toml_value(value)}" if value is not None else f'# {name} = ""'
            lines += ["", f"# {meaning(field)}", given]
    return "\n".join(lines) + "\n"


def errors_page() -> str:
    """Return the page of every error that Endcap raises on purpose."""
    importlib.import_module("endcap.serving.app")  # rooms define finer kinds beside their use
    kinds = set(subclasses(EndcapError))
    rows = [
        (f"`{kind.__name__}`", str(kind.exit_code), first_sentence(kind))
        for kind in sorted(kinds, key=lambda kind: (kind.exit_code, kind.__name__))
    ]
    return page(
        [
            "# Errors",
            NOTE,
            "Each is an `EndcapError` and says what is wrong, where, and how to mend it. A command "
            "prints that on one line and ends with the exit code; the server answers with problem "
            "details (RFC 9457).",
            table(("error", "exit code", "when"), rows),
        ]
    )


def subclasses(kind: type[EndcapError]) -> Iterator[type[EndcapError]]:
    """Yield every kind of an error, and the kinds of those."""
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def metrics_page() -> str:
    """Return the page of every metric of the server."""
    metrics = ServingMetrics()
    metrics.watch_impressions(NoImpressions())  # type: ignore[arg-type]  # only its counts are read
    labels = {
        family.name: getattr(collector, "_labelnames", ())
        for collector, names in metrics.registry._collector_to_names.items()
        for family in collector.collect()
    }
    suffix = {"counter": "_total", "info": "_info"}
    rows = [
        (
            f"`{family.name}{suffix.get(family.type, '')}`",
            family.type,
            ", ".join(f"`{label}`" for label in labels[family.name]),
            family.documentation,
        )
        for family in sorted(metrics.registry.collect(), key=lambda family: family.name)
    ]
    return page(
        [
            "# Metrics",
            NOTE,
            "What `/metrics` of a server says, in the text format of Prometheus.",
            table(("metric", "kind", "labels", "meaning"), rows),
        ]
    )


class NoImpressions:
    """An empty queue of slates, enough for its metrics to be named."""

    n_dropped = 0
    n_written = 0

    def __len__(self) -> int:
        return 0


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield (section, its model), each with those within it behind it; first what is in none."""
    yield from sections_of("", Settings)


def sections_of(section: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a section and those within it, whose names follow its own after a dot."""
    yield section, model
    for name, field in model.model_fields.items():
        if is_section(field):
            within = f"{section}.{name}" if section else name
            yield from sections_of(within, cast("type[BaseModel]", field.annotation))


def is_section(field: FieldInfo) -> bool:
    """Return whether the field holds the settings of a room."""
    return isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)


def own_fields(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Return the settings of a section, without deeper sections."""
    return [(n, field) for n, field in model.model_fields.items() if not is_section(field)]


def meaning(field: FieldInfo) -> str:
    """Return the description of a setting with its bounds."""
    if not field.description:
        raise ValueError(f"a setting has no description: {field!r}")
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    bounds = [
        f"{text} {getattr(constraint, name)}"
        for constraint in field.metadata
        for name, text in words.items()
        if hasattr(constraint, name)
    ]
    if not bounds:
        return field.description
    return f"{field.description.removesuffix('.')} ({', '.join(bounds)})."


def default_text(field: FieldInfo) -> str:
    """Return the default of a setting as a table shows it."""
    value = field.get_default(call_default_factory=True)
    return "none" if value is None else f"`{toml_value(value)}`"


def toml_value(value: object) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, SecretStr):
        raise TypeError("a secret has no default worth writing down")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_value(v)}" for key, v in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return json.dumps(str(value), ensure_ascii=False)


def value_text(value: object) -> str:
    """Return a default of an option as a table shows it."""
    if value is None or value == "":
        return ""
    return f"`{json.dumps(value)}`" if isinstance(value, bool) else f"`{value}`"


def type_text(annotation: Any) -> str:
    """Return the kind of value that an option takes."""
    names = {str: "text", int: "number", float: "number", bool: "flag", Path: "path"}
    return names.get(annotation) or str(getattr(annotation, "__name__", annotation))


def first_sentence(documented: object) -> str:
    """Return the first sentence of a docstring, without its full stop."""
    text = " ".join((inspect.getdoc(documented) or "").split("\n\n")[0].split())
    return text.rstrip(".")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        lines.append("| " + " | ".join(re.sub(r"\|", r"\\|", cell or "") for cell in row) + " |")
    return "\n".join(lines)


def page(parts: list[str]) -> str:
    """Return the parts with a blank line between them."""
    return "\n\n".join(part for part in parts if part) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/cli.md": commands_page,
    "docs/reference/settings.md": settings_page,
    "docs/reference/errors.md": errors_page,
    "docs/reference/metrics.md": metrics_page,
    "endcap.example.toml": example_toml,
}


def main(arguments: list[str]) -> int:
    """Return the exit code: 1 when `--check` found a file that is not what the code says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args(arguments).check
    n_stale = 0
    for name, make in PAGES.items():
        path, text = ROOT / name, make()
        if path.exists() and path.read_text() == text:
            continue
        n_stale += 1
        print(
            f"{name}: " + ("not what the code says; run `make reference`" if check else "written")
        )
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return 1 if check and n_stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
