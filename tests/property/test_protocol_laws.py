"""Laws of all protocols: nothing is lost, nothing leaks, names of users and items do not matter."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from endcap.evaluation.check_split import check_split
from endcap.evaluation.protocols.cold_items import hidden_items
from endcap.evaluation.protocols.registry import PROTOCOLS, ProtocolConfig, split_by
from endcap.features.sessions import session_ids
from endcap.features.weights import DEFAULT_WEIGHTS, interest, weigh
from endcap.schema.columns import KIND_CODES, Kind
from endcap.schema.dataset import Dataset, Interactions, Items
from endcap.schema.errors import DataError
from endcap.schema.types import DAY_US

N_USERS, N_ITEMS, N_DAYS = 5, 7, 40
KINDS = [
    KIND_CODES[kind] for kind in (Kind.VIEW, Kind.CART, Kind.PURCHASE, Kind.DISLIKE, Kind.REMOVE)
]
GAP_S = 2 * 86_400

row = st.tuples(
    st.integers(0, N_DAYS - 1),
    st.integers(0, N_USERS - 1),
    st.integers(0, N_ITEMS - 1),
    st.sampled_from(KINDS),
)
# The last row makes the windows of every example the same.
rows = st.lists(row, min_size=12, max_size=40).map(lambda some: [*some, (N_DAYS, 0, 0, KINDS[2])])
choice = st.builds(
    ProtocolConfig,
    on=st.sampled_from(["test", "validation"]),
    refit=st.booleans(),
    seed=st.integers(0, 9),
    test_days=st.just(12),
    validation_days=st.just(12),
    with_past=st.booleans(),
    max_queries=st.sampled_from([3, 1000]),
    basket_gap_s=st.sampled_from([0, GAP_S]),
    cold_item_share=st.just(0.4),
    cold_user_share=st.just(0.8),
    history_lengths=st.just((0, 1)),
    random_by=st.sampled_from(["user", "row"]),
    random_share=st.just(0.3),
)
names = pytest.mark.parametrize("name", PROTOCOLS)


def dataset(some):
    some = sorted(some, key=lambda one: one[0])
    ts, users, items, kinds = (np.array(column) for column in zip(*some, strict=True))
    codes = np.full(N_ITEMS, -1, dtype=np.int32)
    told = Interactions(
        user_idx=users.astype(np.int32),
        item_idx=items.astype(np.int32),
        kind=kinds.astype(np.uint8),
        value=np.ones(len(ts), dtype=np.float32),
        price=np.full(len(ts), np.nan, dtype=np.float32),
        ts=ts.astype(np.int64) * DAY_US,
    )
    data = Dataset(told, n_users=N_USERS, n_items=N_ITEMS, items=Items(codes, codes, codes))
    return weigh(data, DEFAULT_WEIGHTS)


def cut(name, data, choices):
    """Return the split, or give the example up where there is nothing to foresee."""
    told = data.interactions
    session_of = session_ids(told.user_idx, told.ts, gap_s=GAP_S)
    try:
        return split_by(name, data, choices=choices, prepare=interest, session_of=session_of)
    except DataError:
        reject()


def columns(data):
    told = data.interactions
    return list(zip(told.ts, told.user_idx, told.item_idx, told.weights, strict=True))


def asked(split, view):
    """Return (user, item) of each target with what the query is told, in any order."""
    targets, told = split.targets[view], split.known.interactions
    found = []
    for query, items in zip(targets.users, targets.rows(), strict=True):
        user = query if split.query_users is None else split.query_users[query]
        known = tuple(told.item_idx[told.user_idx == query].tolist())
        found += [(int(user), int(item), known) for item in items]
    return sorted(found)


@names
@settings(max_examples=30)
@given(rows, choice)
def test_every_split_can_be_measured_by(name, rows, choices):
    check_split(cut(name, dataset(rows), choices))


@names
@settings(max_examples=30)
@given(rows, choice)
def test_no_interaction_is_lost(name, rows, choices):
    split = cut(name, dataset(rows), choices)
    counts, facts = split.counts, split.facts
    assert counts.n_train + counts.n_window + counts.n_after == len(rows)
    aside = facts.get("n_held_back", 0) + facts.get("n_history_only", 0)
    assert counts.n_train == len(split.train.interactions) + counts.n_train_unused + aside
    assert min(counts.n_train_unused, counts.n_window_unused, counts.n_after) >= 0


@given(rows, choice)
def test_every_click_of_the_window_is_counted_once(rows, choices):
    split = cut("sessions", dataset(rows), choices)
    facts = split.facts
    parts = facts["n_queries"] + facts["n_first_clicks"] + facts["n_clicks_under_way"]
    assert split.counts.n_window == parts + split.counts.n_window_unused
    assert facts["n_drawn_queries"] == min(facts["n_queries"], choices.max_queries)
    assert len(split.targets["next"]) == facts["n_drawn_queries"]


@given(rows, choice)
def test_every_basket_of_the_window_is_counted_once(rows, choices):
    split = cut("next-basket", dataset(rows), choices)
    parts = split.facts["n_basket_rows"] + split.facts["n_other_baskets_rows"]
    assert split.counts.n_window == parts + split.counts.n_window_unused


@pytest.mark.parametrize(
    ("name", "view", "others"),
    [
        ("cold-items", "cold_only", ("n_targets_had_before", "n_warm_targets")),
        ("cold-users", "after_0", ("n_targets_had_before", "n_targets_of_others")),
    ],
)
@given(rows, choice)
def test_every_target_of_the_window_is_cold_or_counted(name, view, others, rows, choices):
    data = dataset(rows)
    split = cut(name, data, choices)
    n_all = cut("temporal", data, choices).counts.n_targets
    assert n_all == len(split.targets[view].items) + sum(split.facts[fact] for fact in others)


@pytest.mark.parametrize("name", [n for n, text in PROTOCOLS.items() if text.train_ends_at_cut])
@settings(max_examples=30)
@given(rows, st.lists(row, min_size=40, max_size=40), choice)
def test_what_is_learnt_does_not_depend_on_the_future(name, rows, others, choices):
    split = cut(name, dataset(rows), choices)
    # The same times, but other users, items and kinds behind the cut.
    changed = [
        (day, *(other[1:] if day * DAY_US >= split.cut_us else told))
        for (day, *told), other in zip(rows[:-1], others, strict=False)
    ]
    other = cut(name, dataset([*changed, rows[-1]]), choices)
    assert (split.train.interactions.ts < split.cut_us).all()
    if name == "cold-users":  # Who is hidden depends on who comes back, not on what they take.
        hidden = np.union1d(split.query_users, other.query_users)
        one, two = (
            [told for told in columns(some.train) if told[1] not in hidden]
            for some in (split, other)
        )
        assert one == two
    else:
        assert columns(split.train) == columns(other.train)


@given(rows, choice)
def test_no_user_is_told_what_that_user_did_from_the_target_on(rows, choices):
    """Leave-one-out: the future of others leaks, one's own does not."""
    data = dataset(rows)
    split = cut("leave-one-out", data, choices)
    told, known = data.interactions, split.known.interactions
    for user, items in zip(split.targets["all"].users, split.targets["all"].rows(), strict=True):
        own = told.take(told.user_idx == user)
        wanted = np.flatnonzero(own.weights > 0)
        place = wanted[-1 if choices.on == "test" else -2]
        assert items.tolist() == [own.item_idx[place]]
        before = interest(
            replace(data, interactions=own.take(np.arange(len(own)) < place))
        ).interactions
        assert known.item_idx[known.user_idx == user].tolist() == before.item_idx.tolist()


