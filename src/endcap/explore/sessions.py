"""Visits: how many, how long, and whether the gap that ends them fits this data.

Where a session ends is said once, in `endcap.features.sessions`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from endcap.explore.binning import Buckets, LogBins, bucket_counts, log_histogram
from endcap.explore.clock import has_time_of_day
from endcap.explore.overview import require_interactions
from endcap.features.sessions import SESSION_GAP_S, session_ids
from endcap.figures.plots import (
    bars,
    filled_steps,
    marker_line,
    name_axes,
    new_axes,
    use_counts,
    use_time,
)
from endcap.figures.wording import counted, duration, number, percent
from endcap.schema.dataset import Dataset
from endcap.schema.types import SECOND_US

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Sessions:
    """The visits of all users.

    gap_s: a silence longer than this ends a session.
    has_time_of_day: False when times are days only, so that a session is a day.
    n: sessions.
    per_user: sessions of a user on average.
    mean_length, median_length: interactions in one.
    single_share: the share of sessions with one interaction.
    lengths: sessions by the number of interactions.
    median_duration_s, p90_duration_s: from the first to the last interaction, over the sessions
        in which time passes; NaN when there is none.
    instant_share: the share of sessions in which no time passes: one interaction, or one basket.
    durations: the others by how long they are.
    silences: the pauses between one interaction of a user and the next, in seconds, above zero.
    kept_silence_share: the share of those pauses that do not end a session; NaN when there is none.
    """

    gap_s: float
    has_time_of_day: bool
    n: int
    per_user: float
    mean_length: float
    median_length: float
    single_share: float
    lengths: Buckets
    median_duration_s: float
    p90_duration_s: float
    instant_share: float
    durations: LogBins
    silences: LogBins
    kept_silence_share: float


def session_summary(data: Dataset, *, gap_s: float = SESSION_GAP_S) -> Sessions:
    """Return how the interactions group into sessions.

    Args:
        data: interactions of any number of users.
        gap_s: a silence of a user longer than this ends a session.

    Raises:
        ValueError: the gap is negative.

    Cost: two stable sorts of the users.
    """
    require_interactions(data)
    user_idx, ts = data.interactions.user_idx, data.interactions.ts
    ids = session_ids(user_idx, ts, gap_s=gap_s)
    lengths = np.bincount(ids)
    durations_s = _durations_us(ids, ts, len(lengths)) / SECOND_US
    lasting_s = durations_s[durations_s > 0]
    silences_s = _silences_us(data) / SECOND_US
    median_s, p90_s = np.quantile(lasting_s, [0.5, 0.9]) if len(lasting_s) else (np.nan, np.nan)
    kept = np.count_nonzero(silences_s <= gap_s)
    return Sessions(
        gap_s=gap_s,
        has_time_of_day=has_time_of_day(ts),
        n=len(lengths),
        per_user=len(lengths) / int(np.count_nonzero(np.bincount(user_idx))),
        mean_length=float(lengths.mean()),
        median_length=float(np.median(lengths)),
        single_share=float(np.mean(lengths == 1)),
        lengths=bucket_counts(lengths),
        median_duration_s=float(median_s),
        p90_duration_s=float(p90_s),
        instant_share=1.0 - len(lasting_s) / len(lengths),
        durations=log_histogram(lasting_s),
        silences=log_histogram(silences_s),
        kept_silence_share=kept / len(silences_s) if len(silences_s) else float("nan"),
    )


def say_sessions(found: Sessions, noun: str = "interactions") -> str:
    """Return how many sessions there are and how long, as a sentence."""
    says = (
        f"{counted(found.n, 'session', 'sessions')}, {number(round(found.per_user, 1))} a user. "
        f"{noun.capitalize()} in one: {number(found.median_length)} in the median; "
        f"{percent(found.single_share)} of the sessions have a single one."
    )
    if not found.has_time_of_day:
        says += " Times are whole days here, so a session is what a user did on one day."
    return says


def say_durations(found: Sessions) -> str:
    """Return how long sessions take, as a sentence."""
    if found.instant_share == 1.0:
        return "No time passes within a session: all its interactions bear the same time."
    return (
        f"{percent(found.instant_share)} of the sessions are over at once (one interaction, or one "
        f"basket); half of the others take up to {duration(found.median_duration_s)}, nine in ten "
        f"up to {duration(found.p90_duration_s)}."
    )


def say_silences(found: Sessions) -> str:
    """Return what the gap does to this data, as a sentence."""
    if np.isnan(found.kept_silence_share):
        return "No user comes back at another time, so no gap can be judged."
    return (
        f"A pause of more than {duration(found.gap_s)} ends a session; "
        f"{percent(found.kept_silence_share)} of the pauses between two interactions of a user are "
        "shorter. A good gap lies in a valley."
    )


def plot_session_lengths(found: Sessions) -> Figure:
    """Return the sessions by their number of interactions."""
    figure, axes = new_axes()
    bars(axes, found.lengths.labels, found.lengths.shares)
    name_axes(axes, "interactions in a session", "share of the sessions")
    return figure


def plot_session_durations(found: Sessions) -> Figure:
    """Return the histogram of durations on a logarithmic axis."""
    figure, axes = new_axes()
    filled_steps(axes, found.durations.counts, found.durations.edges)
    use_time(axes)
    use_counts(axes)
    marker_line(axes, found.median_duration_s, f"median {duration(found.median_duration_s)}")
    name_axes(axes, "from the first to the last interaction", "sessions")
    return figure


def plot_silences(found: Sessions) -> Figure:
    """Return the histogram of pauses on a logarithmic axis, with the gap."""
    figure, axes = new_axes()
    filled_steps(axes, found.silences.counts, found.silences.edges)
    use_time(axes)
    use_counts(axes)
    marker_line(axes, found.gap_s, f"gap {duration(found.gap_s)}")
    name_axes(axes, "from an interaction of a user to the next", "pauses")
    return figure


def _durations_us(
    ids: NDArray[np.int64], ts: NDArray[np.int64], n_sessions: int
) -> NDArray[np.int64]:
    """Return the time from first to last interaction of each session."""
    last = np.empty(n_sessions, dtype=np.int64)
    first = np.empty(n_sessions, dtype=np.int64)
    last[ids] = ts  # in time order, so that what is written last stays
    first[ids[::-1]] = ts[::-1]
    return last - first


def _silences_us(data: Dataset) -> NDArray[np.int64]:
    """Return the pauses above zero between consecutive interactions of a user."""
    user_idx, ts = data.interactions.user_idx, data.interactions.ts
    order = np.argsort(user_idx, kind="stable")
    users = user_idx[order]
    silence: NDArray[np.int64] = np.diff(ts[order])
    pauses: NDArray[np.int64] = silence[(users[1:] == users[:-1]) & (silence > 0)]
    return pauses
