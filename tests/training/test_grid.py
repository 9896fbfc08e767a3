"""The published grids on ratings in which there is nothing to learn."""

import json
from dataclasses import replace

import pytest

from endcap.features.weights import DEFAULT_WEIGHTS
from endcap.schema.errors import SettingsError
from endcap.training.config import TrainingConfig
from endcap.training.grid import CHOSEN_BY, METRICS, ROUNDS, best_of, row_name, run_grid
from endcap.training.grid_report import render_grid_text
from endcap.training.judge_seeds import judge_seed_1, judge_seed_2
from endcap.training.presets import preset_of, where_predictions_lie
from endcap.training.tracking import CLOSED, Entry
from rated import electronics_like

CONFIG = TrainingConfig(bootstrap_replicates=100)
SMALL = {
    "round 1": {(4, 0.1): (1.35, 0.798, 0.8625), (8, 0.1): (1.33, 0.798, 0.8633)},
    "round 2": {(4, 0.1): (1.35, 0.798, 0.8625), (4, 0.4): (1.25, 0.7981, 0.866)},
}


@pytest.fixture(scope="module")
def data():
    return electronics_like(n_rows=8_000, n_users=900, n_items=150)


@pytest.fixture(scope="module")
def grid(data):
    return run_grid(data, config=CONFIG, entry=Entry(CLOSED, ""), rounds=SMALL)


def test_the_grids_are_those_that_were_published():
    first, second = ROUNDS["round 1"], ROUNDS["round 2"]
    assert set(first) == {(rank, reg) for rank in (32, 50, 64) for reg in (0.05, 0.1, 0.2)}
    assert set(second) == {(32, reg) for reg in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)}
    assert all(second[setting] == first[setting] for setting in set(first) & set(second))


def test_every_setting_is_fitted_once_and_stands_beside_what_knows_nothing(grid):
    assert list(grid.evaluation.rows) == [
        *("global_mean", "constant_five", "random", "oracle"),
        *("als_4_0.1", "als_8_0.1", "als_4_0.4", "biased_mean", "biased_mf"),
    ]
    assert list(grid.fit_s) == ["als_4_0.1", "als_8_0.1", "als_4_0.4"]
    assert set(grid.fit_s) <= set(grid.evaluation.behind("rmse")), "a constant is nearer"


def test_a_grid_fits_as_the_protocol_does(data, grid):
    """One RMSE two ways; the draws of random scores differ, fits do not depend on the others."""
    alone = run_grid(
        data,
        config=CONFIG,
        entry=Entry(CLOSED, ""),
        rounds={"round 2": {(4, 0.4): (1.25, 0.7981, 0.866)}},
    )
    row = "als_4_0.4"
    assert alone.evaluation.rows[row]["rmse"].mean == grid.evaluation.rows[row]["rmse"].mean
    seeded = judge_seed_2(data, config=CONFIG, grid=((4, 0.4),))
    assert seeded.facts == grid.evaluation.facts
    assert seeded.rows[row]["rmse"].mean == pytest.approx(
        grid.evaluation.rows[row]["rmse"].mean, abs=0.05
    )


def test_each_round_chooses_by_its_own_metric(grid):
    rows = grid.evaluation.rows
    assert CHOSEN_BY == {"round 1": "rmse", "round 2": "precision@10"}
    assert grid.best["round 1"] == min(
        ("als_4_0.1", "als_8_0.1"), key=lambda row: rows[row]["rmse"].mean
    )
    best = rows[best_of(grid.evaluation, "round 2", SMALL["round 2"])]
    assert best["precision@10"].mean == max(
        rows[row_name(setting)]["precision@10"].mean for setting in SMALL["round 2"]
    )


def test_the_table_shows_published_and_own_numbers_and_what_they_are_worth(grid):
    text = render_grid_text(grid, width=110)
    for expected in ("round 1", "round 2", "global_mean", "random", "1.35", "0.8660"):
        assert expected in text
    assert "cannot tell models apart" in text
    rmse = grid.evaluation.rows["als_8_0.1"]["rmse"].mean
    assert f"{rmse:.4f}" in text


def test_the_record_is_json_with_what_was_published(grid):
    record = json.loads(json.dumps(grid.to_dict(), allow_nan=False))
    first = record["rounds"]["round 1"][0]
    assert first["row"] == "als_4_0.1"
    assert tuple(first["published"].values()) == SMALL["round 1"][4, 0.1]
    assert set(METRICS) <= set(record["rows"][first["row"]])
    assert record["best"] == dict(grid.best)


def test_the_published_network_is_a_preset_and_says_where_it_ends(data, monkeypatch):
    known = judge_seed_1(data, config=CONFIG, with_network=False)
    facts = {
        "network_share_at_half": 0.912,
        "network_most_prediction": 0.5125,
        "network_train_mse_by_epoch": "0.5437, 0.2194",
        "constant_half_train_mse": 0.1794,
    }
    monkeypatch.setattr(
        "endcap.training.presets.judge_seed_1",
        lambda data, *, config, sparse, weights: replace(known, facts={**known.facts, **facts}),
    )
    evaluation = preset_of("two_tower", "seed-1")(data, CONFIG, DEFAULT_WEIGHTS)
    told = where_predictions_lie(evaluation)
    assert "To 91.2% of the held-out rows the network says 0.5" in told
    assert "up to 0.5125" in told
    assert "0.5437, 0.2194; that of the constant 0.5: 0.1794" in told
    assert where_predictions_lie(known) == ""


def test_a_preset_that_is_not_there_is_refused():
    with pytest.raises(SettingsError, match="has no preset 'seed-3'"):
        preset_of("two_tower", "seed-3")