@given(rows, choice)
def test_a_click_is_told_what_came_before_it_and_no_more(rows, choices):
    data = dataset(rows)
    split = cut("sessions", data, choices)
    told = data.interactions
    known = split.history.interactions
    for query, items in enumerate(split.targets["next"].rows()):
        own = told.take(told.user_idx == split.query_users[query])
        mine = known.take(known.user_idx == query)
        assert len(mine) < len(own)
        later = own.take((own.ts >= split.cut_us) & (own.item_idx == items[0]))
        assert any((mine.ts <= ts).all() for ts in later.ts)


@pytest.mark.parametrize("name", ["temporal", "leave-one-out", "sessions", "next-basket"])
@settings(max_examples=30)
@given(rows, choice, st.permutations(range(N_USERS)), st.permutations(range(N_ITEMS)))
def test_other_names_only_rename(name, rows, choices, users, items):
    choices = choices.model_copy(update={"max_queries": 1000})
    split = cut(name, dataset(rows), choices)
    renamed = [(day, users[user], items[item], kind) for day, user, item, kind in rows]
    other = cut(name, dataset(renamed), choices)
    assert split.counts == other.counts
    assert split.facts == other.facts
    for view in split.targets:
        expected = [
            (users[user], items[item], tuple(items[one] for one in known))
            for user, item, known in asked(split, view)
        ]
        assert asked(other, view) == sorted(expected)


@given(rows, choice, st.integers(0, N_USERS - 1))
def test_what_is_drawn_of_a_user_does_not_depend_on_the_others(rows, choices, user):
    data = dataset(rows)
    told = data.interactions
    mine = replace(data, interactions=told.take(told.user_idx == user))
    whole, part = (cut("random", some, choices) for some in (data, mine))
    for view in ("all", "discovery"):
        of_user = [target for target in asked(whole, view) if target[0] == user]
        assert asked(part, view) == of_user


@given(st.integers(0, 2**62), st.integers(0, 50), st.integers(0, 50), st.floats(0, 0.99))
def test_an_item_is_hidden_whatever_the_size_of_the_catalogue(seed, n_small, n_more, share):
    small = hidden_items(n_small, seed=seed, share=share)
    large = hidden_items(n_small + n_more, seed=seed, share=share)
    assert large[:n_small].tolist() == small.tolist()


@given(rows, choice, st.randoms(use_true_random=False))
def test_who_and_what_is_hidden_does_not_depend_on_the_order(rows, choices, random):
    shuffled = rows[:-1]
    random.shuffle(shuffled)
    shuffled = sorted([*shuffled, rows[-1]], key=lambda one: one[0])
    items = [
        set(cut("cold-items", dataset(some), choices).train.interactions.item_idx.tolist())
        for some in (rows, shuffled)
    ]
    assert items[0] == items[1]
    users = [cut("cold-users", dataset(some), choices).query_users for some in (rows, shuffled)]
    assert users[0].tolist() == users[1].tolist()


def test_a_share_is_hidden():
    assert hidden_items(10_000, seed=1, share=0.1).mean() == pytest.approx(0.1, abs=0.01)
    assert (
        hidden_items(10_000, seed=1, share=0.1).tolist()
        != hidden_items(10_000, seed=2, share=0.1).tolist()
    )
