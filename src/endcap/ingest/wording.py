"""How checks write shares, times and numbers for people, the same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

from endcap.schema.types import DAY_US, SECOND_US

HOUR_US = 3600 * SECOND_US


def per_cent(share: float) -> str:
    """Return a share as text: 12.3 %, with more digits where there would only be zeros."""
    if share == 0:
        return "0 %"
    if share >= 0.0995:
        return f"{100 * share:.1f} %"
    return f"{100 * share:.2g} %" if share >= 1e-5 else "less than 0.001 %"


def date(ts_us: int) -> str:
    """Return a time as `31 Dec 2017`, with hour and minute unless it is midnight, UTC."""
    moment = datetime.fromtimestamp(ts_us // SECOND_US, tz=UTC)
    return f"{moment:%-d %b %Y}" + ("" if ts_us % DAY_US == 0 else f" {moment:%H:%M}")


def number(value: float) -> str:
    """Return a number as people write it: 1,204 or 0.25; a fraction in four digits."""
    is_long = abs(value) >= 1000 or float(value).is_integer()
    return f"{value:,.0f}" if is_long else f"{value:.4g}"


def duration(us: float) -> str:
    """Return a length of time in the unit that suits it."""
    if us >= 2 * DAY_US:
        return f"{us / DAY_US:,.1f} days"
    if us >= 2 * HOUR_US:
        return f"{us / HOUR_US:,.1f} hours"
    return f"{us / (60 * SECOND_US):,.0f} minutes"


def short(text: str, *, limit: int) -> str:
    """Return the text on one line, cut to so many characters."""
    plain = " ".join(text.split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"
