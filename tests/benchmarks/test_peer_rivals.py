"""Lists of other libraries go out and come back by files, and stand for what was asked."""

import itertools

import numpy as np
from benchmarks.models.data import dataset_of
from benchmarks.models.fits import PARTS, WINDOW_DAYS, dated
from benchmarks.models.rivals import VIEW, hand_over, lists_of
from benchmarks.models.temporal import _targets

from endcap.models.popular import Popular
from endcap.schema.columns import Kind
from endcap.schema.types import DAY_US

RNG = np.random.default_rng(0)


def a_year():
    """Return 40 users and 12 items over 400 days; user 40 comes on the last day alone."""
    n = 600
    ts_us = np.sort(RNG.integers(0, 400 * DAY_US, n))
    users, items = RNG.integers(0, 40, n), RNG.integers(0, 12, n)
    last = 400 * DAY_US
    return dataset_of(
        np.append(ts_us, [last]),
        np.append(users, [40]),
        np.append(items, [3]),
        kind=Kind.RATING,
        n_items=12,
    )


def test_windows_before_the_cut_touch_and_do_not_overlap():
    data = a_year()
    splits = [dated(data, n_back) for n_back in range(3)]
    for later, earlier in itertools.pairwise(splits):
        assert earlier.end_us == later.cut_us
        assert later.cut_us - earlier.cut_us == WINDOW_DAYS * DAY_US
        assert later.train.interactions.ts.max() < later.cut_us
    assert len(splits[1].train.interactions) < len(splits[0].train.interactions)
    for n_back, split in enumerate(splits):
        again = PARTS[f"temporal-{n_back}"](data)
        np.testing.assert_array_equal(again.train.interactions.ts, split.train.interactions.ts)


def test_what_is_handed_over_is_the_past_and_the_targets(tmp_path):
    split = dated(a_year(), 0)
    hand_over(tmp_path, {"test": split})
    with np.load(tmp_path / "rows.npz") as rows:
        assert rows["test_learnt_us"].max() < split.cut_us
        pairs = zip(
            rows["test_target_users"].tolist(), rows["test_target_items"].tolist(), strict=True
        )
        targets = split.targets[VIEW]
        assert sorted(pairs) == sorted(
            (int(user), int(item))
            for user, items in zip(targets.users, targets.rows(), strict=True)
            for item in items
        )


def test_lists_come_back_in_order_and_a_stranger_gets_what_is_popular(tmp_path):
    split = dated(a_year(), 0)
    popular = Popular().fit(split.train, rng=np.random.default_rng(0))
    asked = split.targets[VIEW].users
    assert 40 in asked
    known = asked[asked != 40]
    new = [np.setdiff1d(np.arange(12), _had(split, user))[:3] for user in known]
    kept = [user for user, items in zip(known, new, strict=True) if len(items) == 3]
    lists = {user: items[::-1] for user, items in zip(known, new, strict=True) if user in kept}
    np.savez(
        tmp_path / "them.npz",
        users=np.repeat(kept, 3),
        items=np.concatenate([lists[user] for user in kept]),
        ranks=np.tile([1, 2, 3], len(kept)),
    )
    found = lists_of(tmp_path, "them", split, unknown=popular)
    answers = found.recommend(np.array(kept, dtype=np.int32), 3).items
    np.testing.assert_array_equal(answers, [lists[user] for user in kept])
    stranger = np.array([40], dtype=np.int32)
    np.testing.assert_array_equal(
        found.recommend(stranger, 5).items, popular.recommend(stranger, 5).items
    )


def test_the_blend_is_compared_with_the_best_rival_ends_of_intervals_included():
    def row(name, low, mean, high):
        return {"what": "model", "model": name, "ndcg": [mean, low, high]}

    rows = [row("blend", 0.020, 0.022, 0.024), row("a", 0.010, 0.012, 0.014)]
    ratio, apart = _targets([*rows, row("b", 0.018, 0.0195, 0.021)], ("a", "b"))
    assert "blend / b" in ratio.name
    assert ratio.met
    assert not apart.met
    ratio, apart = _targets(rows, ("a",))
    assert ratio.met
    assert apart.met
    assert apart.value == 0.020 - 0.014


def _had(split, user):
    told = split.train.interactions
    return told.item_idx[told.user_idx == user]
