"""What was found out, as chapters of sentences, pictures and numbers; for any kind of reader."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from endcap.explore import (
    activity,
    amounts,
    cold_start,
    concentration,
    coverage,
    duplicates,
    item_age,
    overview,
    quarantine,
    ratings,
    rhythm,
    sessions,
    timeline,
)
from endcap.explore import favourites as likes
from endcap.explore.activity import Activity
from endcap.explore.binning import Buckets
from endcap.explore.exploration import Exploration
from endcap.explore.favourites import Favourites
from endcap.explore.wording import KIND_NOUNS, WEEKDAYS
from endcap.figures.section import Chapter, Section, Table, table
from endcap.figures.wording import date, duration, number, percent


def chapters(found: Exploration) -> tuple[Chapter, ...]:
    """Return the whole report; nothing is drawn before a section's `plot` is called."""
    return (
        Chapter("rows", "Rows", tuple(_rows(found))),
        Chapter("users", "Users", tuple(_users(found))),
        Chapter("items", "Items", tuple(_items(found))),
        Chapter("time", "Time", tuple(_time(found))),
        Chapter("sessions", "Sessions", tuple(_sessions(found))),
        Chapter("values", "Stars, pieces and prices", tuple(_values(found))),
        Chapter("learning", "Sparsity and cold start", tuple(_learning(found))),
    )


def headlines(found: Exploration) -> tuple[str, ...]:
    """Return the few sentences that one should read if no other."""
    noun = found.overview.noun
    says = [
        overview.say_size(found.overview),
        concentration.say_concentration(found.concentration, noun, found.revenue),
        activity.say_history_lengths(found.users, noun),
        duplicates.say_repeats(found.repeats, noun),
    ]
    if found.cold_start is not None:
        says.append(cold_start.say_cold_start(found.cold_start, noun))
    return tuple(says)


def _rows(found: Exploration) -> Iterable[Section]:
    size, facts = found.overview, found.overview.profile
    rows = (
        ("interactions", f"{facts.n_interactions:,}"),
        ("users", f"{facts.n_users:,}"),
        ("items with interactions", f"{facts.n_items:,}"),
        ("items known", f"{facts.n_known_items:,}"),
        ("first", date(size.first_us)),
        ("last", date(size.last_us)),
        ("days", number(round(facts.n_days, 1))),
    )
    yield Section(
        "size", "Size and span", overview.say_size(size), numbers=Table(("what", "value"), rows)
    )
    several = len(facts.kinds) > 1
    yield Section(
        "kinds",
        "Kinds of interaction",
        overview.say_kinds(size),
        (lambda: overview.plot_kinds(size)) if several else None,
        _counts_table("kind", {KIND_NOUNS[kind]: n for kind, n in facts.kinds.items()})
        if several
        else None,
    )
    twice = found.duplicates
    yield Section(
        "duplicates",
        "Duplicates",
        duplicates.say_duplicates(twice),
        numbers=_counts_table("kind", {KIND_NOUNS[k]: n for k, n in twice.by_kind.items()})
        if twice.by_kind
        else None,
    )
    aside = found.quarantine
    if aside is None:
        return
    reasons = {**aside.by_reason, **{f"catalogue: {k}": n for k, n in _catalogue(aside)}}
    yield Section(
        "quarantine",
        "What became of the rows",
        quarantine.say_quarantine(aside),
        (lambda: quarantine.plot_quarantine(aside)) if aside.by_reason else None,
        _counts_table("put aside because", reasons) if reasons else None,
    )


def _users(found: Exploration) -> Iterable[Section]:
    users, noun = found.users, found.overview.noun
    yield Section(
        "user-activity",
        "How active users are",
        activity.say_user_activity(users, noun),
        lambda: activity.plot_user_activity(users),
        _spread_table(users),
    )
    yield Section(
        "history-lengths",
        "Users by length of history",
        activity.say_history_lengths(users, noun),
        lambda: activity.plot_history_lengths(users),
        _pair_table("interactions", users.lengths, ("users", "interactions")),
    )
    again = found.repeats
    yield Section(
        "repeats",
        "Coming back to an item",
        duplicates.say_repeats(again, noun),
        (lambda: duplicates.plot_repeats(again)) if again.repeat_share > 0 else None,
        _pair_table("times", again.pairs, ("pairs", "interactions"))
        if again.repeat_share > 0
        else None,
    )


