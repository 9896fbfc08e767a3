"""A few known users for the picker of the page, each with one true line about them.

They are picked to differ, not to represent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from endcap.bundle.read import Bundle
from endcap.schema.types import UserId

Floats: TypeAlias = NDArray[np.float64]

_NOUNS = {"bought": "purchases", "reviewed": "reviews", "viewed": "views", "liked": "likes"}
MIN_INTERACTIONS = 5
MIN_PART = 0.1
N_LOOKED_AT = 400


@dataclass(frozen=True, slots=True)
class Shopper:
    """A known user; `about` is like "214 purchases, 38% Produce"."""

    user_id: UserId
    about: str


class Shoppers:
    """Describes the known users of a bundle.

    Args:
        bundle: an opened bundle.
        n_picked: how many users `picked` may hold.

    Cost: one pass over the history when made; a row of it for each description.
    """

    def __init__(self, bundle: Bundle, *, n_picked: int = 8) -> None:
        self._bundle = bundle
        self._noun = _NOUNS.get(bundle.history_kind_verb, "interactions")
        self._usual = self._parts(slice(None))
        self.picked = tuple(
            Shopper(bundle.user_ids[user], self._about(user)) for user in self._pick(n_picked)
        )

    def about(self, user_id: UserId) -> str:
        """Return the line about a user; empty for one without a history."""
        user = self._bundle.user_index.get(user_id)
        return "" if user is None else self._about(user)

    def _pick(self, n: int) -> list[int]:
        """Return users from busy to quiet, of as many favourite departments as there are."""
        history = self._bundle.told_history
        running = np.concatenate([[0.0], np.cumsum(history.counts, dtype=np.float64)])
        totals = np.diff(running[history.indptr])
        usable = np.flatnonzero(totals >= min(MIN_INTERACTIONS, totals.max(initial=1.0)))
        busiest = usable[np.argsort(-totals[usable], kind="stable")]
        looked_at = busiest[:: max(1, len(busiest) // N_LOOKED_AT)]
        picked: list[int] = []
        taken: set[int] = set()
        for group in np.array_split(looked_at, min(n, len(looked_at)) or 1):
            favourites = {user: self._favourite(user) for user in group.tolist()}
            fresh = {user: one for user, one in favourites.items() if one[0] not in taken}
            if choice := fresh or favourites:
                user = max(choice, key=lambda user: choice[user][1])
                picked.append(user)
                taken.add(favourites[user][0])
        return picked

    def _row(self, user: int) -> slice:
        indptr = self._bundle.told_history.indptr
        return slice(int(indptr[user]), int(indptr[user + 1]))

    def _parts(self, rows: slice) -> Floats:
        """Return which part of the interactions falls on each department, unknown ones last."""
        bundle = self._bundle
        n = len(bundle.department_names) + 1
        history = bundle.told_history
        codes = bundle.department[history.items[rows]] % n  # -1 becomes the last
        counts = np.bincount(codes, weights=history.counts[rows], minlength=n)
        parts: Floats = counts / max(counts.sum(), 1.0)
        return parts

    def _favourite(self, user: int) -> tuple[int, float]:
        """Return the department that the user takes most of beyond the usual, and its part.

        The largest department would be everybody's favourite, and say nothing; a small part
        would say little. -1 when the user has nothing of a known department.
        """
        own = self._parts(self._row(user))[:-1]
        if not own.any():
            return -1, 0.0
        is_telling = own >= min(MIN_PART, float(own.max()))
        favourite = int(np.argmax(np.where(is_telling, own - self._usual[:-1], -np.inf)))
        return favourite, float(own[favourite])

    def _about(self, user: int) -> str:
        total = round(float(self._bundle.told_history.counts[self._row(user)].sum()))
        words = f"{total:,} {self._noun if total != 1 else self._noun.removesuffix('s')}"
        favourite, part = self._favourite(user)
        if favourite < 0:
            return words
        return f"{words}, {part:.0%} {self._bundle.department_names[favourite]}"
