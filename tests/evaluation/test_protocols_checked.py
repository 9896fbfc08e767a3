"""A faulty split is refused, whatever protocol it is of; each test plants one fault."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_shop import CUT, N_ITEMS, N_USERS, dataset_of, shop_rows

from endcap.evaluation.check_split import check_split
from endcap.evaluation.split import ViewRule, split_by_time
from endcap.schema.errors import DataError


@pytest.fixture(scope="module")
def split():
    data = dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS)
    whole = split_by_time(data, cut_us=CUT)
    check_split(whole)
    return whole


def refused(split, match):
    with pytest.raises(DataError, match=match) as caught:
        check_split(split)
    return str(caught.value)


def changed(split, view="all", **arrays):
    """Return the split with some arrays of one view put in the place of its own."""
    return replace(split, targets={**split.targets, view: replace(split.targets[view], **arrays)})


def test_split_with_duplicated_users_is_refused(split):
    users = split.targets["all"].users.copy()
    users[8] = users[7]
    told = refused(changed(split, users=users), "a user is there twice")
    assert f"view all, user {users[7]}" in told
    assert "nothing was measured" in told


def test_a_user_whose_rows_stand_apart_is_refused_as_well(split):
    users = split.targets["all"].users.copy()
    users[50] = users[7]
    refused(changed(split, users=users), "a user is there twice")


def test_users_out_of_order_are_refused(split):
    users = split.targets["all"].users.copy()
    users[[7, 8]] = users[[8, 7]]
    refused(changed(split, users=users), "a user is out of order")


@pytest.mark.parametrize("user", [-1, N_USERS])
def test_an_unknown_user_is_refused(split, user):
    users = split.targets["all"].users.copy()
    users[0 if user < 0 else -1] = user
    refused(changed(split, users=users), "a user is unknown")


def test_a_target_that_is_there_twice_is_refused(split):
    items = split.targets["all"].items.copy()
    items[1] = items[0]
    refused(changed(split, items=items), "a target is there twice")


def test_targets_out_of_order_are_refused(split):
    items = split.targets["all"].items.copy()
    items[[0, 1]] = items[[1, 0]]
    refused(changed(split, items=items), "a target is out of order")


def test_the_same_target_of_two_users_is_fine():
    data = dataset_of([(1, 0, 1), (10, 0, 0), (10, 1, 0)], n_users=2, n_items=2)
    split = split_by_time(data, cut_us=5)
    assert split.targets["all"].items.tolist() == [0, 0]
    check_split(split)


@pytest.mark.parametrize("item", [-1, N_ITEMS])
def test_a_target_outside_the_catalogue_is_refused(split, item):
    items = split.targets["all"].items.copy()
    items[0 if item < 0 else -1] = item
    refused(changed(split, items=items), "a target is not in the catalogue")


def test_a_user_without_a_target_is_refused(split):
    indptr = split.targets["all"].indptr.copy()
    indptr[3] = indptr[4]
    refused(changed(split, indptr=indptr), "a user without a target")


@pytest.mark.parametrize("name", ["users", "items", "indptr", "is_cold"])
def test_arrays_that_do_not_fit_together_are_refused(split, name):
    short = getattr(split.targets["all"], name)[:-1]
    refused(changed(split, **{name: short}), "do not fit together")


def test_a_wrong_mark_of_a_cold_target_is_refused(split):
    is_cold = split.targets["all"].is_cold.copy()
    is_cold[0] = ~is_cold[0]
    refused(changed(split, is_cold=is_cold), "marked cold")


def test_an_answer_among_what_is_known_is_refused_where_targets_are_new(split):
    repeat = split.targets["repeat"]
    told = refused(
        replace(split, targets={**split.targets, "discovery": repeat}), "was seen before"
    )
    assert f"{len(repeat.items)} of {len(repeat.items)} targets" in told


def test_a_refused_item_is_no_discovery(split):
    discovery = split.targets["discovery"]
    planted = split.train.interactions.take(slice(0, 1))
    planted = replace(planted, user_idx=discovery.users[:1], item_idx=discovery.items[:1])
    refused(replace(split, train=replace(split.train, refusals=planted)), "was seen before")


def test_learning_from_the_future_is_refused(split):
    data = dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS)
    told = refused(replace(split, train=data), "what is learnt from reaches into the future")
    assert "interactions at or after the cut" in told
    one = data.interactions.take(slice(0, 1))
    at_the_cut = replace(split.train, interactions=replace(one, ts=np.array([CUT])))
    assert "1 interactions at or after the cut" in refused(
        replace(split, train=at_the_cut), "future"
    )


def test_a_refusal_from_the_future_is_refused_too(split):
    late = replace(split.train.interactions.take(slice(0, 1)), ts=np.array([CUT]))
    refused(replace(split, train=replace(split.train, refusals=late)), "reaches into the future")


def test_being_told_the_future_is_refused(split):
    data = dataset_of(shop_rows(), n_users=N_USERS, n_items=N_ITEMS)
    refused(replace(split, history=data), "what is told reaches into the future")
    check_split(replace(split, history=split.train))


def test_a_view_without_a_rule_is_refused(split):
    rules = {view: rule for view, rule in split.rules.items() if view != "repeat"}
    assert "without a rule: repeat" in refused(replace(split, rules=rules), "rules differ")


def test_a_rule_without_a_view_is_refused(split):
    rules = {**split.rules, "more": ViewRule("more", exclude_seen=False)}
    assert "without targets: more" in refused(replace(split, rules=rules), "rules differ")


def test_a_target_that_is_no_candidate_is_refused(split):
    allowed = np.setdiff1d(np.arange(N_ITEMS), split.targets["all"].items[:1]).astype(np.int32)
    rules = {**split.rules, "all": ViewRule("some", exclude_seen=False, allowed=allowed)}
    refused(replace(split, rules=rules), "a target is no candidate")
    rules = {**split.rules, "all": ViewRule("some", exclude_seen=False, allowed=allowed[::-1])}
    refused(replace(split, rules=rules), "not ascending")


def test_queries_and_histories_of_different_number_are_refused(split):
    askers = np.arange(N_USERS - 1, dtype=np.int32)
    told = refused(replace(split, history=split.train, query_users=askers), "not of as many")
    assert f"{N_USERS} histories, {N_USERS - 1} queries" in told
    more_users = replace(split.train, n_users=N_USERS + 1)
    refused(replace(split, history=more_users), "not of as many")


def test_queries_without_histories_are_refused(split):
    askers = np.arange(N_USERS, dtype=np.int32)
    refused(replace(split, query_users=askers), "no history of queries")


def test_a_query_of_nobody_is_refused(split):
    askers = np.arange(1, N_USERS + 1, dtype=np.int32)
    refused(replace(split, history=split.train, query_users=askers), "belongs to nobody")


def test_a_history_of_another_catalogue_is_refused(split):
    other = dataset_of([(1, 0, 0)], n_users=N_USERS, n_items=N_ITEMS + 1)
    refused(replace(split, history=other), "different catalogues")
