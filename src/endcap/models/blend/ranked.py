"""The candidates of several models, ranked by what has been learnt of whom they serve best.

How the ranking is learnt is told in `rule.py`, where the members come from in
`training/blend.py`; the blend that learns nothing is `blend.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from endcap.models import registry
from endcap.models.blend.config import BlendConfig
from endcap.models.blend.fusion import Asked, Fusion
from endcap.models.blend.lessons import Lesson, fit_members, hold_out
from endcap.models.blend.rule import USERS_AT_ONCE, Rule, Window, best_of, learn_rule, spread
from endcap.models.blend.rule_files import load_rules, save_rules
from endcap.models.ranker.candidates import Candidates, merge_lists
from endcap.models.ranker.facts import ItemFacts, UserFacts, item_facts
from endcap.models.ranker.features import describe
from endcap.models.ranking import checked_users, concatenate, empty_lists
from endcap.models.reasons import NO_REASON
from endcap.models.state import load_state, require_fitted, save_state, saved_history
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError, SettingsError
from endcap.schema.protocols import Explains, Persistent, Reason, Recommender, TakesHistory
from endcap.schema.types import NO_ITEM, ItemIdx, Scores, TopK, UserIdx


class RankedBlend:
    """Ranks the candidates of its members by trees, or by rank fusion with learnt weights.

    There is a rule for lists that leave out what a user had, and one for lists that do not.

    members_: the fitted models, by name.
    rules_: by whether seen items are left out.
    items_: what is known of the items; users_: of the users.
    """

    def __init__(self, config: BlendConfig | None = None) -> None:
        self.config = config or BlendConfig()

    members_: dict[str, Recommender]
    rules_: dict[bool, Rule]
    items_: ItemFacts
    users_: UserFacts

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Fit the members on all but the end of the data, learn to rank by it, fit them on all.

        Cost: a fit of each member for each window and one more, and the learning.
        """
        seed = int(rng.integers(2**31))
        taught, past = [], data
        for _ in range(self.config.n_windows if self.config.validation_days else 1):
            past, lessons = hold_out(past, days=self.config.validation_days)
            if not lessons:
                break
            earlier = type(self)(self.config)
            earlier._take(fit_members(past, self.config, seed=seed), past, past)
            taught.append((earlier, lessons))
        self.rules_ = _even_rules(len(self.config.members))
        if taught:
            self.rules_ = learn_together(taught, seed=seed)
        self._take(fit_members(data, self.config, seed=seed), data, data)
        return self

    @classmethod
    def of(
        cls,
        members: Mapping[str, Recommender],
        *,
        learnt: Dataset,
        told: Dataset | None = None,
        rules: Mapping[bool, Rule] | None = None,
        config: BlendConfig | None = None,
    ) -> Self:
        """Return a blend of members that are fitted already.

        Args:
            members: by name, in the order in which the rules know them.
            learnt: what they were fitted on.
            told: what they were told as history, where it is not that.
            rules: learnt from the same members, on any data; the same say for all when None.
            config: settings; its `members` are set to those that are given.
        """
        settings = (config or BlendConfig()).model_copy(update={"members": tuple(members)})
        blend = cls(settings)
        blend.rules_ = dict(rules) if rules is not None else _even_rules(len(members))
        blend._take(members, learnt, learnt if told is None else told)
        return blend

    def learn(self, lessons: Sequence[Lesson], *, seed: int) -> dict[bool, Rule]:
        """Return the rules that the lessons teach; they are not taken over.

        The members must not have learnt what the lessons tell. Where there is no lesson for one
        kind of list, it is ranked by the rule of the other kind.
        """
        return learn_together([(self, lessons)], seed=seed)

    def window(self, lesson: Lesson, *, max_users: int, seed: int) -> Window:
        """Return what a lesson teaches of these members: that of at most so many of its users."""
        require_fitted(self, "members_")
        some = lesson.draw(max_users, seed=seed)

        def describe_rows(
            rows: NDArray[np.int64], candidates: Candidates
        ) -> tuple[tuple[str, ...], NDArray[np.float32]]:
            return self._describe(some.users[rows], candidates)

        return Window(self._ask(some), describe_rows)

    def floor(self) -> Self:
        """Return the same blend without its trees: reciprocal-rank fusion with learnt weights."""
        require_fitted(self, "rules_")
        other = copy(self)
        other.rules_ = {key: rule.floor() for key, rule in self.rules_.items()}
        return other

    @property
    def has_trees(self) -> bool:
        """Whether any of its lists is ranked by trees."""
        return any(rule.ranker is not None for rule in self.rules_.values())

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k items of each user that the rule puts highest.

        The best `n_ranked` candidates of the members' first `depth` come first, by the rule; the
        other candidates follow by rank fusion, then what else the members list. Where only some
        items are allowed and the candidates do not fill a list, it goes on with the members' lists
        of what is allowed. Scores are above -1 for the first, from -2 and from -3 for the others.

        Raises:
            NotFittedError: fit was not called.

        Cost: a list of `depth` a member and user, their features, and the trees.
        """
        require_fitted(self, "members_")
        users = checked_users(users, k)
        parts = [empty_lists(k)]
        for start in range(0, len(users), USERS_AT_ONCE):
            block = users[start : start + USERS_AT_ONCE]
            parts.append(self._recommend(block, k, exclude_seen=exclude_seen, allowed=allowed))
        return concatenate(parts)

    def with_history(self, data: Dataset) -> Self:
        """Return the same blend of the members, each with the history.

        Raises:
            NotFittedError: fit was not called.
            SettingsError: a member cannot be asked about other users.
        """
        require_fitted(self, "members_")
        other = copy(self)
        other.members_ = {}
        for name, model in self.members_.items():
            if not isinstance(model, TakesHistory):
                raise SettingsError(
                    f"a blend can be asked about other users where all of its members can; "
                    f"{name} cannot",
                    where="training.blend.members",
                    mend="Leave it out",
                )
            other.members_[name] = model.with_history(data)
        other.users_ = UserFacts.of(data, n_items=self.items_.n_items)
        return other

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return the reason of the member that does most for each item by its place in its list.

        Of members that can explain themselves; no reason where none can.
        """
        require_fitted(self, "members_")
        able = {n: m for n, m in self.members_.items() if isinstance(m, Explains)}
        if not able or not len(items):
            return [NO_REASON] * len(items)
        candidates = self._candidates(np.array([user], dtype=np.int32), exclude_seen=False)
        parts = self.rules_[False].fusion.parts(candidates)[:, 0]
        names = list(self.members_)
        weight = np.zeros((len(able), len(items)))
        of_item, column = np.nonzero(items[:, np.newaxis] == candidates.items)
        for row, name in enumerate(able):
            weight[row, of_item] = parts[names.index(name), column]
        told = [model.explain(user, items) for model in able.values()]
        return [told[best][place] for place, best in enumerate(weight.argmax(axis=0).tolist())]

    def save(self, folder: Path) -> None:
        """Write the rules, what is known of items and users, and each member into the folder.

        Raises:
            NotFittedError: fit was not called.
            DataError: a member cannot be saved.
        """
        require_fitted(self, "members_")
        if unable := [n for n, m in self.members_.items() if not isinstance(m, Persistent)]:
            raise DataError(f"{', '.join(unable)} cannot be saved", mend="Give them save and load")
        save_state(
            folder,
            model=type(self).__name__,
            config=self.config,
            arrays={
                **{f"items.{name}": array for name, array in self.items_.arrays().items()},
                "places": self.users_.places,
            },
            numbers={"now_us": self.users_.now_us},
            history=self.users_.history,
        )
        save_rules(self.rules_, folder)
        for name, model in self.members_.items():
            (folder / name).mkdir()
            if isinstance(model, Persistent):
                model.save(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote."""
        config, arrays, numbers = load_state(folder, model=cls.__name__, config=BlendConfig)
        blend = cls(config)
        known = {n.removeprefix("items."): a for n, a in arrays.items() if n.startswith("items.")}
        blend.items_ = ItemFacts(**known)
        blend.users_ = UserFacts(saved_history(arrays), arrays["places"], numbers["now_us"])
        blend.rules_ = load_rules(folder)
        blend.members_ = {name: registry.load(name, folder / name) for name in config.members}
        return blend

    def _take(self, members: Mapping[str, Recommender], learnt: Dataset, told: Dataset) -> None:
        self.members_ = dict(members)
        self.items_ = item_facts(learnt)
        self.users_ = UserFacts.of(told, n_items=learnt.n_items)

    def _candidates(
        self,
        users: UserIdx,
        *,
        exclude_seen: bool,
        depth: int | None = None,
        allowed: ItemIdx | None = None,
    ) -> Candidates:
        depth = depth or self.config.depth
        return merge_lists(
            [
                model.recommend(users, depth, exclude_seen=exclude_seen, allowed=allowed)
                for model in self.members_.values()
            ]
        )

    def _describe(
        self, users: UserIdx, candidates: Candidates
    ) -> tuple[tuple[str, ...], NDArray[np.float32]]:
        return describe(
            candidates, self.users_.take(users), self.items_, members=list(self.members_)
        )

    def _ask(self, lesson: Lesson) -> Asked:
        candidates = self._candidates(lesson.users, exclude_seen=lesson.exclude_seen)
        return Asked(candidates, lesson.are_targets(candidates.items), lesson.n_relevant)

    def _recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool, allowed: ItemIdx | None
    ) -> TopK:
        rule = self.rules_[exclude_seen]
        candidates = self._candidates(users, exclude_seen=exclude_seen)
        fused = rule.fusion.score(candidates)
        tiers = [candidates.best(_squashed(fused) - 2)]
        if rule.ranker is not None:
            ranked, _ = best_of(candidates, fused, self.config.n_ranked)
            scores = spread(ranked, rule.ranker.score(*self._describe(users, ranked)))
            tiers.insert(0, ranked.best(_squashed(scores + 1e-4 * rule.fusion.score(ranked))))
        found = _chain(tiers, k, allowed)
        if not (found.items == NO_ITEM).any():
            return found
        rest = self._candidates(
            users, exclude_seen=exclude_seen, depth=max(k, self.config.depth), allowed=allowed
        )
        return _chain([found, rest.best(_squashed(rule.fusion.score(rest)) - 3)], k, allowed)


def learn_together(
    taught: Sequence[tuple[RankedBlend, Sequence[Lesson]]], *, seed: int
) -> dict[bool, Rule]:
    """Return the rules that lessons of several times teach.

    Where there is no lesson for one kind of list, it is ranked by the rule of the other kind.

    Args:
        taught: blends of the same members, each fitted on what was before its lessons.
        seed: of all that is drawn.
    """
    first, rules = taught[0][0], {}
    for exclude_seen in (True, False):
        windows = [
            blend.window(lesson, max_users=first.config.max_users // len(taught), seed=seed)
            for blend, lessons in taught
            for lesson in lessons
            if lesson.exclude_seen == exclude_seen
        ]
        if windows:
            rules[exclude_seen] = learn_rule(windows, config=first.config, seed=seed)
    if not rules:
        return _even_rules(len(first.config.members))
    return {key: rules.get(key) or rules[not key] for key in (True, False)}


def _even_rules(n_members: int) -> dict[bool, Rule]:
    """Return the rules of who has learnt nothing."""
    return dict.fromkeys((True, False), Rule(Fusion.even(n_members)))


def _squashed(scores: NDArray[np.floating]) -> Scores:
    """Return the scores in their order, but between -1 and 1; -inf becomes -1."""
    finite = np.maximum(scores.astype(np.float64), -1e30)
    return np.asarray(finite / (1 + np.abs(finite)), dtype=np.float32)


def _chain(tiers: Sequence[TopK], k: int, allowed: ItemIdx | None) -> TopK:
    """Return the first k items of the lists one behind the other, each item once.

    Of each list, only what is allowed; scores must fall from list to list.
    """
    items = np.concatenate([tier.items for tier in tiers], axis=1)
    scores = np.concatenate([tier.scores for tier in tiers], axis=1)
    is_shown = items != NO_ITEM
    if allowed is not None:
        is_shown &= np.isin(items, allowed)
    found = np.full((len(items), k), NO_ITEM, dtype=np.int32)
    values = np.full((len(items), k), -np.inf, dtype=np.float32)
    for row in range(len(items)):
        own = np.flatnonzero(is_shown[row])
        _, first = np.unique(items[row, own], return_index=True)
        kept = own[np.sort(first)][:k]
        found[row, : len(kept)], values[row, : len(kept)] = items[row, kept], scores[row, kept]
    return TopK(found, values)
