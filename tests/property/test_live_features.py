"""The features of one visitor, from history and live events, are those of the batch form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.features.activity import acts_of, sales_of
from endcap.features.history import build_history
from endcap.features.online import KnownEvents, Learnt, live_user_features
from endcap.features.point_in_time import item_features, taste_codes, totals_of, user_features
from endcap.features.spec import FeatureSpec
from endcap.features.unsettled import NO_EVENTS, settle
from endcap.schema.dataset import Dataset
from endcap.schema.types import DAY_US
from feature_events import (
    CUT_US,
    ITEMS,
    N_ITEMS,
    N_USERS,
    WEIGHTS,
    event_rows,
    interactions,
    rows,
)

NOW_US = CUT_US + DAY_US
SPEC = FeatureSpec(n_prices_of_user=3)
ALWAYS_COMPLETE = {
    "user_idx",
    "n_items",
    "days_since_first_event",
    "days_since_last_event",
    "n_items_recent",
    "n_items_bought_recent",
    "taste",
}
moments = st.sampled_from(
    [0, CUT_US - 30 * DAY_US, CUT_US - DAY_US, CUT_US - 3_600_000_000, CUT_US]
)
weights = st.sampled_from([None, WEIGHTS])
# Of few users, so that each has many events.
crowded = st.lists(rows.map(lambda row: (row[0] % 2, *row[1:])), min_size=10, max_size=40)


def learnt_of(told, user):
    """Return what a bundle that was made of these events knows of a user."""
    data = Dataset(told, N_USERS, N_ITEMS, ITEMS)
    # A bundle of unweighted data holds the acts alone.
    history, unsettled = settle(
        data if told.weight is not None else replace(data, interactions=acts_of(told))
    )
    return Learnt(
        settled=history.row(user),
        unsettled=NO_EVENTS if unsettled is None else unsettled.row(user),
        bought=build_history(sales_of(acts_of(told)), N_USERS).row(user),
    )


def of_one(told, user):
    own = told.take(told.user_idx == user)
    return replace(own, user_idx=np.zeros(len(own), dtype=np.int32))


def assert_equal(live, batch, user, *, but=frozenset()):
    """Assert that one row of the batch form is the live row, in everything but some fields."""
    for name in type(batch).__dataclass_fields__:
        if name in but or name == "user_idx":
            continue
        if name == "taste":
            entries = slice(batch.taste.indptr[user], batch.taste.indptr[user + 1])
            expected = dict(
                zip(batch.taste.code[entries].tolist(), batch.taste.share[entries], strict=True)
            )
            found = dict(zip(live.taste.code.tolist(), live.taste.share, strict=True))
            # Weights are added up in another order, so their last digit may differ.
            assert found == pytest.approx(expected, rel=1e-4)
        else:
            assert getattr(live, name).dtype == getattr(batch, name).dtype
            np.testing.assert_array_equal(
                getattr(live, name)[0], getattr(batch, name)[user], err_msg=name
            )


@given(told=st.one_of(event_rows, crowded), learnt_until=moments, weighed=weights)
def test_live_equals_batch_where_nothing_is_lacking(told, learnt_until, weighed):
    everything = interactions(told, weights=weighed)
    totals = totals_of(item_features(everything, ITEMS, at_us=NOW_US, spec=SPEC), ITEMS, spec=SPEC)
    users = np.arange(N_USERS, dtype=np.int32)
    batch = user_features(everything, ITEMS, users=users, at_us=NOW_US, spec=SPEC, totals=totals)
    for user in range(N_USERS):
        learnt = learnt_of(everything.between(None, learnt_until), user)
        live = live_user_features(
            learnt,
            KnownEvents(of_one(everything.between(learnt_until, None), user)),
            taste_codes(ITEMS, SPEC),
            at_us=NOW_US,
            spec=SPEC,
            totals=totals,
        )
        assert not live.incomplete & ALWAYS_COMPLETE
        if not np.any(everything.between(None, learnt_until).user_idx == user):
            assert not live.incomplete
        assert_equal(live.row, batch, user, but=live.incomplete)


@given(told=crowded, learnt_until=moments, n_kept=st.integers(1, 4), weighed=weights)
def test_what_was_forgotten_is_confessed(told, learnt_until, n_kept, weighed):
    everything = interactions(told, weights=weighed)
    users = np.arange(N_USERS, dtype=np.int32)
    batch = user_features(everything, ITEMS, users=users, at_us=NOW_US, spec=SPEC)
    for user in range(N_USERS):
        since = of_one(everything.between(learnt_until, NOW_US), user)
        kept = since.take(slice(max(len(since) - n_kept, 0), None))
        dropped = since.take(slice(0, max(len(since) - n_kept, 0)))
        forgotten = {"forgotten_until_us": int(dropped.ts[-1])} if len(dropped) else {}
        sold = sales_of(acts_of(dropped))
        if len(sold):
            forgotten["sales_forgotten_until_us"] = int(sold.ts[-1])
        live = live_user_features(
            learnt_of(everything.between(None, learnt_until), user),
            KnownEvents(kept, **forgotten),
            taste_codes(ITEMS, SPEC),
            at_us=NOW_US,
            spec=SPEC,
        )
        assert_equal(live.row, batch, user, but=live.incomplete)
