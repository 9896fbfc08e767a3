"""Two towers, trained and put into a bundle, answer in serving as they do in training."""

from dataclasses import replace

import numpy as np
import pytest

from endcap.bundle.read import read_bundle
from endcap.bundle.scorer.panel import open_scorers
from endcap.models.two_tower.config import TwoTowerConfig
from endcap.models.two_tower.model import TwoTower
from endcap.schema.types import DAY_US, NO_ITEM
from shops import shop_parts, write_shop

SMALL = TwoTowerConfig(embedding_size=12, hidden=8, epochs=2, learning_rate=0.02, min_events=2)
K = 15
USERS = (0, 3, 7, 11)


@pytest.fixture(
    scope="module",
    params=[{"texts": True}, {"context": True, "n_means": 2}],
    ids=["texts", "context and learnt means"],
)
def served(request, shop, tmp_path_factory):
    """A trained model, and the scorer of a bundle that was made of it."""
    texts = np.random.default_rng(0).normal(size=(shop.data.n_items, 6)).astype(np.float32)
    data = replace(shop.data, items=shop.data.items.with_text(texts))
    model = TwoTower(SMALL.model_copy(update=request.param))
    model.fit(data, rng=np.random.default_rng(0))
    folder = tmp_path_factory.mktemp("served")
    model.export_user_tower(folder / "user_tower.onnx")
    parts = shop_parts(
        shop,
        tower_item_vectors=model.item_vectors_,
        user_tower_onnx=(folder / "user_tower.onnx").read_bytes(),
        tower_half_life_days=model.config.half_life_days,
        tower_max_history=model.config.max_history,
    )
    bundle = read_bundle(write_shop(parts, folder))
    return model, bundle, open_scorers(bundle).tower


def test_pages_list_what_the_model_recommends(served):
    model, bundle, scorer = served
    allowed = np.flatnonzero(bundle.is_available).astype(np.int32)
    wanted = model.recommend(np.array(USERS, dtype=np.int32), K, allowed=allowed)
    for row, user in enumerate(USERS):
        history = bundle.history.row(user)
        found = scorer.rank(history, K, now_us=model.now_us_, exclude=history.items)
        # Serving leaves out what scores nothing or less.
        n_kept = int((wanted.scores[row] > 0).sum())
        assert n_kept > 5
        assert NO_ITEM not in wanted.items[row]
        assert found.items[0].tolist() == wanted.items[row, :n_kept].tolist()
        np.testing.assert_allclose(found.scores[0], wanted.scores[row, :n_kept], atol=1e-5)


def test_only_who_sees_the_context_minds_the_hour(served):
    model, bundle, scorer = served
    history = bundle.history.row(3)
    # By the same weights: half a day moves all of them in the same proportion.
    now, later = (
        scorer.user_vector(history, now_us=model.now_us_ + lag) for lag in (0, DAY_US // 2)
    )
    assert np.allclose(now, later, atol=1e-5) != model.config.context
