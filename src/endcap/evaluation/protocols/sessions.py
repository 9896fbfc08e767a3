"""The next click of a session under way, click by click."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from endcap.evaluation.lists.chance import draws
from endcap.evaluation.lists.pairs import Pairs, pair_set
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.parts import (
    Marks,
    Terms,
    Window,
    known_of,
    nothing,
)
from endcap.evaluation.protocols.runs import Rows, group_starts, places, ranges
from endcap.evaluation.protocols.told import queries_of, take
from endcap.evaluation.split import Fact, Split, Targets, View, ViewRule, seen_pairs, targets_of
from endcap.schema.dataset import Dataset, Interactions

SESSIONS = "sessions"

RULES: Mapping[View, ViewRule] = {
    "next": ViewRule("the next item of the session; seen items may be listed", exclude_seen=False),
    "next_new": ViewRule("the next item, when new; seen items are not listed", exclude_seen=True),
    "rest": ViewRule("all that the session still holds; seen items may be", exclude_seen=False),
}


def sessions(data: Dataset, terms: Terms) -> Split:
    """Return the past to learn from, and a query for each click that follows another.

    Sessions that begin in the window are asked about. A query is told what came before the click
    in its session, and with `with_past` all that the user did before that; in `next` its target is
    the click, in `next_new` as well if what is told does not have the item, in `rest` all
    distinct items from the click to the end of the session. Sessions that were under way at the
    cut are neither learnt from behind it nor asked about. More than `max_queries` clicks are drawn
    from; a draw depends on (seed, user, how many interactions of that user came before) alone.

    Raises:
        ValueError: `session_of` is missing, of another length, or has a session of two users.

    Source: Ludewig, Jannach 2018 (session-rec): iterative revealing.
    """
    rows, choices = data.interactions, terms.choices
    session_of = _checked(rows, terms.session_of)
    window = Window.of(data, choices)
    known = known_of(
        data,
        terms,
        learnt=rows.ts < window.learn_us,
        told=rows.ts < window.learn_us,
        protocol=SESSIONS,
    )
    clicks = _clicks(rows, session_of, window, terms)
    if len(clicks.asked) == 0:
        raise nothing(
            "that follows another in a session that begins in the window", protocol=SESSIONS
        )
    chosen = _draw(clicks.asked, rows, seed=choices.seed, n_most=choices.max_queries)
    groups = rows.user_idx.astype(np.int64) if choices.with_past else session_of
    history = terms.prepared(_histories(data, groups, chosen))
    ends = clicks.is_in_test & terms.are_targets(rows)
    targets = _views(rows, session_of, chosen, ends, history, known.is_warm)
    askers = rows.user_idx[chosen]
    n_window, n_before = int(clicks.in_window.sum()), int(clicks.is_before.sum())
    told_of = replace(known, n_told=n_before)
    counts = told_of.count(
        targets["next"], askers, n_window=n_window, n_after=len(rows) - n_before - n_window
    )
    facts = _facts(clicks, choices, n_drawn=len(chosen))
    return Split(
        known.train,
        targets,
        cut_us=window.cut_us,
        end_us=window.end_us,
        counts=replace(counts, n_window_unused=clicks.n_useless),
        target_kinds=take(rows, chosen).kinds,
        rules=RULES,
        protocol=SESSIONS,
        facts={**facts, "n_history_only": n_before - known.n_learnt},
        history=history,
        query_users=askers,
    )


def _facts(clicks: _Clicks, choices: ProtocolConfig, *, n_drawn: int) -> dict[str, Fact]:
    return {
        "on": choices.on,
        "refit": choices.refit,
        "seed": choices.seed,
        "with_past": choices.with_past,
        "session_gap_s": choices.session_gap_s,
        "n_queries": len(clicks.asked),
        "n_drawn_queries": n_drawn,
        "n_first_clicks": clicks.n_first,
        "n_clicks_under_way": clicks.n_under_way,
    }


@dataclass(frozen=True, slots=True)
class _Clicks:
    """Rows of the data by what becomes of them.

    in_window, is_before: in time. is_in_test: in a session that begins in the window.
    asked: indices of those that follow another and make a target, ascending.
    n_first, n_useless, n_under_way: the others of the window: first of their session, no target,
    in a session that began before.
    """

    in_window: Marks
    is_before: Marks
    is_in_test: Marks
    asked: Rows
    n_first: int
    n_useless: int
    n_under_way: int


def _clicks(rows: Interactions, session_of: Rows, window: Window, terms: Terms) -> _Clicks:
    is_before = rows.ts < window.cut_us
    in_window = ~is_before & (rows.ts < window.end_us)
    began_before = np.isin(session_of, np.unique(session_of[is_before]))
    is_in_test = in_window & ~began_before
    is_useful = terms.are_targets(rows)
    is_first = places(session_of) == 0
    asked = is_in_test & is_useful & ~is_first
    return _Clicks(
        in_window,
        is_before,
        is_in_test,
        np.flatnonzero(asked),
        n_first=int((is_in_test & is_useful & is_first).sum()),
        n_useless=int((in_window & ~is_useful).sum()),
        n_under_way=int((in_window & began_before & is_useful).sum()),
    )


def _draw(asked: Rows, rows: Interactions, *, seed: int, n_most: int) -> Rows:
    if len(asked) <= n_most:
        return asked
    chance = draws(seed, rows.user_idx, places(rows.user_idx))[asked]
    return np.sort(asked[np.argsort(chance, kind="stable")[:n_most]])


def _histories(data: Dataset, groups: Rows, chosen: Rows) -> Dataset:
    """Return what comes before each chosen row within its group, told to the query of that row."""
    order = np.argsort(groups, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    starts = group_starts(groups[order])[place[chosen]]
    told, queries = ranges(starts, place[chosen])
    return queries_of(data, order[told], queries, n_queries=len(chosen))


def _views(
    rows: Interactions,
    session_of: Rows,
    chosen: Rows,
    may_follow: Marks,
    history: Dataset,
    is_warm: Marks,
) -> dict[View, Targets]:
    n_items = len(is_warm)
    clicks = pair_set(np.arange(len(chosen)), rows.item_idx[chosen], stride=n_items)
    is_new = ~seen_pairs(history).contain(clicks.rows, clicks.items)
    rest = _rest(rows, session_of, chosen, may_follow, n_items=n_items)
    return {
        "next": targets_of(clicks, is_warm),
        "next_new": targets_of(clicks, is_warm, is_new),
        "rest": targets_of(rest, is_warm),
    }


def _rest(
    rows: Interactions, session_of: Rows, chosen: Rows, may_follow: Marks, *, n_items: int
) -> Pairs:
    useful = np.flatnonzero(may_follow)
    useful = useful[np.argsort(session_of[useful], kind="stable")]
    place = np.empty(len(rows), dtype=np.int64)
    place[useful] = np.arange(len(useful))
    ends = np.searchsorted(session_of[useful], session_of[chosen], side="right")
    ahead, queries = ranges(place[chosen], ends.astype(np.int64))
    return pair_set(queries, rows.item_idx[useful[ahead]], stride=n_items)


def _checked(rows: Interactions, session_of: Rows | None) -> Rows:
    if session_of is None or len(session_of) != len(rows):
        raise ValueError("session_of must name the session of each interaction")
    order = np.argsort(session_of, kind="stable")
    is_same = session_of[order][1:] == session_of[order][:-1]
    if (is_same & (np.diff(rows.user_idx[order]) != 0)).any():
        raise ValueError("a session has two users")
    return session_of
