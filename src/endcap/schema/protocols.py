"""What the parts of Endcap ask of each other. Structural: nothing needs to inherit from these.

Serving awaits its stores, so they are async; training and scoring are sync. Never both in one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from endcap.schema.dataset import Dataset
from endcap.schema.types import ItemIdx, Scores, TopK, UserIdx

Row: TypeAlias = Mapping[str, Any]
"""One record of a store: JSON values under text keys."""

Offset: TypeAlias = str
"""A place in an event log: opaque, ordered by the log alone, safe to keep for later."""


@runtime_checkable
class Recommender(Protocol):
    """A model that ranks items for users."""

    def fit(self, data: Dataset, *, rng: np.random.Generator) -> Self:
        """Learn from the data; fitting twice equals fitting once."""
        ...

    def recommend(
        self, users: UserIdx, k: int, *, exclude_seen: bool = True, allowed: ItemIdx | None = None
    ) -> TopK:
        """Return the k best items of each user, shape (n_users, k), padded."""
        ...


@runtime_checkable
class SimilarItems(Protocol):
    """A model that also knows which items go with which."""

    def similar_items(self, items: ItemIdx, k: int) -> TopK:
        """Return the k items nearest to each item, itself excluded."""
        ...


@runtime_checkable
class Persistent(Protocol):
    """A model whose learnt state can be kept in a folder, without pickle."""

    def save(self, folder: Path) -> None:
        """Write everything that `load` needs into an existing, empty folder."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the model that `save` wrote; it recommends exactly the same."""
        ...


@runtime_checkable
class TakesHistory(Protocol):
    """A model that can be asked about other users than those it was fitted on."""

    def with_history(self, data: Dataset) -> Self:
        """Return a model that has learnt the same, but knows the users of `data` and no others.

        What they did decides their lists and what counts as seen; ages are counted from the end of
        `data`. `fit(d).with_history(d)` recommends exactly what `fit(d)` does. The model itself is
        left as it was.

        Args:
            data: prepared (weighed, refusals told apart) as what the model was fitted on. Its items
                are those of the fitted data; what lies beyond them is unknown and ignored.
        """
        ...


@runtime_checkable
class ScoresItems(Protocol):
    """A model whose opinion of every item can be seen, not only the best of them."""

    def score(self, users: UserIdx) -> Scores:
        """Return the scores of all items, float32, shape (n_users, n_items), all finite.

        Seen and refused items are scored as well. Where both are wanted, ranking by these scores
        gives the list of `recommend`, but for pairs whose scores differ by rounding only.

        Cost: 4 bytes a score, all at once: ask for a few users at a time.
        """
        ...


ReasonKind: TypeAlias = Literal[
    "because_of", "popular", "trending", "had_before", "similar_taste", "none"
]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a model shows an item to a user.

    kind: `because_of` an item that the user had; `had_before` itself; `similar_taste` where no
        single item of the history speaks for it; `popular` or `trending` where the user's history
        plays no part; `none` where nothing speaks for it.
    item: the item of the history that speaks most for it; None where there is none.
    amount: how much, at least 0, in the model's own terms; each model's `explain` says which.
    """

    kind: ReasonKind
    item: int | None
    amount: float


@runtime_checkable
class Explains(Protocol):
    """A model that can say what its lists rest on."""

    def explain(self, user: int, items: ItemIdx) -> list[Reason]:
        """Return one reason for each of the items, in their order; whether listed or not."""
        ...


@runtime_checkable
class Updates(Protocol):
    """A model that can go on learning from what has happened since it was fitted."""

    def update(self, data: Dataset, *, since_us: int, rng: np.random.Generator) -> Self:
        """Return a model that has learnt what happened since as well; this one stays as it was.

        Args:
            data: everything up to now, prepared as what the model was fitted on. Users and items
                keep their numbers; new ones come after them.
            since_us: the end of what the model was fitted on; everything before it is known to it.
            rng: of all that is random.
        """
        ...


@runtime_checkable
class Resumes(Protocol):
    """A model whose training is long enough to be kept while it runs."""

    def keep_training_in(self, folder: Path | None) -> Self:
        """Return the model, whose `fit` will keep its state there and go on from what it finds.

        What is found is used only if settings, seed and data are the same; the result is then the
        same as without the interruption. None keeps nothing, which is how a model begins.
        """
        ...


class Retriever(Protocol):
    """An index over item vectors."""

    def search(self, queries: NDArray[np.float32], k: int) -> TopK:
        """Return the k items with the largest inner product, shape (n_queries, k)."""
        ...


class Metric(Protocol):
    """A measure of one ranked list; the mean is taken later, so that intervals are possible."""

    def __call__(self, ranked: TopK, relevant: Sequence[ItemIdx]) -> NDArray[np.float64]:
        """Return one value a user, shape (n_users,)."""
        ...


class Store(Protocol):
    """Rows that must not be lost."""

    async def get_many(self, table: str, keys: Sequence[str]) -> list[Row | None]:
        """Return the rows under the keys, in their order; None where there is none."""
        ...

    async def put_many(self, table: str, rows: Mapping[str, Row]) -> None:
        """Write the rows, whole and durable, or raise; an existing row is replaced."""
        ...

    async def page(
        self, table: str, *, token: str | None = None, limit: int = 1000
    ) -> tuple[list[tuple[str, Row]], str | None]:
        """Return the next rows in key order and the token that goes on; None at the end."""
        ...

    async def delete_many(self, table: str, keys: Sequence[str]) -> None:
        """Remove the rows; a missing one is no error."""
        ...

    async def close(self) -> None:
        """Release the connection; calling twice is harmless."""
        ...


class EventLog(Protocol):
    """An append-only log, ordered per key, replayable from any offset, delivered at least once."""

    async def append(self, events: Sequence[bytes], *, key: str) -> None:
        """Return once all the events are durable, in order; or raise, and none is acknowledged."""
        ...

    def read(self, *, after: Offset | None = None) -> AsyncIterator[tuple[Offset, bytes]]:
        """Yield what is in the log now, from after the offset (or the start) to the end."""
        ...

    async def close(self) -> None:
        """Release the log; calling twice is harmless."""
        ...


class Cache(Protocol):
    """Bytes with a time to live; losing them is harmless."""

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Return the live values under the keys, in their order; None where there is none."""
        ...

    async def set_many(self, items: Mapping[str, bytes], *, ttl_s: float | None = None) -> None:
        """Keep the values for ttl_s seconds; for ever (or until evicted) when None."""
        ...

    async def delete_many(self, keys: Sequence[str]) -> None:
        """Forget the keys; a missing one is no error."""
        ...

    async def close(self) -> None:
        """Release the connection; calling twice is harmless."""
        ...
