"""The formats that are known by sight, and what is known of each; `recognise` finds it.

To add one, add a `Pattern` to a table here; nothing else in the project knows a format.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from endcap.ingest.shapes import (
    amazon,
    movielens,
    online_retail,
    research,
    retailrocket,
    yoochoose,
)
from endcap.ingest.shapes.match import MADE_UP_TIMES, find_shape
from endcap.ingest.shapes.shape import (
    ORDER,
    ORDER_EPOCH_S,
    UNSAID,
    Companion,
    Derived,
    Dialect,
    Holds,
    Pattern,
    Reading,
    Rule,
    Shape,
    plain,
    rule_fields,
    rule_reasons,
)

__all__ = [
    "MADE_UP_TIMES",
    "ORDER",
    "ORDER_EPOCH_S",
    "PATTERNS",
    "UNSAID",
    "Companion",
    "Derived",
    "Dialect",
    "Holds",
    "Pattern",
    "Reading",
    "Rule",
    "Shape",
    "plain",
    "recognise",
    "recognise_any",
    "recognise_catalogue",
    "recognise_users",
    "rule_fields",
    "rule_reasons",
]

Sample = Sequence[Mapping[str, str | None]]

PATTERNS: tuple[Pattern, ...] = (
    *amazon.PATTERNS,
    *retailrocket.PATTERNS,
    *movielens.PATTERNS,
    *yoochoose.PATTERNS,
    *online_retail.PATTERNS,
    *research.PATTERNS,
)


def recognise(columns: Sequence[str], sample: Sample, *, file_name: str) -> Shape | None:
    """Return the known format of a file of interactions; None for one that is not known.

    Args:
        columns: the names in the first record, or its values where there is no header.
        sample: the records after it, as text.
        file_name: without folders.
    """
    return _of_kind(Holds.INTERACTIONS, columns, sample, file_name)


def recognise_catalogue(columns: Sequence[str], sample: Sample, *, file_name: str) -> Shape | None:
    """Return the known format of a catalogue; the arguments are those of `recognise`."""
    return _of_kind(Holds.ITEMS, columns, sample, file_name)


def recognise_users(columns: Sequence[str], sample: Sample, *, file_name: str) -> Shape | None:
    """Return the known format of a table of users; the arguments are those of `recognise`."""
    return _of_kind(Holds.USERS, columns, sample, file_name)


def recognise_any(
    columns: Sequence[str], sample: Sample, *, file_name: str
) -> tuple[Holds, Shape] | None:
    """Return what a file holds and its known format; `Holds.NOTHING` is known to be no use."""
    found = find_shape(PATTERNS, columns, sample, file_name=file_name)
    return (found[0].holds, found[1]) if found else None


def _of_kind(holds: Holds, columns: Sequence[str], sample: Sample, file_name: str) -> Shape | None:
    patterns = [pattern for pattern in PATTERNS if pattern.holds is holds]
    found = find_shape(patterns, columns, sample, file_name=file_name)
    return found[1] if found else None
