"""The generated files that are measured: reviews of a published size, and a shop's log by days."""

from __future__ import annotations

from pathlib import Path

from endcap.simulate.presets import preset
from endcap.simulate.spec import EventSpec, Format
from endcap.simulate.write import write_events

HEADER_LINES = 1


def reviews(folder: Path, name: str, *, scale: float) -> Path:
    """Return a file of reviews with text, gzipped JSON lines, of a preset at some scale."""
    path = folder / f"{name}-{scale:g}.json.gz"
    if not path.exists():
        spec = preset(name)
        write_events(spec if scale == 1 else spec.scaled(scale), path, items_path=None)
    return path


def day_files(folder: Path, *, n_days: int, per_day: int) -> tuple[Path, Path]:
    """Return a folder with the log of all days but the last, a file a day, and the last day.

    The shop has as many users and items however long it is watched.
    """
    whole = folder / "whole.csv"
    past = folder / "past"
    past.mkdir(parents=True)
    spec = EventSpec(
        n_users=2 * per_day,
        n_items=per_day // 2,
        n_events=per_day * n_days,
        n_days=n_days,
        format=Format.CSV,
    )
    write_events(spec, whole, items_path=None)
    lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    header, rows = lines[:HEADER_LINES], lines[HEADER_LINES:]
    for nth in range(n_days):
        name = f"day-{nth:04d}.csv"
        target = past / name if nth < n_days - 1 else folder / name
        target.write_text("".join(header + rows[nth * per_day : (nth + 1) * per_day]))
    whole.unlink()
    return past, folder / f"day-{n_days - 1:04d}.csv"
