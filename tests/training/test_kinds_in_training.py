"""From weights in the settings to models, run, bundle and page, on data of all kinds."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from endcap.bundle.read import read_bundle
from endcap.bundle.scorer.panel import open_scorers
from endcap.bundle.write import write_bundle
from endcap.features.history import history_of
from endcap.features.weights import KindWeights, interest, weigh
from endcap.schema.columns import KIND_CODES, Kind
from endcap.serving.run import live_state
from endcap.training import export
from endcap.training.config import TrainingConfig
from endcap.training.judge import Setup, judge, split_for
from endcap.training.run import fit_models, load_run, train
from pages import context_of

MODELS = ("popular", "trending", "repeat", "item_knn")
CONFIG = TrainingConfig(models=MODELS, test_days=14, bootstrap_replicates=100)
WEIGHTS = KindWeights(view=0.5, cart=1.5, purchase=2.0, remove=-1.5, dislike=-2.0)


def with_kinds(data, shares, *, seed=4):
    rng = np.random.default_rng(seed)
    codes = [KIND_CODES[kind] for kind in shares]
    kind = rng.choice(codes, size=len(data.interactions), p=list(shares.values()))
    return replace(data, interactions=replace(data.interactions, kind=kind.astype(np.uint8)))


@pytest.fixture(scope="module")
def mixed(shop):
    shares = {
        Kind.VIEW: 0.5,
        Kind.PURCHASE: 0.2,
        Kind.CART: 0.1,
        Kind.REMOVE: 0.08,
        Kind.DISLIKE: 0.07,
        Kind.IMPRESSION: 0.05,
    }
    return with_kinds(shop.data, shares)


@pytest.fixture
def bundle_of(shop, monkeypatch, tmp_path):
    """Returns the bundle that training makes of some data, without a snapshot on disk."""

    def build(data, *, weights):
        monkeypatch.setattr(export, "load_dataset", lambda _: data)
        monkeypatch.setattr(export, "read_catalogue", lambda _: shop.catalogue)
        ids = SimpleNamespace(
            users=SimpleNamespace(ids=shop.user_ids), items=SimpleNamespace(ids=shop.item_ids)
        )
        monkeypatch.setattr(export, "read_ids", lambda _: ids)
        snapshot = SimpleNamespace(path=tmp_path, manifest=SimpleNamespace(historical=True))
        models, _ = fit_models(interest(weigh(data, weights)), MODELS, seed=0)
        parts = export.bundle_parts(snapshot, models, config=CONFIG, weights=weights)
        return read_bundle(
            write_bundle(parts, tmp_path, snapshot={}, commit=None, models={}, evaluation={})
        )

    return build


def test_purchases_alone_need_no_more_than_a_history(bundle_of, shop):
    bundle = bundle_of(shop.data, weights=KindWeights())
    assert bundle.unsettled is bundle.told is bundle.bought is None
    assert bundle.kinds == ("purchase",)
    assert bundle.kind_weights == KindWeights()
    assert bundle.history_kind_verb == "bought"
    assert not [name for name in bundle.manifest["files"] if "unsettled" in name or "told" in name]


def test_the_bundle_tells_apart_what_may_be_undone_and_what_may_be_told(bundle_of, mixed):
    bundle = bundle_of(mixed, weights=WEIGHTS)
    assert bundle.history_kind_verb == "viewed"
    assert bundle.kinds == ("view", "cart", "purchase", "dislike", "impression", "remove")
    told = mixed.interactions
    n_of = {kind: int(np.count_nonzero(told.kind == KIND_CODES[kind])) for kind in Kind}
    assert bundle.told_history.counts.sum() == n_of[Kind.VIEW]
    assert bundle.bought_history.counts.sum() == n_of[Kind.PURCHASE]
    n_unsettled = n_of[Kind.CART] + n_of[Kind.REMOVE] + n_of[Kind.DISLIKE]
    assert len(bundle.unsettled.items) == n_unsettled
    expected = 0.25 * n_of[Kind.VIEW] + n_of[Kind.PURCHASE]
    assert bundle.history.counts.sum() == pytest.approx(expected)
    first_view = told.ts[told.kind == KIND_CODES[Kind.VIEW]].min()
    assert bundle.first_seen_us[bundle.first_seen_us >= 0].min() == first_view


def test_the_bundle_records_the_weights_that_are_in_force(bundle_of, mixed):
    bundle = bundle_of(mixed, weights=WEIGHTS)
    assert bundle.manifest["parameters"]["kind_weights"]["view"] == 0.25
    assert bundle.kind_weights == WEIGHTS.relative_to(list(Kind))
    assert live_state(bundle)._config.weights == bundle.kind_weights


def test_serving_knows_of_a_user_what_the_models_knew(bundle_of, mixed):
    bundle = bundle_of(mixed, weights=WEIGHTS)
    history, scorers = history_of(interest(weigh(mixed, WEIGHTS))), open_scorers(bundle)
    for user, user_id in enumerate(bundle.user_ids):
        row, context = history.row(user), context_of(bundle, scorers, user_id)
        np.testing.assert_array_equal(context.taste.items, row.items)
        np.testing.assert_array_equal(context.taste.refused, row.refused)
        np.testing.assert_array_equal(context.taste.last_ts, row.last_ts)
        np.testing.assert_allclose(context.taste.counts, row.counts, rtol=1e-6)


def test_a_data_set_of_views_alone_works_as_one_of_purchases_does(shop, bundle_of):
    views = with_kinds(shop.data, {Kind.VIEW: 1.0})
    users = np.arange(shop.data.n_users, dtype=np.int32)
    for weights in (KindWeights(), KindWeights(view=0.01)):
        of_views, _ = fit_models(interest(weigh(views, weights)), MODELS, seed=0)
        of_sales, _ = fit_models(interest(weigh(shop.data, weights)), MODELS, seed=0)
        for name in MODELS:
            found, expected = (models[name].recommend(users, 10) for models in (of_views, of_sales))
            np.testing.assert_array_equal(found.items, expected.items)
            np.testing.assert_array_equal(found.scores, expected.scores)
    bundle = bundle_of(views, weights=KindWeights())
    assert bundle.kind_weights.view == 1.0
    assert bundle.history_kind_verb == "viewed"


def test_carts_alone_work_as_well(shop, bundle_of):
    carts = with_kinds(shop.data, {Kind.CART: 0.9, Kind.REMOVE: 0.1})
    bundle = bundle_of(carts, weights=KindWeights())
    assert bundle.history_kind_verb == "put in the cart"
    assert len(bundle.history.items) == 0
    assert bundle.told_history.counts.sum() == np.count_nonzero(carts.interactions.kind == 2)
    history = history_of(interest(weigh(carts, KindWeights())))
    context = context_of(bundle, open_scorers(bundle), "user-07")
    np.testing.assert_array_equal(context.taste.items, history.row(7).items)


def test_more_weight_on_views_changes_what_is_learnt(mixed):
    lists = [
        fit_models(interest(weigh(mixed, KindWeights(view=view))), ("popular",), seed=0)[0][
            "popular"
        ].recommend(np.array([-1], dtype=np.int32), 50)
        for view in (0.0, 1.0)
    ]
    assert lists[0].items.tolist() != lists[1].items.tolist()


def test_a_run_keeps_the_weights_it_was_trained_with(tmp_path, mixed):
    run, _ = train(
        mixed, ("popular",), seed=0, snapshot_id="s" * 16, root=tmp_path, weights=WEIGHTS
    )
    loaded = load_run(tmp_path)
    assert run.weights == loaded.weights == WEIGHTS


def test_a_model_with_refusals_is_kept_whole(tmp_path, mixed):
    run, _ = train(mixed, ("repeat",), seed=0, snapshot_id="s" * 16, root=tmp_path)
    model, loaded = run.models["repeat"], load_run(tmp_path).models["repeat"]
    users = np.arange(mixed.n_users, dtype=np.int32)
    expected = model.recommend(users, 20, exclude_seen=False)
    np.testing.assert_array_equal(
        loaded.recommend(users, 20, exclude_seen=False).items, expected.items
    )
    assert loaded.history_.row(3).refused.tolist() == model.history_.row(3).refused.tolist() != []


def test_evaluations_with_other_weights_or_targets_are_kept_apart():
    setups = [
        Setup.of(MODELS, snapshot_id="s", config=config, weights=weights)
        for config in (CONFIG, CONFIG.model_copy(update={"target_kinds": (Kind.PURCHASE,)}))
        for weights in (KindWeights(), KindWeights(view=0.1))
    ]
    assert len({setup.name for setup in setups}) == 4


def test_the_judgement_foresees_the_kinds_it_is_asked_for(mixed):
    config = CONFIG.model_copy(update={"target_kinds": (Kind.PURCHASE,)})
    evaluation = judge(mixed, ("repeat",), config=config, weights=WEIGHTS).evaluation
    assert evaluation.target_kinds == ("purchase",)
    assert evaluation.weights["view"] == 0.25
    assert evaluation.weights["remove"] == -0.75
    assert evaluation.counts.n_window_unused > evaluation.counts.n_targets
    every = judge(mixed, ("repeat",), config=CONFIG, weights=WEIGHTS).evaluation
    assert every.target_kinds == ("view", "cart", "purchase")
    assert every.counts.n_targets > evaluation.counts.n_targets


def test_what_follows_the_cut_takes_nothing_back(mixed):
    split = split_for(mixed, config=CONFIG, on="test", weights=WEIGHTS)
    before = mixed.between(None, split.cut_us)
    expected = interest(weigh(before, WEIGHTS))
    np.testing.assert_array_equal(split.train.interactions.weights, expected.interactions.weights)
    np.testing.assert_array_equal(split.train.refusals.item_idx, expected.refusals.item_idx)
