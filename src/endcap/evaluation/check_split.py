"""What a split must satisfy before anything is measured by it; a split that does not is refused.

A user twice, or an answer among what is known, gives a number all the same: hence no repair.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.protocols.cold_users import COLD_USERS
from endcap.evaluation.protocols.registry import PROTOCOLS
from endcap.evaluation.split import Split, Targets, View, ViewRule, seen_pairs, warm_items
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError


def check_split(split: Split) -> None:
    """Raise `DataError` unless every user is asked once and nobody knows an answer beforehand.

    Refused are: views without a rule, or a rule without a view; queries that do not fit the
    history; what lies at or after the cut among what is known, where the protocol has a cut; and
    in any view a user twice, a user without a target, a target twice, a target that is no item, is
    no candidate, is called cold and is not, or was seen in a view that leaves out what was seen.

    Cost: one sort of the pairs seen, and a binary search for each target.
    """
    _check_views(split)
    _check_queries(split)
    _check_time(split)
    is_cold = ~warm_items(split.train)
    leaves_out = any(rule.exclude_seen for rule in split.rules.values())
    seen = split.seen if leaves_out else None
    # Where queries are users, what is learnt from must know no answer either.
    learnt = seen_pairs(split.train) if leaves_out and split.query_users is None else None
    for view, targets in split.targets.items():
        _check_shape(view, targets)
        _check_users(view, targets, n_users=split.known.n_users)
        _check_items(view, targets, is_cold)
        _check_rule(view, targets, split.rules[view], seen)
        _check_rule(view, targets, split.rules[view], learnt)


def _check_views(split: Split) -> None:
    without_rule, without_targets = (
        sorted(set(one) - set(other))
        for one, other in ((split.targets, split.rules), (split.rules, split.targets))
    )
    if without_rule or without_targets or not split.targets:
        _refuse(
            "its views and their rules differ",
            f"without a rule: {', '.join(without_rule) or 'none'}; "
            f"without targets: {', '.join(without_targets) or 'none'}",
        )


def _check_queries(split: Split) -> None:
    train, history, askers = split.train, split.history, split.query_users
    if history is None and askers is not None:
        _refuse("it names the users of queries, but there is no history of queries", "")
    if history is None:
        return
    if history.n_items != train.n_items:
        _refuse(
            "what is learnt from and what is told have different catalogues",
            f"{train.n_items} items and {history.n_items}",
        )
    n_askers = train.n_users if askers is None else len(askers)
    if history.n_users != n_askers:
        _refuse(
            "the history is not of as many as are asked",
            f"{history.n_users} histories, {n_askers} {'users' if askers is None else 'queries'}",
        )
    if askers is not None and _outside(askers, train.n_users).any():
        _refuse("a query belongs to nobody", f"users are 0 to {train.n_users - 1}")
    if askers is not None and split.protocol == COLD_USERS:
        met = np.intersect1d(askers, train.interactions.user_idx)
        if len(met):
            _refuse("a hidden user is in what is learnt from", f"user {met[0]}")


def _check_time(split: Split) -> None:
    text = PROTOCOLS.get(split.protocol)
    if text is None:
        return
    if text.train_ends_at_cut:
        _check_before(split.train, split.cut_us, "what is learnt from")
    if text.history_ends_at_cut and split.history is not None:
        _check_before(split.history, split.cut_us, "what is told")


def _check_before(data: Dataset, cut_us: int, what: str) -> None:
    n_late = len(data.between(cut_us, None).interactions)
    if n_late or data.end_us > cut_us:
        _refuse(
            f"{what} reaches into the future",
            f"{n_late} interactions at or after the cut; the last of all at {data.end_us - 1} us, "
            f"the cut at {cut_us} us",
        )


def _check_shape(view: View, targets: Targets) -> None:
    n_users, n_targets = len(targets.users), len(targets.items)
    indptr = targets.indptr
    fits = len(indptr) == n_users + 1 and indptr[0] == 0 and indptr[-1] == n_targets
    if not fits or len(targets.is_cold) != n_targets:
        _refuse(
            "its arrays do not fit together",
            f"view {view}: {n_users} users, {len(indptr)} limits, {n_targets} items, "
            f"{len(targets.is_cold)} marks",
        )
    if (is_empty := targets.n_relevant < 1).any():
        user = targets.users[np.argmax(is_empty)]
        _refuse("a user without a target is measured", f"view {view}, user {user}")


def _check_users(view: View, targets: Targets, *, n_users: int) -> None:
    users = targets.users
    if (is_outside := _outside(users, n_users)).any():
        _refuse("a user is unknown", f"view {view}, user {users[np.argmax(is_outside)]}")
    if (is_wrong := users[1:] <= users[:-1]).any():
        user = users[1:][np.argmax(is_wrong)]
        fault = "there twice" if (users == user).sum() > 1 else "out of order"
        _refuse(f"a user is {fault}", f"view {view}, user {user}")


def _check_items(view: View, targets: Targets, is_cold: NDArray[np.bool_]) -> None:
    users, items = np.repeat(targets.users, targets.n_relevant), targets.items
    _refuse_first(_outside(items, len(is_cold)), view, users, targets, "is not in the catalogue")
    within = np.append(users[1:] == users[:-1], False) if len(users) else users.astype(np.bool_)
    is_same, is_falling = (
        within & np.append(wrong, False)[: len(items)]
        for wrong in (items[1:] == items[:-1], items[1:] < items[:-1])
    )
    _refuse_first(is_same, view, users, targets, "is there twice")
    _refuse_first(is_falling, view, users, targets, "is out of order")
    is_wrong = targets.is_cold != is_cold[items]
    _refuse_first(is_wrong, view, users, targets, "is marked cold and is not, or the reverse")


def _check_rule(view: View, targets: Targets, rule: ViewRule, seen: Pairs | None) -> None:
    users = np.repeat(targets.users, targets.n_relevant)
    if rule.allowed is not None:
        if (rule.allowed[1:] <= rule.allowed[:-1]).any():
            _refuse("the candidates are not ascending", f"view {view}")
        is_left_out = ~np.isin(targets.items, rule.allowed)
        _refuse_first(is_left_out, view, users, targets, "is no candidate")
    if rule.exclude_seen and seen is not None:
        is_seen = seen.contain(users, targets.items)
        _refuse_first(is_seen, view, users, targets, "was seen before, and seen items are left out")


def _outside(index: NDArray[np.integer], n: int) -> NDArray[np.bool_]:
    return np.asarray((index < 0) | (index >= n))


def _refuse_first(
    is_wrong: NDArray[np.bool_],
    view: View,
    users: NDArray[np.integer],
    targets: Targets,
    fault: str,
) -> None:
    if is_wrong.any():
        first = int(np.argmax(is_wrong))
        _refuse(
            f"a target {fault}",
            f"view {view}, user {users[first]}, item {targets.items[first]}; "
            f"{int(is_wrong.sum())} of {len(is_wrong)} targets",
        )


def _refuse(fault: str, where: str) -> None:
    raise DataError(
        f"the split cannot be measured by: {fault}",
        where=where,
        mend="Mend the protocol that made it; nothing was measured",
    )
