"""Users whom the model never met: how soon it knows them, interaction by interaction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from endcap.evaluation.lists.chance import draws
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.parts import Terms, Window, known_of, nothing, with_facts
from endcap.evaluation.protocols.runs import Rows, ranges
from endcap.evaluation.protocols.temporal import cut_by_window
from endcap.evaluation.protocols.told import queries_of
from endcap.evaluation.split import Fact, Split, Targets, ViewRule
from endcap.schema.dataset import Dataset, Interactions
from endcap.schema.types import UserIdx

COLD_USERS = "cold-users"

_COUNTER = 2  # tells this draw from that of items


def cold_users(data: Dataset, terms: Terms) -> Split:
    """Return the past without a share of the users, asked about them with ever more told.

    Hidden are users drawn from those who took something new in the window and have as many
    interactions before it as the longest of `history_lengths`; a draw depends on (seed, user)
    alone. In the view `after_h` a model is told the last h of them. All views have the same users
    and targets, what was new to the user behind the cut, so that they make one curve.
    """
    choices, rows = terms.choices, data.interactions
    window = Window.of(data, choices)
    whole = cut_by_window(data, window, terms)
    new = whole.targets["discovery"]
    n_past = np.bincount(whole.train.interactions.user_idx, minlength=data.n_users)
    is_long = n_past[new.users] >= max(choices.history_lengths)
    chance = draws(choices.seed, new.users, np.array([_COUNTER])) / 2.0**64
    is_drawn = is_long & (chance < choices.cold_user_share)
    if not is_drawn.any():
        raise nothing("of a user who could be hidden", protocol=COLD_USERS)
    asked = new.take(np.flatnonzero(is_drawn))
    is_kept = ~np.isin(rows.user_idx, asked.users)
    learnt = (rows.ts < window.learn_us) & is_kept
    known = known_of(data, terms, learnt=learnt, told=learnt, protocol=COLD_USERS)
    asked = replace(asked, is_cold=~known.is_warm[asked.items])
    lengths, counts = choices.history_lengths, whole.counts
    told_of = replace(known, n_told=counts.n_train)
    found = told_of.count(asked, asked.users, n_window=counts.n_window, n_after=counts.n_after)
    split = replace(
        whole,
        train=known.train,
        history=_histories(whole.train, asked.users, lengths),
        query_users=np.tile(asked.users, len(lengths)),
        targets={_view(h): _shift(asked, place) for place, h in enumerate(lengths)},
        rules={_view(h): ViewRule(_meaning(h), exclude_seen=True) for h in lengths},
        counts=replace(found, n_window_unused=counts.n_window_unused),
        protocol=COLD_USERS,
    )
    set_aside = {
        "n_eligible_users": int(is_long.sum()),
        "n_short_users": int((~is_long).sum()),
        "n_held_back": int(((rows.ts < window.learn_us) & ~is_kept).sum()),
        "n_history_only": int(((rows.ts >= window.learn_us) & (rows.ts < window.cut_us)).sum()),
    }
    return with_facts(split, {**_facts(whole, asked, choices), **set_aside})


def _facts(whole: Split, asked: Targets, choices: ProtocolConfig) -> dict[str, Fact]:
    everything = whole.targets["all"]
    n_of_hidden = int(everything.n_relevant[np.isin(everything.users, asked.users)].sum())
    return {
        "seed": choices.seed,
        "cold_user_share": choices.cold_user_share,
        "history_lengths": ", ".join(map(str, choices.history_lengths)),
        "n_hidden_users": len(asked),
        "n_targets_had_before": n_of_hidden - len(asked.items),
        "n_targets_of_others": len(everything.items) - n_of_hidden,
    }


def _view(length: int) -> str:
    return f"after_{length}"


def _meaning(length: int) -> str:
    told = "nothing is told" if length == 0 else f"the last {length} interactions are told"
    return f"new to a user whom the model never met, of whom {told}"


def _shift(targets: Targets, place: int) -> Targets:
    queries = np.arange(len(targets), dtype=np.int32) + np.int32(place * len(targets))
    return replace(targets, users=queries)


@dataclass(frozen=True, slots=True)
class _Lasts:
    """Which rows of some users' interactions are told to which query, and from when on."""

    rows: Rows
    queries: Rows
    since_us: Rows


def _histories(past: Dataset, users: UserIdx, lengths: tuple[int, ...]) -> Dataset:
    n_queries = len(users) * len(lengths)
    lasts = _lasts(past.interactions, users, lengths)
    told = queries_of(past, lasts.rows, lasts.queries, n_queries=n_queries)
    if past.refusals is None:
        return told
    order = np.flatnonzero(np.isin(past.refusals.user_idx, users))
    user_place = np.searchsorted(users, past.refusals.user_idx[order])
    queries = (user_place[:, None] + len(users) * np.arange(len(lengths))).ravel()
    rows = np.repeat(order, len(lengths))
    is_told = past.refusals.ts[rows] >= lasts.since_us[queries]
    refused = replace(past, interactions=past.refusals)
    refusals = queries_of(refused, rows[is_told], queries[is_told], n_queries=n_queries)
    return replace(told, refusals=refusals.interactions if is_told.any() else None)


def _lasts(past: Interactions, users: UserIdx, lengths: tuple[int, ...]) -> _Lasts:
    order = np.argsort(past.user_idx, kind="stable")
    ends = np.searchsorted(past.user_idx[order], users, side="right").astype(np.int64)
    ends = np.tile(ends, len(lengths))
    starts = ends - np.repeat(np.array(lengths, dtype=np.int64), len(users))
    places, queries = ranges(starts, ends)
    since_us = np.full(len(ends), np.iinfo(np.int64).max)
    is_told = starts < ends
    since_us[is_told] = past.ts[order[starts[is_told]]]
    return _Lasts(order[places], queries, since_us)
