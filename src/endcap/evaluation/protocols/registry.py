"""The protocols by name: what each asks, what it leaks, and the function that makes its split."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from endcap.evaluation.protocols.cold_items import COLD_ITEMS, cold_items
from endcap.evaluation.protocols.cold_users import COLD_USERS, cold_users
from endcap.evaluation.protocols.config import ProtocolConfig
from endcap.evaluation.protocols.leave_one_out import LEAVE_ONE_OUT, leave_one_out
from endcap.evaluation.protocols.next_basket import NEXT_BASKET, next_basket
from endcap.evaluation.protocols.parts import Terms
from endcap.evaluation.protocols.random_rows import RANDOM_ROWS, random_rows
from endcap.evaluation.protocols.runs import Rows
from endcap.evaluation.protocols.sessions import SESSIONS, sessions
from endcap.evaluation.protocols.temporal import temporal
from endcap.evaluation.split import TEMPORAL, Prepare, Split
from endcap.schema.columns import Kind
from endcap.schema.dataset import Dataset
from endcap.schema.errors import SettingsError

Protocol: TypeAlias = Callable[[Dataset, Terms], Split]


@dataclass(frozen=True, slots=True)
class ProtocolText:
    """A protocol and what is said of it.

    split: makes the split.
    asks: the question, in a few words.
    leaks: what a model knows that it could not know in a shop; "nothing" where that is so.
    train_ends_at_cut: whether all that is learnt from lies before the cut.
    history_ends_at_cut: whether all that is told does.
    needs_sessions: whether it must be told the session of each interaction.
    """

    split: Protocol
    asks: str
    leaks: str
    train_ends_at_cut: bool = True
    history_ends_at_cut: bool = True
    needs_sessions: bool = False


PROTOCOLS: Mapping[str, ProtocolText] = {
    TEMPORAL: ProtocolText(
        temporal, "what each user takes in the days after one cut in time", "nothing"
    ),
    LEAVE_ONE_OUT: ProtocolText(
        leave_one_out,
        "the last interaction of each user",
        "what other users did after it; only to compare with papers",
        train_ends_at_cut=False,
        history_ends_at_cut=False,
    ),
    SESSIONS: ProtocolText(
        sessions,
        "the next click of a session, told the clicks before it",
        "nothing",
        history_ends_at_cut=False,
        needs_sessions=True,
    ),
    NEXT_BASKET: ProtocolText(
        next_basket, "the first basket of each user after one cut in time", "nothing"
    ),
    COLD_ITEMS: ProtocolText(
        cold_items, "what users take of items that nobody had before the cut", "nothing"
    ),
    COLD_USERS: ProtocolText(
        cold_users,
        "what users take whom the model never met, told their last few interactions",
        "nothing",
    ),
    RANDOM_ROWS: ProtocolText(
        random_rows,
        "interactions drawn at random",
        "the future of every user; only to compare with papers",
        train_ends_at_cut=False,
        history_ends_at_cut=False,
    ),
}
"""By the names of the command line; `temporal` is the headline."""


OF_RATINGS = ("rating", "seed-1", "seed-2")
"""Protocols that measure predicted ratings, or labels made of them, and make no split of lists."""


def split_by(
    name: str,
    data: Dataset,
    *,
    choices: ProtocolConfig | None = None,
    prepare: Prepare | None = None,
    target_kinds: Collection[Kind] = (),
    session_of: Rows | None = None,
) -> Split:
    """Return the split that a protocol makes of the data.

    Args:
        name: one of `PROTOCOLS`.
        data: a whole snapshot, weighed or not, its refusals not yet told apart.
        choices: windows, shares, lengths; the defaults when None.
        prepare: makes of a past what may be learnt from or told: `features.weights.interest`.
        target_kinds: only interactions of these kinds make a target; of any when empty.
        session_of: the session of each interaction, for the protocol that needs it:
            `features.sessions.session_ids`.

    Raises:
        SettingsError: no protocol has this name.
        DataError: nothing is left to learn from or to foresee.
    """
    if name not in PROTOCOLS:
        raise SettingsError(
            f"no protocol is called {name}",
            where="--protocol, setting evaluation.protocol",
            mend=f"Choose one of {', '.join((*PROTOCOLS, *OF_RATINGS))}",
        )
    terms = Terms(choices or ProtocolConfig(), prepare, tuple(target_kinds), session_of)
    return PROTOCOLS[name].split(data, terms)
