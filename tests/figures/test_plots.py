import re

import numpy as np

from endcap.figures.inline_svg import inline_svg
from endcap.figures.plots import clipped, new_axes, sideways_bars


def test_figures_of_two_sections_share_no_id():
    figure, axes = new_axes()
    axes.plot([0, 1], [0, 1])
    one, two = (inline_svg(figure, key=key, label="x") for key in ("a", "b"))
    ids = [set(re.findall(r'id="([^"]+)"', svg)) for svg in (one, two)]
    assert ids[0]
    assert ids[0].isdisjoint(ids[1])
    assert re.findall(r"url\(#a-[^)]+\)", one)


def test_a_label_and_a_name_are_text_whatever_stands_in_them():
    figure, _ = sideways_bars(["$x^$ <i>", "日本 🥧"], np.array([1, 2]), ["$5", "6"])
    svg = inline_svg(figure, key="k", label='"quoted" <label>')
    assert "$x^$ &lt;i&gt;" in svg
    assert "日本 🥧" in svg
    assert ">$5<" in svg
    assert "<i>" not in svg
    assert 'aria-label="&quot;quoted&quot; &lt;label&gt;"' in svg


def test_names_beside_plots_are_short_and_printable():
    assert clipped("tea\x00\n") == "tea"
    assert clipped("x" * 40) == "x" * 25 + "…"
