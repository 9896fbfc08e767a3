import itertools
import math

import pytest

from endcap.figures.dots import Dot, Mean, Point, grouped_dots, labelled_points, sideways_dots
from endcap.figures.inline_svg import inline_svg
from endcap.figures.plots import ACCENT, MUTED, SECOND

HOSTILE = "$x^$ <script>"


def lines_of(figure, *, colour):
    """Return the drawn lines of a colour that have two ends."""
    lines = figure.axes[0].get_lines()
    return [line for line in lines if line.get_color() == colour and len(line.get_xdata()) == 2]


def markers_of(figure):
    lines = figure.axes[0].get_lines()
    return [line for line in lines if line.get_marker() not in ("None", None, "")]


def test_each_row_has_its_dot_its_interval_and_its_text():
    dots = [
        Dot("als", Mean(0.3, 0.2, 0.4)),
        Dot("popular", Mean(0.2, 0.1, 0.25), "reference"),
        Dot("random", Mean(0.01), "chance"),
    ]
    figure = sideways_dots(dots, measures="NDCG", texts=["a", "b", "c"])
    marks = markers_of(figure)
    assert [(m.get_xdata()[0], m.get_ydata()[0]) for m in marks] == [(0.3, 0), (0.2, 1), (0.01, 2)]
    assert [m.get_marker() for m in marks] == ["o", "D", "o"]
    assert [m.get_markerfacecolor() for m in marks] == [ACCENT, SECOND, "none"]
    assert [list(line.get_xdata()) for line in lines_of(figure, colour=ACCENT)] == [[0.2, 0.4]]
    spans = [list(line.get_xdata()) for line in lines_of(figure, colour=SECOND)]
    assert spans == [[0.1, 0.25], [0.2, 0.2]]  # the interval, and the dashed line
    assert lines_of(figure, colour=MUTED) == []
    assert {text.get_text() for text in figure.axes[0].texts} == {"a", "b", "c"}


def test_a_place_without_an_interval_is_hollow():
    means = [Mean(0.1, 0.05, 0.2), Mean(0.2)]
    figure = grouped_dots(["few", "many"], [("als", "plain", means)], x="users", y="NDCG")
    faces = [mark.get_markerfacecolor() for mark in markers_of(figure)]
    assert faces[:2] == [ACCENT, "none"]
    assert len(lines_of(figure, colour=ACCENT)) == 1


def test_names_of_points_cover_neither_each_other_nor_a_point():
    points = [Point(f"model {n}", Mean(0.5 + 0.01 * n), Mean(0.3 + 0.004 * n)) for n in range(6)]
    figure = labelled_points(points, x="Diversity", y="NDCG")
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert {text.get_text() for text in axes.texts} == {point.name for point in points}
    boxes = [text.get_window_extent() for text in axes.texts]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    places = axes.transData.transform([(point.x.value, point.y.value) for point in points])
    assert sum(box.count_contains(places) for box in boxes) == 0


@pytest.mark.parametrize(("lowest", "scale"), [(0.3, "linear"), (0.001, "log"), (0.0, "linear")])
def test_the_axis_is_logarithmic_where_it_spans_decades(lowest, scale):
    points = [Point("a", Mean(lowest), Mean(0.1)), Point("b", Mean(0.4), Mean(0.2))]
    assert labelled_points(points, x="x", y="y").axes[0].get_xscale() == scale


def test_names_are_text_whatever_stands_in_them():
    mean = Mean(0.1, 0.05, 0.2)
    figures = [
        sideways_dots([Dot(HOSTILE, mean)], measures="m", texts=[HOSTILE]),
        labelled_points([Point(HOSTILE, mean, mean), Point("b", Mean(0.3), mean)], x="x", y="y"),
        grouped_dots([HOSTILE, "b"], [(HOSTILE, "plain", [mean, mean])], x="x", y="y"),
    ]
    for number, figure in enumerate(figures):
        svg = inline_svg(figure, key=f"f{number}", label="x")
        assert "$x^$ &lt;script&gt;" in svg
        assert "<script" not in svg


def test_a_mean_of_nothing_draws_no_line():
    figure = sideways_dots([Dot("a", Mean(0.1, math.nan, math.nan))], measures="m", texts=["-"])
    assert lines_of(figure, colour=ACCENT) == []
