"""Numbers, shares and times as people read them.

No sentence is composed here; those stand beside the numbers that they speak of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from endcap.schema.types import SECOND_US

_SPANS = ((86_400.0, "days"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def number(value: float) -> str:
    """Return a number with thousands apart, and decimals only where they say something."""
    if abs(value) >= 100 or value == round(value):
        return f"{value:,.0f}"
    shown = f"{value:,.1f}" if abs(value) >= 10 else f"{value:,.2f}"
    return shown.rstrip("0").rstrip(".")


def counted(n: int, one: str, many: str) -> str:
    """Return a count with its noun in the right form: 1 day, 2 days."""
    return f"{n:,} {one if n == 1 else many}"


def percent(share: float) -> str:
    """Return a share as a percentage that is never rounded to none or to all."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share < 0.00001:
        return "under 0.001%"
    if share < 0.001:
        return f"{100 * share:.1g}%"
    if share >= 0.9995:
        return "over 99.9%"
    return f"{share:.0%}" if 0.1 <= share <= 0.99 else f"{share:.1%}".replace(".0%", "%")


def duration(seconds: float) -> str:
    """Return a time span in the largest unit that leaves at least one: 45 s, 12 min, 3.2 h."""
    for length_s, unit in _SPANS:
        if seconds >= length_s:
            shown = number(round(seconds / length_s, 1))
            return "1 day" if (shown, unit) == ("1", "days") else f"{shown} {unit}"
    return "0 s" if seconds == 0 else "under 1 s"


def date(ts_us: int) -> str:
    """Return the UTC date of a time in microseconds, as 31 Dec 2017."""
    return f"{datetime.fromtimestamp(ts_us / SECOND_US, tz=UTC):%-d %b %Y}"


def listed(words: Sequence[str]) -> str:
    """Return words as a list in a sentence: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def minute(ts_us: int) -> str:
    """Return a UTC time in microseconds as 2017-12-31 23:59 UTC."""
    return f"{datetime.fromtimestamp(ts_us / SECOND_US, tz=UTC):%Y-%m-%d %H:%M} UTC"
