"""What groups get of the lists, on a terminal."""

from dataclasses import replace

import numpy as np
from rich.console import Console

from endcap.evaluation.lists.rivals import RandomRanking
from endcap.evaluation.metrics.exposure import measure_exposure
from endcap.evaluation.metrics.ground import POPULARITY, ground_of
from endcap.evaluation.report.exposure_table import render_exposure
from varied_shop import items_of, split_of

N_ITEMS, K = 40, 4


def found(*names: str):
    rng = np.random.default_rng(0)
    pairs = [(user, int(N_ITEMS * rng.random() ** 2)) for user in range(50) for _ in range(6)]
    split = split_of(
        pairs[:150], pairs[150:], n_users=50, items=items_of(category=[0, 1] * (N_ITEMS // 2))
    )
    targets = split.targets["all"]
    ranking = RandomRanking().fit(split.train, rng=rng)
    lists = ranking.recommend(targets.users, K, exclude_seen=False)
    return measure_exposure(
        dict.fromkeys(names, lists),
        targets,
        ground_of(split),
        k=K,
        n_replicates=20,
        rng=rng,
        min_items=1,
    )


def printed(result, width: int) -> str:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        for part in render_exposure(result, width=width):
            console.print(part)
    return capture.get()


def test_differences_of_each_attribute_and_shares_by_popularity():
    result = found("random", "als")
    text = printed(result, 110)
    lines = [line.split() for line in text.splitlines()]
    parity = result["category"]["als"].parity_difference.mean
    assert ["category", "parity", *[f"{parity:.4f}".removeprefix("0")] * 2] in lines
    assert sum(line[:1] == [POPULARITY] for line in lines) == 2, "parity and opportunity"
    for row in result[POPULARITY]["als"].rows:
        share = f"{row.exposure_share.mean:.1%}"
        expected = [*row.name.split(), f"{row.catalogue_share:.1%}", share, share]
        assert expected in lines, row.name


def test_models_that_do_not_fit_are_left_to_the_page():
    result = found(*(f"model_{n}" for n in range(8)))
    for width, n_shown in ((80, 3), (110, 5)):
        text = printed(result, width)
        assert max(map(len, text.splitlines())) <= width
        assert [f"model_{n}" in text for n in range(8)] == [n < n_shown for n in range(8)]


def test_without_popularity_there_are_no_shares_and_of_nothing_is_nothing():
    result = found("als")
    assert "Share of the exposure" in printed(result, 110)
    assert "Share of the exposure" not in printed({"category": result["category"]}, 110)
    assert render_exposure({}) == []


def test_a_hostile_name_is_text():
    """Of a list that somebody else made, and of a group: "[/b]" alone would stop the report."""
    of_model = found("als")[POPULARITY]["als"]
    rows = (replace(of_model.rows[0], name="[red]x[/red]"), *of_model.rows[1:])
    text = printed({POPULARITY: {"a[/b]": replace(of_model, rows=rows)}}, 110)
    assert "[red]x[/red]" in text
    assert "a[/b]" in text
