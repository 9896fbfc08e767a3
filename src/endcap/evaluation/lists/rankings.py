"""The lists of all models for all views: each ranked once, however many views look at it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from endcap.evaluation.lists.entrants import Confined
from endcap.evaluation.lists.pairs import Pairs
from endcap.evaluation.lists.rank import Lists, Ranker, rank_users
from endcap.evaluation.split import Split, View
from endcap.schema.types import UserIdx


@dataclass(frozen=True, slots=True)
class Rankings:
    """What every fit of every model lists; ranks when a list is first asked for.

    split: whose queries are ranked.
    fits: the models by name, once for each fit.
    k: list length.
    seed: orders equal scores.
    seen: what lists of new items leave out.
    """

    split: Split
    fits: Sequence[Mapping[str, Ranker]]
    k: int
    seed: int
    seen: Pairs
    _ranked: dict[tuple[int, str, View], Lists] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """The models, in the order in which they are reported."""
        return tuple(self.fits[0])

    def of(self, view: View, *, fit: int = 0) -> dict[str, Lists]:
        """Return the lists of every model for the users of a view, by name."""
        users = self.split.targets[view].users
        return {name: self._lists(name, self._like(view), fit).of(users) for name in self.names}

    def seconds_of_a_thousand(self) -> dict[str, float]:
        """Return how long each model took for a thousand lists; 0 when nobody was ranked."""
        spent, n_lists = dict.fromkeys(self.names, 0.0), dict.fromkeys(self.names, 0)
        for (_, name, _), lists in self._ranked.items():
            spent[name] += lists.seconds
            n_lists[name] += len(lists.users)
        return {name: 1000 * spent[name] / max(n_lists[name], 1) for name in self.names}

    def _lists(self, name: str, views: tuple[View, ...], fit: int) -> Lists:
        rule, key = self.split.rules[views[0]], (fit, name, views[0])
        if key not in self._ranked:
            asked = [self.split.targets[view].users for view in views]
            users: UserIdx = np.unique(np.concatenate(asked))
            model = self.fits[fit][name]
            self._ranked[key] = rank_users(
                name,
                model if rule.allowed is None else Confined(name, model, rule.allowed),
                users,
                k=self.k,
                n_items=self.split.train.n_items,
                forbidden=self.seen if rule.exclude_seen else None,
                seed=self.seed,
            )
        return self._ranked[key]

    def _like(self, view: View) -> tuple[View, ...]:
        """Return the views whose lists follow the same rule, so that they are the same."""
        rules, rule = self.split.rules, self.split.rules[view]
        return tuple(
            other
            for other in self.split.targets
            if rules[other].exclude_seen == rule.exclude_seen
            and rules[other].allowed is rule.allowed
        )
