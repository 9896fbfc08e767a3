"""A figure as SVG that can stand inside a page: small, themeable, and without style attributes."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from endcap.figures.plots import THEME

if TYPE_CHECKING:
    from matplotlib.figure import Figure

XLINK = "{http://www.w3.org/1999/xlink}href"
TO_DROP = frozenset({"metadata", "style"})

_DECIMALS = re.compile(r"(-?\d+\.\d{2})\d+")
_REFERENCE = re.compile(r"#([\w.:-]+)")
_UNTURNED = re.compile(r"^rotate\(-?0(?:\.0+)? [^)]*\)$")


def inline_svg(figure: Figure, *, key: str, label: str) -> str:
    """Return the figure as one `<svg>` element for an HTML page.

    Colours of `plots.THEME` become the page's variables, so that the page decides about light
    and dark. Text stays text, in the page's font. The same figure gives the same bytes.

    Args:
        figure: what to show.
        key: put before every id, so that two figures in one page do not meet.
        label: what it shows, for those who do not see it.
    """
    # Nothing but matplotlib's own output is parsed, so no hostile entity can be in it.
    root = ElementTree.fromstring(_svg_of(figure))  # noqa: S314 - see above
    _tidy(root, frozenset(_REFERENCE.findall(ElementTree.tostring(root, encoding="unicode"))), key)
    for size in ("width", "height", "version"):
        root.attrib.pop(size, None)
    root.attrib.update({"role": "img", "aria-label": label})
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _svg_of(figure: Figure) -> str:
    import matplotlib

    buffer = io.StringIO()
    # "none": letters stay letters. The salt: names of clip paths are the same in every run.
    options: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": "endcap"}
    with matplotlib.rc_context(options), warnings.catch_warnings():
        # The page's fonts have the letters that the font for measuring may lack.
        warnings.filterwarnings("ignore", r"Glyph .* missing from (?:current )?font", UserWarning)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def _tidy(element: ElementTree.Element, referred: frozenset[str], key: str) -> None:
    """Rewrite an element and all below it in place."""
    element.tag = element.tag.rpartition("}")[2]
    for child in list(element):
        if child.tag.rpartition("}")[2] in TO_DROP:
            element.remove(child)
        else:
            _tidy(child, referred, key)
    element.attrib = dict(_attributes(element, referred, key))
    if element.tag != "text":
        element.text = None
    element.tail = None


def _attributes(
    element: ElementTree.Element, referred: frozenset[str], key: str
) -> list[tuple[str, str]]:
    found = []
    for name, value in element.attrib.items():
        if name == "style":
            found += _presentation(value)
        elif name == "id":
            found += [("id", f"{key}-{value}")] if value in referred else []
        elif name == XLINK:
            found.append(("href", f"#{key}-{value[1:]}"))
        elif name == "clip-path":
            found.append((name, value.replace("#", f"#{key}-")))
        elif not (name == "transform" and _UNTURNED.match(value)):
            found.append((name, " ".join(_DECIMALS.sub(r"\1", value).split())))
    return found


def _presentation(style: str) -> list[tuple[str, str]]:
    """Return a style as attributes, which a strict content security policy lets through."""
    found = []
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name and name != "font-family":
            theme = THEME.get(value.lower())
            found.append((name, f"var(--{theme})" if theme else value))
    return found
