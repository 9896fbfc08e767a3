"""The verbs that make data up, for measuring speed and memory: simulate events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer

from endcap.cli.output import JsonFlag, emit_json, out
from endcap.schema.errors import SettingsError
from endcap.simulate.presets import preset as preset_of
from endcap.simulate.spec import EventSpec, Format
from endcap.simulate.write import write_events

SIMULATE_EXAMPLES = """
**Examples**: `endcap simulate events --preset electronics-2014 --out reviews.json.gz`
"""
EVENTS_EXAMPLES = """
**Examples**:
`endcap simulate events --users 1e6 --items 1e7 --events 2e7 --out events.csv.zst`,
`endcap simulate events --preset electronics-2014 --out reviews.json.gz --items-out meta.json.gz`,
`endcap simulate events --users 2000 --items 500 --events 20_000 --format retailrocket --out e.csv`
"""
LARGEST = Decimal(10) ** 18

OutFile = Annotated[
    Path,
    typer.Option("--out", help="The file of events; an ending .gz or .zst says how it is packed."),
]
ItemsFile = Annotated[
    Path | None, typer.Option("--items-out", help="A file for the catalogue that goes with it.")
]
Users = Annotated[
    str | None, typer.Option("--users", help="How many users act, such as 1e6 or 1_000_000.")
]
Items = Annotated[str | None, typer.Option("--items", help="How many items the catalogue has.")]
Events = Annotated[
    str | None, typer.Option("--events", help="How many events to write, repeats included.")
]
Preset = Annotated[
    str | None,
    typer.Option(help="A published size and shape: electronics-2014 or electronics-2018."),
]
Scale = Annotated[
    float, typer.Option(help="So many times the users, items and events that were asked for.")
]
Form = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="amazon-2014, amazon-2018, amazon-2023, retailrocket, csv or jsonl; csv, or what the "
        "preset says.",
    ),
]
Days = Annotated[
    str | None, typer.Option("--days", help="How long it lasts; 365, or what the preset says.")
]
Start = Annotated[
    str | None,
    typer.Option(help="The first day, UTC; 2024-01-01, or what the preset says."),
]
Seed = Annotated[str, typer.Option(help="A whole number; the same one gives the same bytes.")]
Text = Annotated[bool, typer.Option(help="Write reviews with words, or with empty texts.")]
Duplicates = Annotated[
    float, typer.Option(help="Share of the events that repeat another one, half of them exactly.")
]
Bots = Annotated[float, typer.Option(help="Share of the visits that programs make.")]
Growth = Annotated[
    float | None,
    typer.Option(
        help="How many times more happens at the end than at the start; 1, or a preset's."
    ),
]
LeastPerUser = Annotated[
    str | None,
    typer.Option("--min-per-user", help="What each user does at least; 1, or a preset's."),
]
LeastPerItem = Annotated[
    str | None,
    typer.Option("--min-per-item", help="What each item gets at least; 0, or a preset's."),
]

simulate = typer.Typer(no_args_is_help=True, rich_markup_mode="markdown")


@simulate.callback(epilog=SIMULATE_EXAMPLES)
def about() -> None:
    """Make data up, at any size, to measure speed and memory; it tells nothing about quality."""


@simulate.command("events", epilog=EVENTS_EXAMPLES)
def simulate_events(
    out_file: OutFile,
    items_file: ItemsFile = None,
    users: Users = None,
    items: Items = None,
    events: Events = None,
    preset: Preset = None,
    scale: Scale = 1.0,
    form: Form = None,
    days: Days = None,
    start: Start = None,
    seed: Seed = "0",
    text: Text = True,
    duplicates: Duplicates = 0.0,
    bots: Bots = 0.0,
    growth: Growth = None,
    min_per_user: LeastPerUser = None,
    min_per_item: LeastPerItem = None,
    as_json: JsonFlag = False,
) -> None:
    """Write made-up events of any number, sorted by time, in the form of a known data set."""
    numbers = {
        "n_users": whole_number(users, "--users"),
        "n_items": whole_number(items, "--items"),
        "n_events": whole_number(events, "--events"),
        "n_days": whole_number(days, "--days"),
        "min_per_user": whole_number(min_per_user, "--min-per-user"),
        "min_per_item": whole_number(min_per_item, "--min-per-item"),
    }
    said: dict[str, object] = {
        name: value
        for name, value in (*numbers.items(), ("format", form), ("growth", growth))
        if value is not None
    }
    if start is not None:
        said["start"] = _day(start)
    said["seed"] = whole_number(seed, "--seed")
    said |= {"text": text, "duplicates": duplicates, "bots": bots}
    spec = _spec(preset, said).scaled(scale)
    written = write_events(spec, out_file, items_path=items_file)
    if as_json:
        emit_json({"path": out_file, "items_path": items_file, **asdict(written)})
        return
    out.print(
        f"  {written.n_events:,} events of {written.n_users:,} users with {written.n_items:,} of "
        f"{spec.n_items:,} items in {out_file}, {written.n_bytes / 1e6:,.1f} MB"
    )
    if items_file is not None:
        out.print(f"  {spec.n_items:,} items in {items_file}")


def whole_number(text: str | None, flag: str) -> int | None:
    """Return the number that a person wrote as 1000000, 1e6, 2.5e5 or 1_000_000; None if none.

    Raises:
        SettingsError: it is no whole number from 0.
    """
    if text is None:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= LARGEST or number != int(number):
        raise SettingsError(
            f"{text!r} is no whole number", where=flag, mend="Write 1000000, 1e6 or 1_000_000"
        )
    return int(number)


def _spec(preset: str | None, said: Mapping[str, Any]) -> EventSpec:
    """Return the spec that the flags ask for, on top of a preset if there is one."""
    flags = {"n_users": "--users", "n_items": "--items", "n_events": "--events"}
    if preset is None:
        missing = [flag for name, flag in flags.items() if name not in said]
        if missing:
            raise SettingsError(
                f"nothing says how large it is to be: {', '.join(missing)}",
                mend="Say --users, --items and --events, or take a --preset",
            )
        return EventSpec(**said)
    both = [flag for name, flag in flags.items() if name in said]
    if both:
        raise SettingsError(
            f"--preset says the size, and so does {both[0]}",
            where=both[0],
            mend="Leave one out, or change the size with --scale",
        )
    return replace(preset_of(preset), **said)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(
            f"{text!r} is no day", where="--start", mend="Write it as 2024-01-31"
        ) from error
