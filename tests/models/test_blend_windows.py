"""Rules learnt from several windows of time: what sold in one of them is no rule."""

import numpy as np
import pytest

from endcap.models.blend.config import BlendConfig
from endcap.models.blend.fusion import Asked, joined
from endcap.models.blend.ranked import RankedBlend
from endcap.models.blend.rule import Window, learn_rule
from endcap.models.popular import Popular
from endcap.models.ranker.candidates import merge_lists
from endcap.models.ranker.config import RankerConfig
from endcap.schema.types import NO_ITEM, TopK
from endcap.testing.toy_data import planted_tastes

N_USERS, N_ITEMS, WIDTH = 150, 60, 20
SEASONS = np.random.default_rng(9).permutation(N_ITEMS).reshape(-1, 3)
LEARNS = BlendConfig(
    members=("one", "other"),
    ranker=RankerConfig(min_users=20, min_leaf=5, max_rounds=40, patience=10, n_threads=1),
)


def lists_of(rng, width=WIDTH):
    items = np.array([rng.permutation(N_ITEMS)[:width] for _ in range(N_USERS)], dtype=np.int32)
    return TopK(items, -np.arange(width, dtype=np.float32) * np.ones((N_USERS, 1), np.float32))


def window(seed):
    """Lists of chance, of which everybody takes the same few items: those of the season.

    The one feature names the item, so that trees can learn the season and nothing else.
    """
    rng = np.random.default_rng(seed)
    candidates = merge_lists([lists_of(rng), lists_of(rng)])
    in_season = SEASONS[seed]
    is_target = np.isin(candidates.items, in_season)
    asked = Asked(candidates, is_target, np.full(N_USERS, len(in_season)))

    def describe(rows, some):
        row, column = np.nonzero(some.is_real)
        return ("item",), some.items[row, column].astype(np.float32)[:, np.newaxis]

    return Window(asked, describe)


def test_one_window_takes_its_season_for_a_rule():
    assert learn_rule([window(0)], config=LEARNS, seed=0).ranker is not None


def test_several_windows_show_that_a_season_is_none():
    rule = learn_rule([window(seed) for seed in range(4)], config=LEARNS, seed=0)
    assert rule.ranker is None
    assert rule.quality["lead"] <= 1


def test_a_window_is_judged_by_the_others_alone():
    """Two windows of the same season: what one teaches holds in the other."""
    rule = learn_rule([window(0), window(0)], config=LEARNS, seed=0)
    assert rule.ranker is not None
    assert rule.quality["learned"] > 2 * rule.quality["floor"]


def test_windows_of_different_widths_are_joined():
    rng = np.random.default_rng(3)
    parts = []
    for width in (4, 9):
        candidates = merge_lists([lists_of(rng, width), lists_of(rng, width)])
        is_target = candidates.items == candidates.items[:, :1]
        parts.append(Asked(candidates, is_target, np.ones(N_USERS, dtype=np.int64)))
    both = joined(parts)
    assert len(both) == 2 * N_USERS
    for start, part in zip((0, N_USERS), parts, strict=True):
        own = both.take(np.arange(start, start + N_USERS))
        width = part.candidates.items.shape[1]
        np.testing.assert_array_equal(own.candidates.items[:, :width], part.candidates.items)
        np.testing.assert_array_equal(own.candidates.places[..., :width], part.candidates.places)
        np.testing.assert_array_equal(own.candidates.scores[..., :width], part.candidates.scores)
        np.testing.assert_array_equal(own.is_target[:, :width], part.is_target)
        assert (own.candidates.items[:, width:] == NO_ITEM).all()
        assert not own.is_target[:, width:].any()
        scores = rng.random(part.is_target.shape)
        padded = np.pad(scores, [(0, 0), (0, both.is_target.shape[1] - width)])
        np.testing.assert_array_equal(own.ndcg(padded, 5), part.ndcg(scores, 5))


@pytest.mark.parametrize(("days", "n_fits"), [(None, 2), (8.0, 4)])
def test_alone_it_fits_its_members_once_for_each_window(monkeypatch, days, n_fits):
    data, _ = planted_tastes(np.random.default_rng(1))
    fitted = []

    def fit_members(past, config, *, seed):
        fitted.append(past.end_us)
        return {
            name: Popular().fit(past, rng=np.random.default_rng(seed)) for name in config.members
        }

    monkeypatch.setattr("endcap.models.blend.ranked.fit_members", fit_members)
    config = LEARNS.model_copy(update={"validation_days": days, "n_windows": 3})
    RankedBlend(config).fit(data, rng=np.random.default_rng(0))
    assert len(fitted) == n_fits
    assert fitted[-1] == data.end_us
    assert fitted[:-1] == sorted(fitted[:-1], reverse=True)
