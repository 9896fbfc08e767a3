"""One HTML file that needs nothing else, no network and no script, and forbids itself the rest."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from endcap.figures.inline_svg import inline_svg
from endcap.figures.section import Section

STYLE, CARD = "page.css", "card.html"
HERE = "endcap.figures"


def fill_page(
    room: str, template: str, values: Mapping[str, object], *, more_style: str = ""
) -> str:
    """Return a page: a template of a room, filled; every value is escaped unless it is `Markup`.

    The template finds the style sheet as `style` and, as `policy`, a content security policy that
    lets this sheet through and nothing else. `{% from "card.html" import card with context %}`
    gives it the macro that shows a section.

    Args:
        room: the package that the template and the added style lie in.
        template: its file name.
        values: what the template names, all of it.
        more_style: the file name of a style sheet to put behind the common one; none when empty.
    """
    style = _text(HERE, STYLE) + (_text(room, more_style) if more_style else "")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    environment = Environment(
        loader=FunctionLoader(lambda name: _text(HERE if name == CARD else room, name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template).render(
        draw=_draw,
        style=Markup(style),  # noqa: S704 - our own files
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'",
        **values,
    )


def _draw(section: Section, chapter: str) -> Markup:
    if section.plot is None:
        return Markup()
    label = f"{section.title}. {section.says}"
    svg = inline_svg(section.plot(), key=f"{chapter}-{section.key}", label=label)
    return Markup(svg)  # noqa: S704 - escaped by the serialiser


def _text(room: str, name: str) -> str:
    return files(room).joinpath(name).read_text(encoding="utf-8")