def _items(found: Exploration) -> Iterable[Section]:
    items, noun, tail = found.items, found.overview.noun, found.concentration
    yield Section(
        "item-popularity",
        "How popular items are",
        activity.say_item_popularity(items, noun),
        lambda: activity.plot_item_popularity(items),
        _spread_table(items),
    )
    top = {**tail.top}
    yield Section(
        "long-tail",
        "The long tail",
        concentration.say_concentration(tail, noun, found.revenue),
        lambda: concentration.plot_concentration(tail, found.revenue),
        table(
            ("items, best first", "their share"),
            [percent(share) for share in top],
            [percent(share) for share in top.values()],
        ),
    )
    for attribute, plural in likes.ATTRIBUTES.items():
        yield _favourites_section(plural, getattr(found, plural), noun, attribute)
    if found.top_items is not None:
        yield _favourites_section("top-items", found.top_items, noun, "item")
    yield _age_section(found)


def _age_section(found: Exploration) -> Section:
    age = found.item_age
    if age is None:
        says = "The data spans too little time to tell new items from old ones."
        return Section("item-age", "How old items are", says)
    return Section(
        "item-age",
        "How old items are",
        item_age.say_item_age(age, found.overview.noun),
        lambda: item_age.plot_item_age(age),
        table(
            ("days", "items", f"interactions of the last {age.recent_days:g} days"),
            age.labels,
            [percent(float(share)) for share in age.item_shares],
            [percent(float(share)) for share in age.recent_shares],
        ),
    )


def _time(found: Exploration) -> Iterable[Section]:
    noun, line, days, week = found.overview.noun, found.timeline, found.coverage, found.rhythm
    several = len(line.counts) > 1
    yield Section(
        "timeline",
        f"Interactions by {line.unit}",
        timeline.say_timeline(line, noun),
        (lambda: timeline.plot_timeline(line)) if several else None,
    )
    gaps = days.longest
    yield Section(
        "coverage",
        "Days with and without data",
        coverage.say_coverage(days),
        (lambda: coverage.plot_coverage(days)) if days.n_days > 1 else None,
        table(
            ("the longest silences begin on", "days"),
            [date(gap.start_us) for gap in gaps],
            [f"{gap.n_days:,}" for gap in gaps],
        )
        if gaps
        else None,
    )
    yield Section(
        "rhythm",
        "The week and the day" if week.has_time_of_day else "The week",
        rhythm.say_rhythm(week, noun),
        lambda: rhythm.plot_rhythm(week),
        table(
            ("weekday", "share"), WEEKDAYS, [percent(float(share)) for share in week.weekday_shares]
        ),
    )


def _sessions(found: Exploration) -> Iterable[Section]:
    visits, noun = found.sessions, found.overview.noun
    yield Section(
        "session-lengths",
        "Interactions in a session",
        sessions.say_sessions(visits, noun),
        (lambda: sessions.plot_session_lengths(visits)) if len(visits.lengths.labels) > 1 else None,
        _pair_table("interactions", visits.lengths, ("sessions", "interactions")),
    )
    lasts = visits.instant_share < 1.0
    yield Section(
        "session-durations",
        "How long a session takes",
        sessions.say_durations(visits),
        (lambda: sessions.plot_session_durations(visits)) if lasts else None,
        table(
            ("half take up to", "nine in ten take up to"),
            [duration(visits.median_duration_s)],
            [duration(visits.p90_duration_s)],
        )
        if lasts
        else None,
    )
    pauses = visits.silences.counts.sum() > 0
    yield Section(
        "silences",
        "Does the gap fit?",
        sessions.say_silences(visits),
        (lambda: sessions.plot_silences(visits)) if pauses else None,
    )


