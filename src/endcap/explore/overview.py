"""How large the data is, how long, how dense, and of which kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from endcap.explore.wording import KIND_NOUNS, noun_of
from endcap.figures.plots import sideways_bars
from endcap.figures.wording import counted, date, number, percent
from endcap.ingest.profile import Profile, profile
from endcap.schema.columns import Kind
from endcap.schema.dataset import Dataset
from endcap.schema.errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Overview:
    """The size of a data set.

    profile: sizes, density, repeat share, span and kinds, as `ingest` prints them.
    first_us, last_us: the first and the last interaction.
    n_unused_items: items of the catalogue without an interaction.
    noun: what the interactions are called: "purchases" when they are nothing else.
    """

    profile: Profile
    first_us: int
    last_us: int
    n_unused_items: int
    noun: str

    @property
    def sparsity(self) -> float:
        """The share of the pairs of an active user and an active item that never occurred."""
        return 1.0 - self.profile.density


def overview(data: Dataset) -> Overview:
    """Return the size of a data set.

    Raises:
        DataError: it has no interaction; so say all functions of this room.

    Cost: one sort of the pairs.
    """
    require_interactions(data)
    facts = profile(data)
    ts = data.interactions.ts
    return Overview(
        profile=facts,
        first_us=int(ts[0]),
        last_us=int(ts[-1]),
        n_unused_items=data.n_items - facts.n_items,
        noun=noun_of(facts.kinds),
    )


def require_interactions(data: Dataset) -> None:
    """Return if there is anything to look at.

    Raises:
        DataError: there is no interaction.
    """
    if len(data.interactions) == 0:
        raise DataError("there is no interaction to look at", mend="Choose a longer part of time")


def say_size(found: Overview) -> str:
    """Return the size of the data as a sentence."""
    facts = found.profile
    unused = ""
    if found.n_unused_items:
        share = percent(found.n_unused_items / facts.n_known_items)
        unused = f" Another {counted(found.n_unused_items, 'item', 'items')} ({share} of the "
        unused += f"catalogue) {'has' if found.n_unused_items == 1 else 'have'} none."
    first, last = date(found.first_us), date(found.last_us)
    when = f"from {first} to {last}" if first != last else f"all on {first}"
    return (
        f"{facts.n_interactions:,} {found.noun} of {counted(facts.n_users, 'user', 'users')} with "
        f"{counted(facts.n_items, 'item', 'items')}, {when}.{unused}"
    )


def say_density(found: Overview) -> str:
    """Return how empty the table of users and items is, as a sentence."""
    facts = found.profile
    met = facts.density * facts.n_items
    return (
        f"A user has met {number(round(met, 1))} of the {facts.n_items:,} items on average: "
        f"{percent(facts.density)} of all pairs of a user and an item occur, "
        f"{percent(found.sparsity)} never do."
    )


def say_kinds(found: Overview) -> str:
    """Return what the interactions are, as a sentence; with rates when there are several kinds."""
    kinds = found.profile.kinds
    if len(kinds) == 1:
        return f"All interactions are {found.noun}."
    total = found.profile.n_interactions
    most = max(kinds, key=lambda kind: kinds[kind])
    says = f"{percent(kinds[most] / total)} are {KIND_NOUNS[most]}."
    views = kinds.get(Kind.VIEW, 0)
    later = [kind for kind in (Kind.CART, Kind.PURCHASE) if kind in kinds]
    if views and later:
        rates = [f"{number(100 * kinds[kind] / views)} {KIND_NOUNS[kind]}" for kind in later]
        says += f" A hundred views come with {' and '.join(rates)}."
    return says


def plot_kinds(found: Overview) -> Figure:
    """Return a bar for each kind of interaction, the most frequent on top."""
    kinds = sorted(found.profile.kinds.items(), key=lambda entry: -entry[1])
    names = [KIND_NOUNS[kind] for kind, _ in kinds]
    amounts = np.array([n for _, n in kinds])
    texts = [f"{n:,} ({percent(n / found.profile.n_interactions)})" for n in amounts]
    return sideways_bars(names, amounts, texts)[0]
