"""How commands speak: text for people, one JSON object for machines, errors on standard error."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)
"""Standard output, for results."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def emit_json(result: Mapping[str, Any]) -> None:
    """Write the result as one line of JSON on standard output."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS
    sys.stdout.write(orjson.dumps(result, default=_plain, option=options).decode() + "\n")


def day(ts_us: int) -> str:
    """Return the UTC date of a time in microseconds, as 31 Dec 2017."""
    return f"{datetime.fromtimestamp(ts_us / 1e6, tz=UTC):%-d %b %Y}"


def moment(ts_us: int) -> str:
    """Return a UTC time in microseconds as 2017-12-31 23:59:59."""
    return f"{datetime.fromtimestamp(ts_us / 1e6, tz=UTC):%Y-%m-%d %H:%M:%S}"


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")
