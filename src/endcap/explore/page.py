"""A whole exploration as one HTML file that needs nothing else: no network, no script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from endcap.explore.chapters import chapters, headlines
from endcap.explore.exploration import Exploration
from endcap.explore.inline_svg import inline_svg
from endcap.explore.section import Section
from endcap.explore.wording import duration, number, percent

DAY_S = 86_400.0
TEMPLATE = "page.html"
STYLE = "page.css"


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
    style = _text(STYLE)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=FunctionLoader(_text), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template(TEMPLATE).render(
        about=about,
        style=Markup(style),  # noqa: S704 - our own file
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'",
        facts=_facts(found),
        headlines=headlines(found),
        chapters=chapters(found),
        draw=_draw,
    )


def _draw(section: Section) -> Markup:
    if section.plot is None:
        return Markup()
    label = f"{section.title}. {section.says}"
    svg = inline_svg(section.plot(), key=section.key, label=label)
    return Markup(svg)  # noqa: S704 - escaped by the serialiser


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


def _text(name: str) -> str:
    return files("endcap.explore").joinpath(name).read_text(encoding="utf-8")
