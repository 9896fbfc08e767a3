"""What groups of items get of the lists, on a terminal: differences, and groups by popularity."""

from __future__ import annotations

from collections.abc import Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from endcap.evaluation.metrics.exposure import ExposureResult
from endcap.evaluation.metrics.ground import POPULARITY
from endcap.evaluation.report.table import short

_MODEL_COLUMNS = 12
_FIRST_COLUMNS = 40


def render_exposure(
    found: Mapping[str, Mapping[str, ExposureResult]], *, width: int = 110
) -> list[Table | Text]:
    """Return the tables of one view; none when there are no groups.

    Args:
        found: by attribute, then by model, as `measure_exposure` returns it.
        width: models that do not fit beside each other are left to the page and the JSON.
    """
    if not found:
        return []
    models = list(next(iter(found.values())))[: max(1, (width - _FIRST_COLUMNS) // _MODEL_COLUMNS)]
    parts: list[Table | Text] = [
        Text("Exposure of groups of items: 0 is the same for all", style="bold cyan"),
        _differences(found, models),
    ]
    if POPULARITY in found:
        parts += [
            Text("Share of the exposure by popularity of the item", style="bold cyan"),
            _shares(found[POPULARITY], models),
        ]
    return [*parts, Text(_CAPTION, style="dim")]


_CAPTION = (
    "Parity: what an item of the most exposed group gets, minus the least, over the sum for all "
    "groups. Opportunity: share of a user's targets in a group that is listed, largest group minus "
    "smallest. Both are never below 0 and few users inflate them: compare with random. Places "
    "count 1 / log2(rank + 1)."
)


def _differences(found: Mapping[str, Mapping[str, ExposureResult]], models: list[str]) -> Table:
    table = _start(("groups by", "difference"), models)
    for attribute, of_model in found.items():
        for what in ("parity", "opportunity"):
            cells = []
            for name in models:
                difference = getattr(of_model[name], f"{what}_difference")
                cells.append(short(difference.mean))
            table.add_row(attribute, what, *cells)
    return table


def _shares(of_model: Mapping[str, ExposureResult], models: list[str]) -> Table:
    table = _start(("group", "of the catalogue"), models)
    for place, row in enumerate(of_model[models[0]].rows):
        shares = [of_model[name].rows[place].exposure_share.mean for name in models]
        cells = [f"{share:.1%}" for share in (row.catalogue_share, *shares)]
        table.add_row(Text(row.name), *cells)
    return table


def _start(first: tuple[str, str], models: list[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column(first[0], no_wrap=True, max_width=24)
    table.add_column(first[1], no_wrap=True, max_width=18)
    for name in models:
        table.add_column(Text(name), justify="right", no_wrap=True, max_width=_MODEL_COLUMNS - 2)
    return table
