"""A whole exploration as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from endcap.explore.chapters import chapters, headlines
from endcap.explore.exploration import Exploration
from endcap.figures.page import fill_page
from endcap.figures.wording import duration, number, percent

DAY_S = 86_400.0
TEMPLATE = "page.html"


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of its data besides the findings.

    source: the name of the data set.
    snapshot_id: its version; empty when it is none.
    made: when the snapshot was made.
    warnings: what the ingest found odd.
    notes: what the ingest did to this source and why.
    """

    source: str
    snapshot_id: str = ""
    made: str = ""
    warnings: Sequence[str] = ()
    notes: Sequence[str] = ()


def render_page(found: Exploration, about: About) -> str:
    """Return the page.

    It forbids itself everything but its own style sheet, by a content security policy.
    """
    return fill_page(
        "endcap.explore",
        TEMPLATE,
        {
            "about": about,
            "facts": _facts(found),
            "headlines": headlines(found),
            "chapters": chapters(found),
        },
    )


def _facts(found: Exploration) -> tuple[tuple[str, str], ...]:
    facts = found.overview.profile
    return (
        (f"{facts.n_interactions:,}", found.overview.noun),
        (f"{facts.n_users:,}", "users"),
        (f"{facts.n_items:,}", "items"),
        (duration(facts.n_days * DAY_S), "from first to last"),
        (number(facts.median_per_user), "per user, median"),
        (percent(facts.density), "of all pairs occur"),
        (percent(facts.repeat_share), "are repeats"),
        (f"{found.concentration.gini:.2f}", "Gini of the items"),
    )