def _values(found: Exploration) -> Iterable[Section]:
    stars, pieces, paid = found.ratings, found.quantities, found.prices
    if stars is None:
        yield Section("ratings", "Ratings", "The data has no ratings.")
    else:
        yield Section(
            "ratings",
            "Ratings",
            ratings.say_ratings(stars),
            lambda: ratings.plot_ratings(stars),
            table(
                ("stars", "ratings", "share"),
                [f"{step:g}" for step in stars.steps],
                [f"{n:,}" for n in stars.counts],
                [percent(float(share)) for share in stars.shares],
            )
            if stars.steps
            else None,
        )
    if pieces is None:
        yield Section("quantities", "Pieces", "The data has no purchases, so no quantities.")
    else:
        various = len(pieces.buckets.labels) > 1
        yield Section(
            "quantities",
            "Pieces in a purchase",
            amounts.say_quantities(pieces),
            (lambda: amounts.plot_quantities(pieces)) if various else None,
            _pair_table("pieces", pieces.buckets, ("purchases", "pieces")) if various else None,
        )
    if paid is None:
        yield Section("prices", "Prices", "The data has no prices.")
    else:
        yield Section(
            "prices",
            "Prices",
            amounts.say_prices(paid),
            lambda: amounts.plot_prices(paid),
            table(
                ("5% cost up to", "half", "95%", "mean"),
                *[[f"{price:,.2f}"] for price in (paid.p05, paid.median, paid.p95, paid.mean)],
            ),
        )


def _learning(found: Exploration) -> Iterable[Section]:
    size, facts, cold = found.overview, found.overview.profile, found.cold_start
    yield Section(
        "density",
        "Sparsity",
        overview.say_density(size),
        numbers=Table(
            ("what", "value"),
            (
                ("pairs of user and item that occur", f"{found.repeats.n_pairs:,}"),
                ("pairs there could be", f"{facts.n_users * facts.n_items:,}"),
                ("density", f"{facts.density:.3g}"),
                ("sparsity", f"{size.sparsity:.6g}"),
            ),
        ),
    )
    if cold is None:
        says = cold_start.say_no_split(size, cut_us=found.cut_us)
        yield Section("cold-start", "Cold start at the split", says)
        return
    yield Section(
        "cold-start",
        "Cold start at the split",
        cold_start.say_cold_start(cold, size.noun),
        lambda: cold_start.plot_cold_start(cold),
        Table(
            ("what", "training part", "test part"),
            (
                ("interactions", f"{cold.n_train:,}", f"{cold.n_test:,}"),
                ("users", "", f"{cold.n_test_users:,}"),
                ("items", "", f"{cold.n_test_items:,}"),
            ),
        ),
    )


def _favourites_section(key: str, found: Favourites | None, noun: str, attribute: str) -> Section:
    title = f"Top {key.replace('top-', '')}"
    if found is None:
        return Section(key, title, f"No item that anybody took has a {attribute}.")
    return Section(
        key,
        title,
        likes.say_favourites(found, noun),
        lambda: likes.plot_favourites(found),
        table(
            (attribute, f"share of the {noun}", "share of the items"),
            found.names,
            [percent(float(share)) for share in found.interaction_shares],
            [percent(float(share)) for share in found.item_shares],
        ),
    )


def _catalogue(found: quarantine.Quarantine) -> Iterable[tuple[str, int]]:
    return found.catalogue_by_reason.items()


def _counts_table(what: str, counts: dict[str, int]) -> Table:
    return table((what, "rows"), list(counts), [f"{n:,}" for n in counts.values()])


def _spread_table(found: Activity) -> Table:
    values = (found.mean, found.median, found.p90, found.p99, float(found.most))
    return Table(
        ("mean", "median", "90th percentile", "99th percentile", "most"),
        (tuple(number(round(value, 2)) for value in values),),
    )


def _pair_table(what: str, found: Buckets, names: tuple[str, str]) -> Table:
    return table(
        (what, *names, *(f"share of the {name}" for name in names)),
        found.labels,
        [f"{n:,}" for n in found.counts],
        [number(float(np.round(total, 1))) for total in found.totals],
        [percent(float(share)) for share in found.shares],
        [percent(float(share)) for share in found.total_shares],
    )
